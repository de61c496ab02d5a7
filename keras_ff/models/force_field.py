"""The Keras model: atomic energies summed, and their derivatives."""

import os

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.files import replace_when_complete
from keras_ff.geometry import Neighborhood, determinant, flat_indices, pair_vectors
from keras_ff.layers.base import common_dtype
from keras_ff.models.adaptation import AdaptableModel
from keras_ff.models.chunks import at_once, in_chunks
from keras_ff.potentials.base import energies_and_gradient, terms_with
from keras_ff.potentials.long_range import LongRange

OUTPUTS = ("energy", "energy_per_atom", "forces", "stress")

# Of the configuration in a model file. Raise it when older code cannot read newer files. 2: networks know their `members`, models
# what is frozen.
FORMAT = 2


@keras.saving.register_keras_serializable("keras_ff")
class ForceField(AdaptableModel):
    """Energy, forces and stress of structures from a potential.

    Args:
        potential: A `keras_ff.potentials.Potential`, whose dtype the model has.
        extrapolation: What `keras_ff.models.learn_extrapolation` knows of the training set.
        frozen: Indices among `weights` of those that are not trained. Set `trainable = False` of weights and layers instead; this
            is how a file knows.

    A batch is a dict of `positions`, `species`, `cell`, `neighbors`, `shifts` as
    `keras_ff.data.Dataset` makes it, and `waves` if the potential has a part of long range. The result is a dict of

    * `energy` `(structures, 1)` in eV, reference energies of the species included,
    * `energy_per_atom` `(structures, 1)` in eV,
    * `forces` `(structures, atoms, 3)` in eV/Å,
    * `stress` `(structures, 6)` in eV/Å³, xx yy zz yz xz xy, positive under tension;
      NaN without three lattice vectors.
    """

    def __init__(self, potential, extrapolation=None, frozen=(), **kwargs):
        kwargs["dtype"] = common_dtype("A ForceField", [potential], kwargs.get("dtype"))
        super().__init__(**kwargs)
        self.potential = potential
        self.extrapolation = extrapolation
        self.reference_energies = self.add_weight(
            name="reference_energies", shape=(len(potential.species),), initializer="zeros", trainable=False
        )
        self.built = True
        for index in frozen:
            self.weights[index].trainable = False

    @property
    def species(self):
        return self.potential.species

    @property
    def cutoff(self):
        return self.potential.cutoff

    @property
    def wave_cutoff(self):
        """Highest wave number in 1/Å that the potential sums over; 0 for a local one."""
        return max((term.wave_cutoff for term in terms_with(self.potential, LongRange)), default=0.0)

    def call(self, batch, training=False):
        outputs = (self.atomic_at_once if training else self.atomic)(batch)
        return {name: outputs[name] for name in OUTPUTS}

    def atomic(self, batch):
        """Outputs for each atom too, computed in chunks of atoms.

        Args:
            batch: As that of `call`.

        Returns:
            What `call` returns, `energies` `(structures, atoms)` in eV, and `virial` `(structures, 3, 3)`, the derivatives of the
            energy with respect to strain in eV.
        """
        return self._atomic(batch, in_chunks)

    def atomic_at_once(self, batch):
        """`atomic` with all atoms computed together: faster to differentiate, with respect to weights above all, in more memory."""
        return self._atomic(batch, at_once)

    def _atomic(self, batch, evaluate):
        neighborhood = self.neighborhood(batch)
        results = evaluate(self.energies_and_gradient, neighborhood, self.potential)
        return self._summed(batch, neighborhood.arrays[0], *results, self._long_range(batch))

    def _summed(self, batch, vectors, energies, gradient, far):
        """What `atomic` returns, from results of `energies_and_gradient` and `_long_range`."""
        species, neighbors = batch["species"], batch["neighbors"]
        energies = ops.reshape(energies, ops.shape(species))
        vectors, gradient = (ops.reshape(x, (*ops.shape(neighbors), 3)) for x in (vectors, gradient))
        pulls, tension = forces(gradient, neighbors), virial(vectors, gradient)
        if far is not None:
            energies, pulls, tension = energies + far[0], pulls + far[1], tension + far[2]
        reference = ops.where(species >= 0, ops.take(self.reference_energies, ops.maximum(species, 0), axis=0), 0.0)
        n_atoms = ops.maximum(ops.sum(ops.cast(species >= 0, energies.dtype), axis=1, keepdims=True), 1.0)
        learned, constant = (ops.sum(part, axis=1, keepdims=True) for part in (energies, reference))
        return {
            "energy": learned + constant,
            # Divided before they are added: the sum of float32 energies would lose digits.
            "energy_per_atom": learned / n_atoms + constant / n_atoms,
            "energies": energies + reference,
            "forces": pulls,
            "stress": stress(tension, batch["cell"]),
            "virial": tension,
        }

    def total_energy(self, batch):
        """Energy of each structure, `(structures,)` in eV, to be differentiated with respect to anything in the batch."""
        neighborhood = self.neighborhood(batch)
        energies = self.potential(neighborhood) + ops.take(self.reference_energies, neighborhood.center_species, axis=0)
        energies = ops.reshape(ops.where(neighborhood.is_atom, energies, 0.0), ops.shape(batch["species"]))
        for term in terms_with(self.potential, LongRange):
            energies = energies + term.long_range(batch["positions"], batch["species"], batch["cell"], batch["waves"])
        return ops.sum(energies, axis=1)

    def neighborhood(self, batch):
        """The `Neighborhood` of all atoms of a batch, structure by structure: its first axis is structures times atoms."""
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

    def energies_and_gradient(self, neighborhood):
        """Atomic energies and their derivatives with respect to the vectors to the neighbors.

        Args:
            neighborhood: The `Neighborhood` of any number of atoms.

        Returns:
            Tuple of atomic energies `(atoms,)` in eV, without reference energies and of long range, and
            the gradient of their sum `(atoms, neighbors, 3)` in eV/Å; both are 0 at padding.
        """
        return energies_and_gradient(self.potential, neighborhood)

    def _long_range(self, batch):
        """Atomic energies, forces and virial of the terms of the potential that are not local; None if all are."""
        terms = terms_with(self.potential, LongRange)
        if not terms:
            return None
        if "waves" not in batch:
            raise ValueError(
                f"The potential has a part of long range and needs `waves` in the batch. Received {sorted(batch)}. Make the data "
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

    def _like_this(self, potential):
        return ForceField(potential, dtype=self.dtype_policy)

    def compile(self, *args, **kwargs):
        """`keras.Model.compile`, with a look at the names of the outputs: Keras pairs wrong ones silently.

        Raises:
            ValueError: If `loss`, `loss_weights` or `metrics` name an output that does not exist.
        """
        for option in ("loss", "loss_weights", "metrics"):
            named = kwargs.get(option)
            if unknown := sorted(set(named) - set(OUTPUTS)) if isinstance(named, dict) else []:
                raise ValueError(f"The model has the outputs {list(OUTPUTS)}. Received {option} for {unknown}.")
        super().compile(*args, **kwargs)

    def compile_from_config(self, config):
        # Keras leaves models with a `compile` of their own uncompiled when it loads them.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def save(self, filepath, overwrite=True, **kwargs):
        """Write a `.keras` file, whole or not at all."""
        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"{filepath} exists, and overwrite is False.")
        with replace_when_complete(filepath) as part:
            super().save(part, **kwargs)

    def get_config(self):
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "format": FORMAT,
            "potential": keras.saving.serialize_keras_object(self.potential),
            "extrapolation": keras.saving.serialize_keras_object(self.extrapolation),
            "frozen": [index for index, weight in enumerate(self.weights) if not weight.trainable],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        version = config.pop("format", 1)
        if version > FORMAT:
            raise ValueError(
                f"The model has format {version}, and this version of keras_ff reads up to {FORMAT}. Update keras_ff to read it."
            )
        for name in ("potential", "extrapolation"):
            config[name] = keras.saving.deserialize_keras_object(config.get(name), custom_objects=custom_objects)
        return cls(**config)


def forces(gradient, neighbors):
    """Forces from the derivatives of the energy by the vectors to the neighbors.

    Args:
        gradient: `(structures, atoms, neighbors, 3)`, in eV/Å; 0 at padding.
        neighbors: int `(structures, atoms, neighbors)`, -1 is padding.

    Returns:
        `(structures, atoms, 3)`, in eV/Å.
    """
    shape = ops.shape(gradient)
    pulls = ops.segment_sum(
        ops.reshape(gradient, (-1, 3)), ops.reshape(flat_indices(neighbors), (-1,)), num_segments=shape[0] * shape[1]
    )
    return ops.sum(gradient, axis=2) - ops.reshape(pulls, (shape[0], shape[1], 3))


def virial(vectors, gradient):
    """Derivatives of the energy by strain from the same, sum R (x) dE/dR, `(structures, 3, 3)` in eV."""
    return ops.einsum("saki,sakj->sij", vectors, gradient)


def stress(virial, cell):
    """Stress `(structures, 6)` in eV/Å³, ASE's sign and order; NaN without three lattice vectors."""
    virial = 0.5 * (virial + ops.swapaxes(virial, 1, 2))
    volume = ops.abs(determinant(cell))
    periodic = volume > 0
    full = virial / ops.where(periodic, volume, 1.0)[:, None, None]
    voigt = ops.stack([full[:, 0, 0], full[:, 1, 1], full[:, 2, 2], full[:, 1, 2], full[:, 0, 2], full[:, 0, 1]], axis=-1)
    return ops.where(periodic[:, None], voigt, np.nan)
