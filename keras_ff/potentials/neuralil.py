"""NeuralIL: a potential with a smooth network on spherical-Bessel descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from keras_ff.layers.atomic_networks import MLP
from keras_ff.layers.mixed_power_spectrum import MixedPowerSpectrum
from keras_ff.layers.power_spectrum import FullPowerSpectrum, PowerSpectrum
from keras_ff.potentials.contradictions import refuse_contradictions
from keras_ff.potentials.descriptor_network import DescriptorNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.layers.atomic_networks import AtomicNetwork
    from keras_ff.layers.base import Descriptor

# Sizes by name, with radial functions in products of three densities, and widths for one element and for several.
SIZES = {
    "fast": {"n_max": 4, "triples": 0, "of_one": (16, 16), "of_several": (16, 16)},
    "default": {"n_max": 6, "triples": 0, "of_one": (16, 16), "of_several": (64, 64)},
    "accurate": {"n_max": 6, "triples": 3, "of_one": (64, 64), "of_several": (64, 64)},
}


@keras.saving.register_keras_serializable("keras_ff")
class NeuralIL(DescriptorNetwork):
    """NeuralIL: a potential with one smooth network for all elements, on spherical-Bessel descriptors.

    The network reads decorrelated descriptors of the neighbor density and a learned
    embedding of the central element. Its output is scaled and shifted:

        E_i = energy_scale * (slope * network(features_i, embedding_i) + intercept)

    With `members` it is a committee: each member has a network, embeddings, a slope and an intercept of its own and reads the same
    descriptors, and the energy is the mean over the members. Member m starts as `NeuralIL(seed=seed + m)` does. See
    `keras_ff.Ensemble`.

    Energies have continuous second derivatives everywhere, also at the cutoff.

    `NeuralIL(species)` describes atoms by `FullPowerSpectrum` and uses the network
    `LinearPlusMLP`, which reach lower errors in less time on all data tried here;
    `NeuralIL.published(species)` is the model of the paper. Of more than four elements, it describes atoms by four learned
    mixtures (`MixedPowerSpectrum`): 89 elements take the time of four.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å; 5 by default.
        n_max: Size of the descriptor; that of `size` by default.
        descriptor: `Descriptor` in place of the one that `cutoff`, `n_max` and `size` give.
        network: `AtomicNetwork` whose inputs are the features and the `embedding`, in place of `LinearPlusMLP` with `members`.
        embedding: Length of the embedding of the central element.
        seed: Seed of the initial weights.
        members: Number of members of a committee; by default there is none.
        size: "fast", with n_max 4 and 16 units in both hidden layers; "default", with n_max 6 and 16 units for one element, 64 for
            several; or "accurate", with n_max 6, products of three densities too, and 64 units.
        units: Widths of the hidden layers of `LinearPlusMLP`, in place of those of `size`.
        kwargs: Further arguments of `DescriptorNetwork`, such as `learned_noise`.

    Raises:
        ValueError: If descriptor, network and species do not fit together, there is no such size, or arguments contradict each
            other: a descriptor has a cutoff and a size of its own, and a network its own members and units.

    Example:
        >>> import keras_ff as kff
        >>> model = kff.ForceField(kff.potentials.NeuralIL(species=["Ga", "As"], cutoff=5.0, n_max=4))
        >>> model.cutoff, model.potential.descriptor.n_features
        (5.0, 135)

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022).
    """

    def __init__(
        self,
        species: str | Sequence[str],
        cutoff: float | None = None,
        n_max: int | None = None,
        descriptor: Descriptor | None = None,
        network: AtomicNetwork | None = None,
        embedding: int = 2,
        seed: int = 0,
        members: int | None = None,
        size: str | None = None,
        units: Sequence[int] | None = None,
        **kwargs,
    ):
        refuse_contradictions("descriptor", descriptor, cutoff=cutoff, n_max=n_max, size=size)
        if size is not None and size not in SIZES:
            raise ValueError(f"The size of a NeuralIL is one of {', '.join(SIZES)}. Received size={size!r}.")
        n_species = 1 if isinstance(species, str) else len(species)
        sizes = SIZES[size or "default"]
        if descriptor is None:
            cutoff, n_max = 5.0 if cutoff is None else cutoff, sizes["n_max"] if n_max is None else n_max
            options = {"dtype": kwargs.get("dtype")}
            if sizes["triples"] or n_species > MixedPowerSpectrum.MOST_MIXTURES:
                descriptor = MixedPowerSpectrum(cutoff, n_max, n_species, triples=sizes["triples"], seed=seed, **options)
            else:
                descriptor = FullPowerSpectrum(cutoff, n_max, n_species, **options)
        if units is None and network is None:
            units = sizes["of_one" if n_species == 1 else "of_several"]
        options = {"network": network, "units": units, "members": members, "embedding": embedding, "seed": seed}
        super().__init__(species, descriptor, **options, **kwargs)

    @classmethod
    def published(
        cls,
        species: str | Sequence[str],
        cutoff: float = 3.5,
        n_max: int = 4,
        embedding: int = 2,
        seed: int = 0,
        members: int | None = None,
        **kwargs,
    ) -> NeuralIL:
        """Make the potential of the paper: the descriptor `PowerSpectrum` and the network `MLP`.

        Args:
            species: Chemical symbols.
            cutoff: Radius in Å.
            n_max: Size of the descriptor.
            embedding: Length of the embedding of the central element.
            seed: Seed of the initial weights.
            members: Number of members of a committee; by default there is none.
            kwargs: Further arguments of `NeuralIL`, such as `dtype`.

        Example:
            >>> import keras_ff as kff
            >>> kff.potentials.NeuralIL.published(["Si"]).descriptor.n_features
            15

        Reference:
            Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022).
        """
        n_species = 1 if isinstance(species, str) else len(species)
        descriptor = PowerSpectrum(cutoff, n_max, n_species, dtype=kwargs.get("dtype"))
        network = MLP(descriptor.n_features + embedding, seed=seed, members=members, dtype=kwargs.get("dtype"))
        return cls(species, descriptor=descriptor, network=network, embedding=embedding, seed=seed, **kwargs)

    @property
    def n_max(self) -> int:
        """Size of the descriptor, whose l runs from 0 to n_max."""
        return self.descriptor.n_max
