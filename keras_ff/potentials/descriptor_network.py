"""Potentials with a descriptor and one network for all elements, single or as a committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.arguments import whole
from keras_ff.layers.atomic_networks import LinearPlusMLP
from keras_ff.layers.base import Descriptor
from keras_ff.layers.stacked import LeCunNormal, product
from keras_ff.potentials.base import Potential
from keras_ff.potentials.contradictions import refuse_contradictions
from keras_ff.potentials.copies import copied, copy_weights, require_equal
from keras_ff.potentials.decorrelation import decorrelation, projection_of_twins
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.with_members import WithMembers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.geometry import Neighborhood
    from keras_ff.layers.atomic_networks import AtomicNetwork

# Variances of errors in units of the variance of the forces: where they begin, and the smallest.
FIRST_VARIANCE, LEAST_VARIANCE = 1e-2, 1e-6


@keras.saving.register_keras_serializable("keras_ff")
class DescriptorNetwork(Learned, WithMembers, Potential):
    """Potential with a descriptor and one network for all elements: the base of `NeuralIL` and `SplineNetwork`.

    The network reads decorrelated features of the atom and a learned embedding of its element. Its output is scaled and shifted:

        E_i = energy_scale * (slope * network(features_i, embedding_i) + intercept)

    With `members` it is a committee: each member has a network, embeddings, a slope and an intercept of its own and reads the same
    features, and the energy is the mean over the members. Member m starts with the weights of a single potential with the seed
    `seed + m`.

    A subclass has a constructor that makes the descriptor, and takes one as an argument too, as `NeuralIL` does.

    Args:
        species: Chemical symbols.
        descriptor: `Descriptor` for as many species.
        network: `AtomicNetwork` whose inputs are the features and the `embedding`; by default `LinearPlusMLP` with `units` and
            `members`.
        units: Widths of the hidden layers of the network; (16, 16) by default.
        members: Number of members of a committee; by default there is none.
        embedding: Length of the embedding of the central element.
        seed: Seed of the initial weights.
        learned_noise: Whether each member of the committee learns the variances of its errors too (a deep ensemble), see
            `member_variances`.
        kwargs: Arguments of Keras layers.

    Raises:
        ValueError: If descriptor, network and species do not fit together, `learned_noise` has no members, or a network comes
            together with `units` or `members`, which it has itself.
        TypeError: If `descriptor` is no `Descriptor`.

    Example:
        >>> import keras_ff as kff
        >>> descriptor = kff.layers.FullPowerSpectrum(cutoff=5.0, n_max=2)
        >>> potential = kff.potentials.DescriptorNetwork(["Si"], descriptor, units=(8, 8), members=3)
        >>> potential.network.inputs  # 13 features, and an embedding of length 2
        15
    """

    # Name of the argument of the constructor that takes the descriptor.
    DESCRIPTOR = "descriptor"

    def __init__(
        self,
        species: str | Sequence[str],
        descriptor: Descriptor,
        network: AtomicNetwork | None = None,
        units: Sequence[int] | None = None,
        members: int | None = None,
        embedding: int = 2,
        seed: int = 0,
        learned_noise: bool = False,
        **kwargs,
    ):
        refuse_contradictions("network", network, units=units, members=members)
        if not isinstance(descriptor, Descriptor):
            raise TypeError(f"The descriptor is a keras_ff.layers.Descriptor. Received a {type(descriptor).__name__}.")
        n_species = 1 if isinstance(species, str) else len(species)
        if descriptor.n_species != n_species:
            raise ValueError(f"The descriptor is made for {descriptor.n_species} species. Received species={list(species)}.")
        super().__init__(species, descriptor.cutoff, **kwargs)
        self.embedding, self.seed = whole("embedding", embedding, 0), whole("seed", seed, 0)
        features = descriptor.n_features
        if network is None:
            units = (16, 16) if units is None else units
            network = LinearPlusMLP(features + self.embedding, units, seed, members=members, dtype=self.dtype_policy)
        self.descriptor, self.network = descriptor, network
        if network.inputs != features + self.embedding:
            raise ValueError(
                f"The network must take {features + embedding} inputs ({features} features of the descriptor and {embedding} of "
                f"the embedding). Received a network of {network.inputs} inputs."
            )
        members = network.members
        if learned_noise and members is None:
            raise ValueError("learned_noise needs a committee: a single model has no use for the variances. Received members=None.")
        self.learned_noise = bool(learned_noise)
        self.noise = []
        if learned_noise:
            options = {"members": members, "dtype": self.dtype_policy}
            self.noise = [LinearPlusMLP(network.inputs, seed=seed + kind * members, **options) for kind in (1, 2)]
        stack = () if members is None else (members,)
        scalar = () if members is None else (members, 1)
        self.feature_mean = self.add_parameter("feature_mean", np.zeros(features), trainable=False)
        self.projection = self.add_parameter("projection", np.eye(network.inputs), trainable=False)
        self.energy_scale = self.add_parameter("energy_scale", 1.0, trainable=False)
        self.slope = self.add_parameter("slope", np.ones(scalar))
        self.intercept = self.add_parameter("intercept", np.zeros(scalar))
        self.elements = self.add_weight(
            name="embedding", shape=(*stack, len(self.species), self.embedding), initializer=LeCunNormal([seed, 1], members)
        )

    @property
    def members(self) -> int:
        """Number of members of the committee; None for a single potential."""
        return self.network.members

    def call(self, neighborhood: Neighborhood):
        """Compute the atomic energies in eV, `(atoms,)`, from a `Neighborhood`: of a committee, the mean over its members."""
        energies = self.energies_of(self.describe(neighborhood), neighborhood.center_species)
        return energies if self.members is None else ops.mean(energies, axis=0)

    def member_energies(self, neighborhood: Neighborhood):
        """Compute the atomic energies of each member in eV, `(members, atoms)`, from a `Neighborhood`."""
        return self.energies_of(self.describe(neighborhood), neighborhood.center_species)

    def energies_of(self, features, center_species):
        """Compute the atomic energies from the features of the atoms.

        Args:
            features: `(atoms, features)` as `describe` returns them; for a committee also `(members, atoms, features)`.
            center_species: int `(atoms,)`, 0 or more.

        Returns:
            Tensor in eV, `(atoms,)`, or `(members, atoms)` if the potential is a committee.
        """
        features = features - self.feature_mean
        embedding = product(ops.one_hot(center_species, len(self.species), dtype=features.dtype), self.elements)
        energies = self.network([features, embedding], projection=self.projection)
        return self.energy_scale * (self.slope * energies + self.intercept)

    def member_variances(self, neighborhood: Neighborhood):
        """Compute the variances that members expect of their errors; see `WithMembers.member_variances`."""
        # Networks of their own read the descriptors, which learn nothing from the variances.
        features = self.describe(neighborhood) - self.feature_mean
        one_hot = ops.one_hot(neighborhood.center_species, len(self.species), dtype=features.dtype)
        inputs = [ops.stop_gradient(x) for x in (features, product(one_hot, self.elements))]
        values = ops.stack([network(inputs, projection=self.projection) for network in self.noise], axis=-1)
        return self.energy_scale**2 * (FIRST_VARIANCE * ops.softplus(values) + LEAST_VARIANCE)

    def member_gradients(self, neighborhood: Neighborhood):
        """Compute energies and derivatives of each member; see `WithMembers.member_gradients`."""
        # The descriptor and its derivatives are the same for all members: they are computed once.
        features, pullback = self.descriptor.with_pullback(neighborhood)

        def total(features):
            energies = ops.where(neighborhood.is_atom, self.energies_of(features, neighborhood.center_species), 0.0)
            return ops.sum(energies), energies

        copies = ops.broadcast_to(features, (self.members, *ops.shape(features)))
        (_, energies), slopes = backend.value_and_grad(total, has_aux=True)(copies)
        return energies, pullback(slopes)

    @property
    def linear_weights(self) -> list:
        """Weights of a network `LinearPlusMLP` in which the energies are linear: of its linear model and, if single, last layer."""
        readout = self.network.readout if self.members is None else None
        return [self.network.linear.kernel] + ([] if readout is None else [readout.kernel])

    def linear_columns(self, neighborhood: Neighborhood, chosen):
        """Compute the derivatives of the atomic energies with respect to `linear_weights`, and those of them along the features.

        Args:
            neighborhood: The `Neighborhood`.
            chosen: int `(columns,)`, places of the weights, which are counted one after the other.

        Returns:
            Tuple of the derivatives `(atoms, columns)`, their derivatives with respect to the features `(columns, atoms,
            features)`, and the function that `Descriptor.with_pullback` returns, from these to the derivatives with respect to the
            vectors.
        """
        features, pullback = self.descriptor.with_pullback(neighborhood)
        scale = self.energy_scale * ops.mean(self.slope)
        one_hot = ops.one_hot(neighborhood.center_species, len(self.species), dtype=features.dtype)
        elements = self.elements if self.members is None else ops.mean(self.elements, axis=0)
        inputs = ops.concatenate([features - self.feature_mean, product(one_hot, elements)], axis=-1)
        columns, slopes = ops.matmul(inputs, self.projection), ops.swapaxes(self.projection[: features.shape[-1]], 0, 1)
        if len(self.linear_weights) == 1:
            slopes = ops.take(slopes, chosen, axis=0)[:, None]
            slopes = ops.broadcast_to(slopes, (slopes.shape[0], *ops.shape(features)))
            return scale * ops.take(columns, chosen, axis=1), scale * slopes, pullback

        def hidden(features):
            embedding = product(one_hot, self.elements)
            return self.network.hidden([features - self.feature_mean, embedding], self.projection)

        outputs, back = backend.vjp(hidden, features)
        columns = ops.concatenate([columns, outputs], axis=-1)
        first = self.network.inputs
        slopes = ops.concatenate([slopes, ops.zeros((outputs.shape[-1], slopes.shape[-1]), dtype=slopes.dtype)], axis=0)
        # A row of zeros for weights that are not of the last layer.
        rows = ops.one_hot(chosen - first, outputs.shape[-1], dtype=outputs.dtype)
        of_hidden = backend.vmap(lambda row: back(ops.broadcast_to(row, ops.shape(outputs)))[0])(rows)
        slopes = ops.take(slopes, chosen, axis=0)[:, None] + of_hidden
        return scale * ops.take(columns, chosen, axis=1), scale * slopes, pullback

    def intermediates(self, neighbors: int) -> int:
        """Return the size of intermediate results of the descriptor; see `Potential.intermediates`."""
        return self.descriptor.intermediates(neighbors)

    def describe(self, neighborhood: Neighborhood):
        """Compute the features of the descriptor, `(atoms, features)`, from a `Neighborhood`."""
        return self.descriptor(neighborhood)

    def adapt(self, features, species, force_scales):
        """Set the mean and projection of the features (see `decorrelation`) and the scale of the energies; see `Learned.adapt`.

        Args:
            features: Features of atoms of the training set, NumPy `(samples, features)`.
            species: int `(samples,)`, species of these atoms.
            force_scales: Root mean square of the force components for each species in eV/Å, `(species,)`.
        """
        mean, matrix = decorrelation(features, self.descriptor.groups, self.embedding)
        self.feature_mean.assign(mean)
        self.projection.assign(matrix)
        self.energy_scale.assign(np.sqrt(np.mean(force_scales[species] ** 2)))

    def shift(self, energy: float) -> None:
        """Add a constant to the energy of every atom; see `Learned.shift`."""
        self.intercept.assign(ops.convert_to_numpy(self.intercept.value) + energy / ops.convert_to_numpy(self.energy_scale.value))

    def member(self, index: int) -> DescriptorNetwork:
        """Return one member, counted from 0, as a single potential; see `WithMembers.member`."""
        single = self.rebuilt(copied(self.descriptor), self.network.rebuilt(members=None), learned_noise=False)
        noise = {id(weight) for network in self.noise for weight in network.weights}
        for new, old in zip(single.weights, [weight for weight in self.weights if id(weight) not in noise], strict=True):
            value = ops.convert_to_numpy(old)
            new.assign(value if value.shape == tuple(new.shape) else value[index].reshape(new.shape))
            new.trainable = old.trainable
        return single

    def joined(self, others: Sequence[DescriptorNetwork]) -> DescriptorNetwork:
        """Return the committee of this potential and others; see `WithMembers.joined`."""
        committee = self.rebuilt(copied(self.descriptor), self.network.rebuilt(members=1 + len(others)))
        for new, *old in zip(committee.weights, self.weights, *(other.weights for other in others), strict=True):
            if tuple(new.shape) == tuple(old[0].shape):
                require_equal(old)
                copy_weights([new], old[:1])
            else:
                new.assign(np.stack([ops.convert_to_numpy(value).reshape(new.shape[1:]) for value in old]))
                new.trainable = old[0].trainable
        return committee

    def with_species(self, twins: dict[str, str]) -> DescriptorNetwork:
        """Return a potential that knows more elements; see `Learned.with_species`."""
        if self.members is not None:
            raise NotImplementedError("A committee takes no new elements. Extend a single model, or its `members` one by one.")
        indices = list(range(len(self.species))) + [self.species.index(symbol) for symbol in twins.values()]
        descriptor, matrix, kept = self.descriptor.with_twins(indices)
        old, new = self.descriptor.n_features, descriptor.n_features
        network = self.network.rebuilt(inputs=new + self.embedding)
        copy = self.rebuilt(descriptor, network, species=[*self.species, *twins])

        def widened(weight, shape):
            """A weight with rows of 0 for the new features."""
            if weight.shape == shape:
                return weight.copy()
            return np.concatenate([weight[:old], np.zeros((new - old, *shape[1:])), weight[old:]])

        for mine, theirs in zip(network.weights, self.network.weights, strict=True):
            mine.assign(widened(ops.convert_to_numpy(theirs), tuple(mine.shape)))
        mean = np.zeros(new)
        mean[kept] = ops.convert_to_numpy(self.feature_mean)
        copy.feature_mean.assign(mean)
        copy.projection.assign(projection_of_twins(ops.convert_to_numpy(self.projection).astype("float64"), matrix, kept))
        copy.elements.assign(ops.take(self.elements, np.array(indices), axis=0))
        for name in ("energy_scale", "slope", "intercept"):
            # Not the array itself: on JAX, training one of the two models would delete it.
            getattr(copy, name).assign(ops.copy(getattr(self, name)))
        return copy

    def rebuilt(self, descriptor: Descriptor, network: AtomicNetwork, **changes) -> DescriptorNetwork:
        """Make a potential of the same class with another descriptor and network; its other weights have their initial values.

        Args:
            descriptor: The `Descriptor`.
            network: The `AtomicNetwork`.
            changes: Further arguments of the constructor that change.
        """
        return type(self).from_config({**self.get_config(), **changes, self.DESCRIPTOR: descriptor, "network": network})

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        config = super().get_config()
        del config["cutoff"]
        return {
            **config,
            self.DESCRIPTOR: keras.saving.serialize_keras_object(self.descriptor),
            "network": keras.saving.serialize_keras_object(self.network),
            "embedding": self.embedding,
            "seed": self.seed,
            **({"learned_noise": True} if self.learned_noise else {}),
        }

    @classmethod
    def from_config(cls, config: dict):
        """Make the potential from what `get_config` returned; descriptor and network may also be layers."""
        parts = {name: config[name] for name in (cls.DESCRIPTOR, "network")}
        parts = {
            name: part if isinstance(part, keras.layers.Layer) else keras.saving.deserialize_keras_object(part)
            for name, part in parts.items()
        }
        return cls(**{**config, **parts})
