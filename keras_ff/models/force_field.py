"""The Keras model of a force field: energy, forces and stress from a potential."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.files import replace_when_complete
from keras_ff.forks import check_process
from keras_ff.geometry import Neighborhood, determinant, flat_indices, pair_vectors
from keras_ff.layers.base import common_dtype
from keras_ff.models.adaptation import AdaptableModel
from keras_ff.models.cards import PresetModel
from keras_ff.models.chunks import at_once, in_chunks
from keras_ff.models.extrapolation import grades
from keras_ff.models.files import write_version
from keras_ff.potentials.base import energies_and_gradient, terms_with
from keras_ff.potentials.long_range import LongRange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keras_ff.models.extrapolation import Extrapolation
    from keras_ff.potentials.base import Potential

OUTPUTS = ("energy", "energy_per_atom", "forces", "stress")

# Format of the configuration in a model file. Raise it when older code cannot read newer files. 2: the configurations of networks
# have `members`, those of models `frozen`. 3: models have `references`.
FORMAT = 3


@keras.saving.register_keras_serializable("keras_ff")
class ForceField(PresetModel, AdaptableModel):
    """Force field: the Keras model that computes energy, forces and stress of structures from a potential.

    A batch is a dict of `positions`, `species`, `cell`, `neighbors`, `shifts` as
    `keras_ff.data.Dataset` makes it, and `waves` if a term of the potential is of long range. The result is a dict of

    * `energy` `(structures, 1)` in eV, reference energies of the species included,
    * `energy_per_atom` `(structures, 1)` in eV,
    * `forces` `(structures, atoms, 3)` in eV/Å,
    * `stress` `(structures, 6)` in eV/Å³, xx yy zz yz xz xy, positive for a stretched crystal, as in ASE;
      NaN without three lattice vectors.

    Args:
        potential: A `keras_ff.potentials.Potential`, whose dtype the model has.
        extrapolation: `keras_ff.models.Extrapolation` with the statistics of the training set, as
            `keras_ff.models.learn_extrapolation` sets it; None for none.
        references: Where the reference energies are from, as `adapt` sets it: dict of `sources`, from chemical symbols to "fitted",
            "isolated atom" or "given", and `undetermined`, the combinations of elements that the data left open, see
            `keras_ff.data.ReferenceEnergies`; None if unknown.
        frozen: Indices of weights that are not trained, which model files need; set `trainable = False` of weights and layers
            instead.
        kwargs: Arguments of `keras.Model`: `name` and `dtype`.

    Raises:
        ValueError: If `dtype` is not that of the potential, or `references` has other entries.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> kff.enable_float64()
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> atoms = bulk("Si", a=5.431)
        >>> atoms.calc = kff.Calculator(model)
        >>> round(float(atoms.get_potential_energy()), 4)
        -8.6732
    """

    def __init__(
        self,
        potential: Potential,
        extrapolation: Extrapolation | None = None,
        references: dict | None = None,
        frozen: Sequence[int] = (),
        **kwargs,
    ):
        kwargs["dtype"] = common_dtype("A ForceField", [potential], kwargs.get("dtype"))
        super().__init__(**kwargs)
        self.potential = potential
        self.extrapolation = extrapolation
        if references is not None and not (isinstance(references, dict) and set(references) == {"sources", "undetermined"}):
            raise ValueError(f"references is a dict of sources and undetermined, or None. Received references={references!r}.")
        self.references = references
        self.reference_energies = self.add_weight(
            name="reference_energies", shape=(len(potential.species),), initializer="zeros", trainable=False
        )
        self.built = True
        for index in frozen:
            self.weights[index].trainable = False

    @property
    def species(self):
        """Chemical symbols, in the order of the integers in a batch."""
        return self.potential.species

    @property
    def cutoff(self):
        """Radius in Å beyond which atoms are not neighbors."""
        return self.potential.cutoff

    @property
    def wave_cutoff(self) -> float:
        """Highest wave number in 1/Å that the potential sums over; 0 for a potential without a term of long range."""
        return max((term.wave_cutoff for term in terms_with(self.potential, LongRange)), default=0.0)

    def call(self, batch, training=False):
        """Compute energy, forces and stress of a batch: the dict that the class describes."""
        outputs = (self.atomic_at_once if training else self.atomic)(batch)
        return {name: outputs[name] for name in OUTPUTS}

    def atomic(self, batch: dict) -> dict:
        """Compute the outputs of `call`, atomic energies and the virial, in chunks of atoms.

        Args:
            batch: Dict of arrays, as the class describes it.

        Returns:
            Dict of the outputs of `call`, of `energies` `(structures, atoms)` in eV, and of `virial` `(structures, 3, 3)`, the
            derivatives of the energy with respect to strain in eV.
        """
        return self._atomic(batch, in_chunks)

    def atomic_at_once(self, batch: dict) -> dict:
        """Compute the outputs of `atomic` with all atoms together, in more memory: it is faster to differentiate.

        Args:
            batch: Dict of arrays, as the class describes it.
        """
        return self._atomic(batch, at_once)

    def _atomic(self, batch, evaluate):
        neighborhood = self.neighborhood(batch)
        results = evaluate(self.energies_and_gradient, neighborhood, self.potential)
        return self._summed(batch, neighborhood.arrays[0], *results, self._long_range(batch))

    def _summed(self, batch, vectors, energies, gradient, far):
        """Dict that `atomic` returns, from results of `energies_and_gradient` and `_long_range`."""
        species, neighbors = batch["species"], batch["neighbors"]
        energies = ops.reshape(energies, ops.shape(species))
        vectors, gradient = (ops.reshape(x, (*ops.shape(neighbors), 3)) for x in (vectors, gradient))
        atomic_forces, strain_gradient = forces(gradient, neighbors, batch.get("reverse")), virial(vectors, gradient)
        if far is not None:
            energies, atomic_forces, strain_gradient = energies + far[0], atomic_forces + far[1], strain_gradient + far[2]
        reference = ops.where(species >= 0, ops.take(self.reference_energies, ops.maximum(species, 0), axis=0), 0.0)
        n_atoms = ops.maximum(ops.sum(ops.cast(species >= 0, energies.dtype), axis=1, keepdims=True), 1.0)
        learned, constant = (ops.sum(values, axis=1, keepdims=True) for values in (energies, reference))
        return {
            "energy": learned + constant,
            # Divided before they are added: the sum of float32 energies would lose digits.
            "energy_per_atom": learned / n_atoms + constant / n_atoms,
            "energies": energies + reference,
            "forces": atomic_forces,
            "stress": stress(strain_gradient, batch["cell"]),
            "virial": strain_gradient,
        }

    def total_energy(self, batch: dict):
        """Compute the energy of each structure, as a function that can be differentiated with respect to any array of the batch.

        Args:
            batch: Dict of arrays, as the class describes it.

        Returns:
            Tensor `(structures,)` in eV.
        """
        neighborhood = self.neighborhood(batch)
        energies = self.potential(neighborhood) + ops.take(self.reference_energies, neighborhood.center_species, axis=0)
        energies = ops.reshape(ops.where(neighborhood.is_atom, energies, 0.0), ops.shape(batch["species"]))
        for term in terms_with(self.potential, LongRange):
            energies = energies + term.long_range(batch["positions"], batch["species"], batch["cell"], batch["waves"])
        return ops.sum(energies, axis=1)

    def neighborhood(self, batch: dict) -> Neighborhood:
        """Return the `Neighborhood` of all atoms of a batch, structure by structure: its first axis is structures times atoms.

        Args:
            batch: Dict of arrays, as the class describes it.
        """
        check_process()
        neighbors = batch["neighbors"]
        count = ops.shape(neighbors)[2]
        vectors = pair_vectors(batch["positions"], batch["cell"], neighbors, batch["shifts"])
        center = ops.reshape(batch["species"], (-1,))
        others = ops.take(center, flat_indices(neighbors), axis=0)
        return Neighborhood(
            ops.reshape(vectors, (-1, count, 3)),
            ops.reshape(neighbors, (-1, count)) >= 0,
            center,
            ops.reshape(others, (-1, count)),
            self.cutoff,
        )

    def energies_and_gradient(self, neighborhood: Neighborhood) -> tuple:
        """Compute atomic energies and the derivatives of their sum with respect to the vectors to the neighbors.

        Args:
            neighborhood: The `Neighborhood` of any number of atoms.

        Returns:
            Tuple of atomic energies `(atoms,)` in eV, without reference energies and energies of long range, and
            the derivatives of their sum `(atoms, neighbors, 3)` in eV/Å; both are 0 at padding.
        """
        return energies_and_gradient(self.potential, neighborhood)

    def _long_range(self, batch):
        """Atomic energies, forces and virial of the terms of the potential that are not local; None if all are."""
        terms = terms_with(self.potential, LongRange)
        if not terms:
            return None
        if "waves" not in batch:
            raise ValueError(
                f"The potential has a term of long range and needs `waves` in the batch. Received {sorted(batch)}. Make the data "
                "set with this model: Dataset(structures, model)."
            )

        def total(geometry):
            positions, cell = geometry
            energies = sum(term.long_range(positions, batch["species"], cell, batch["waves"]) for term in terms)
            return ops.sum(energies), energies

        geometry = (batch["positions"], batch["cell"])
        (_, energies), gradients = backend.value_and_grad(total, has_aux=True)(geometry)
        # Strain moves the atoms and the cell vectors alike.
        strain = sum(ops.einsum("sai,saj->sij", x, gradient) for x, gradient in zip(geometry, gradients))
        return energies, -gradients[0], strain

    def grades(self, batch: dict) -> dict:
        """Compute how far atoms are from the training set, above 1 beyond it; see `keras_ff.models.extrapolation_grades`.

        Args:
            batch: Dict of arrays, as the class describes it.
        """
        return grades(self, batch)

    def _like_this(self, potential):
        return ForceField(potential, dtype=self.dtype_policy)

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, **kwargs):
        """Compile the model, as `keras.Model.compile` does, after a check of the names of the outputs.

            model.compile(optimizer="adam", loss={"energy_per_atom": kff.losses.MSE(), "forces": kff.losses.MSE()})

        Args:
            optimizer: Keras optimizer or its name.
            loss: Loss, or dict from names of outputs to losses.
            loss_weights: Dict from names of outputs to the weights of their losses.
            metrics: Dict from names of outputs to lists of metrics.
            weighted_metrics: Metrics in which weights of structures and labels count.
            kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If `loss`, `loss_weights` or `metrics` name an output that does not exist, or a loss or metric is NaN where
                a label is missing.
        """
        # Keras would pair wrong names with outputs silently.
        options = {"loss": loss, "loss_weights": loss_weights, "metrics": metrics, "weighted_metrics": weighted_metrics}
        for option, named in options.items():
            if unknown := sorted(set(named) - set(OUTPUTS)) if isinstance(named, dict) else []:
                raise ValueError(f"The model has the outputs {list(OUTPUTS)}. Received {option} for {unknown}.")
        super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs)

    def compile_from_config(self, config):
        """Compile the model as it was compiled when it was saved; with a warning, leave it uncompiled if the loss is refused."""
        # Keras leaves models with a `compile` of their own uncompiled when it loads them.
        try:
            self.compile(**keras.saving.deserialize_keras_object(config))
        except ValueError as error:
            warnings.warn(f"The model is loaded without its loss and optimizer. {error}", stacklevel=2)
            return
        self.optimizer.build(self.trainable_variables)

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs) -> None:
        """Write the model to a file, whole or not at all; `keras_ff.load` reads it.

            model.save("silicon.keras")

        Args:
            filepath: The file, whose name ends with ".keras".
            overwrite: Whether an existing file is replaced.
            kwargs: Further arguments of `keras.Model.save`.

        Raises:
            ValueError: If the name has another ending.
            FileExistsError: If the file exists and `overwrite` is False.
        """
        if not os.fspath(filepath).endswith(".keras"):
            raise ValueError(f"The name of a model file ends with .keras. Received {os.fspath(filepath)!r}.")
        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"{filepath} exists, and overwrite is False.")
        with replace_when_complete(filepath) as part:
            super().save(part, **kwargs)
            write_version(part)

    def get_config(self) -> dict:
        """Return the arguments of the constructor and the format of the file, from which Keras makes it anew."""
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "format": FORMAT,
            "potential": keras.saving.serialize_keras_object(self.potential),
            "extrapolation": keras.saving.serialize_keras_object(self.extrapolation),
            "references": self.references,
            "frozen": [index for index, weight in enumerate(self.weights) if not weight.trainable],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the model from what `get_config` returned; a ValueError if it is of a newer format."""
        config = dict(config)
        # That of the potential, which old files may contradict.
        config.pop("dtype", None)
        version = config.pop("format", 1)
        if version > FORMAT:
            raise ValueError(
                f"The model has format {version}, and this version of keras_ff reads up to {FORMAT}. Update keras_ff to read it."
            )
        for name in ("potential", "extrapolation"):
            config[name] = keras.saving.deserialize_keras_object(config.get(name), custom_objects=custom_objects)
        return cls(**config)


def forces(gradient, neighbors, reverse=None):
    """Forces on atoms from the derivatives of the energy with respect to the vectors to the neighbors.

    Args:
        gradient: `(structures, atoms, neighbors, 3)`, in eV/Å; 0 at padding.
        neighbors: int `(structures, atoms, neighbors)`, -1 is padding.
        reverse: int `(1, atoms, neighbors)` for a single structure: for each neighbor the place of the atom in the row of the
            neighbor, see `keras_ff.simulation.cell_list`. With it the sum is the same bit by bit in each call, and many times
            faster on a GPU.

    Returns:
        Tensor `(structures, atoms, 3)`, in eV/Å.
    """
    shape = ops.shape(gradient)
    if reverse is not None:
        back = ops.take(ops.reshape(gradient, (-1, 3)), ops.maximum(reverse, 0), axis=0)
        return ops.sum(gradient - ops.where(reverse[..., None] >= 0, back, 0.0), axis=2)
    on_neighbors = ops.segment_sum(
        ops.reshape(gradient, (-1, 3)), ops.reshape(flat_indices(neighbors), (-1,)), num_segments=shape[0] * shape[1]
    )
    return ops.sum(gradient, axis=2) - ops.reshape(on_neighbors, (shape[0], shape[1], 3))


def virial(vectors, gradient):
    """Virial: derivatives of the energy with respect to strain, sum R (x) dE/dR over the vectors R to the neighbors.

    Args:
        vectors: `(structures, atoms, neighbors, 3)`, in Å.
        gradient: Derivatives of the energy with respect to the vectors, in the same shape, in eV/Å; 0 at padding.

    Returns:
        Tensor `(structures, 3, 3)`, in eV.
    """
    return ops.einsum("saki,sakj->sij", vectors, gradient)


def stress(virial, cell):
    """Stress from the virial, in the sign and order of ASE.

    Args:
        virial: Derivatives of the energy with respect to strain, `(structures, 3, 3)`, in eV.
        cell: `(structures, 3, 3)`, rows are lattice vectors, in Å.

    Returns:
        Tensor `(structures, 6)` in eV/Å³, xx yy zz yz xz xy; NaN without three lattice vectors.
    """
    virial = 0.5 * (virial + ops.swapaxes(virial, 1, 2))
    volume = ops.abs(determinant(cell))
    periodic = volume > 0
    full = virial / ops.where(periodic, volume, 1.0)[:, None, None]
    voigt = ops.stack([full[:, 0, 0], full[:, 1, 1], full[:, 2, 2], full[:, 1, 2], full[:, 0, 2], full[:, 0, 1]], axis=-1)
    return ops.where(periodic[:, None], voigt, np.nan)
