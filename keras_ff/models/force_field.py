"""The Keras model: atomic energies summed, and their derivatives."""

import os

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.files import replace_when_complete
from keras_ff.geometry import Neighborhood, determinant, flat_indices, pair_vectors
from keras_ff.layers.base import common_dtype
from keras_ff.models.data_model import DataModel
from keras_ff.models.statistics import Summary, features_of
from keras_ff.potentials.base import Potential
from keras_ff.potentials.spline_domains import spline_domains
from keras_ff.potentials.sum import Sum

OUTPUTS = ("energy", "energy_per_atom", "forces", "stress")

# Of the configuration in a model file. Raise it when older code cannot read newer files. 2: networks know their `members`, models
# what is frozen.
FORMAT = 2

# Atoms whose intermediate results are kept at the same time where no training needs all of them.
CHUNK = 512

# Numbers of an intermediate result, likewise: with hundreds of neighbors, or pairs of them, fewer atoms fill the cache.
PAIRS = 32_768


@keras.saving.register_keras_serializable("keras_ff")
class ForceField(DataModel):
    """Energy, forces and stress of structures from a potential.

    Args:
        potential: A `keras_ff.potentials.Potential`, whose dtype the model has.
        extrapolation: What `keras_ff.models.learn_extrapolation` knows of the training set.
        frozen: Places among `weights` of those that are not trained. Set `trainable = False` of weights and layers instead; this is
            how a file knows.

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
        self._own = [weight.trainable for weight in self.weights]
        for place in frozen:
            self.weights[place].trainable = False

    @property
    def species(self):
        return self.potential.species

    @property
    def cutoff(self):
        return self.potential.cutoff

    @property
    def wave_cutoff(self):
        return self.potential.wave_cutoff

    def call(self, batch, training=False):
        outputs = self.atomic(batch, training)
        return {name: outputs[name] for name in OUTPUTS}

    def atomic(self, batch, training=False):
        """What `call` returns, `energies` `(structures, atoms)` in eV, and `virial` `(structures, 3, 3)`, dE / dstrain in eV."""
        rows = self.pairs(batch)
        found = self.energies_and_gradient(*rows) if training else self._in_chunks(self.energies_and_gradient, rows)
        return self._summed(batch, rows[0], *found, self._long_range(batch) if self.wave_cutoff > 0 else None)

    def _summed(self, batch, vectors, energies, gradient, far=None):
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
        """Energy of each structure, `(structures,)` in eV, to be differentiated by anything in the batch."""
        vectors, is_neighbor, center, others = self.pairs(batch)
        neighborhood = Neighborhood(vectors, is_neighbor, center, others, self.cutoff)
        energies = self.potential(neighborhood) + ops.take(self.reference_energies, neighborhood.center_species, axis=0)
        energies = ops.reshape(ops.where(neighborhood.is_atom, energies, 0.0), ops.shape(batch["species"]))
        if self.wave_cutoff > 0:
            energies = energies + self.potential.long_range(batch["positions"], batch["species"], batch["cell"], batch["waves"])
        return ops.sum(energies, axis=1)

    def pairs(self, batch):
        """The batch as flat rows of neighbors: the arguments of `energies_and_gradient`."""
        neighbors = batch["neighbors"]
        count = ops.shape(neighbors)[2]
        vectors = pair_vectors(batch["positions"], batch["cell"], neighbors, batch["shifts"])
        center = ops.reshape(batch["species"], (-1,))
        others = ops.take(center, flat_indices(neighbors), axis=0)
        return (
            ops.reshape(vectors, (-1, count, 3)),
            ops.reshape(neighbors, (-1, count)) >= 0,
            center,
            ops.reshape(others, (-1, count)),
        )

    def energies_and_gradient(self, vectors, is_neighbor, center_species, neighbor_species):
        """Atomic energies and their derivatives by the vectors to the neighbors.

        Args:
            vectors: `(atoms, neighbors, 3)`, in Å.
            is_neighbor: Boolean `(atoms, neighbors)`.
            center_species: int `(atoms,)`, -1 at padding.
            neighbor_species: int `(atoms, neighbors)`.

        Returns:
            Tuple of atomic energies `(atoms,)` in eV, without reference energies, and
            the gradient of their sum `(atoms, neighbors, 3)` in eV/Å.
        """
        return self.potential.energies_and_gradient(
            vectors, lambda vectors: Neighborhood(vectors, is_neighbor, center_species, neighbor_species, self.cutoff)
        )

    def _in_chunks(self, function, rows):
        """A function of rows of atoms, of a bounded number of atoms at a time, so that memory does not limit the system."""
        atoms, neighbors = rows[0].shape[:2]
        # Second derivatives of a small system do not go through the loop: TensorFlow does not compile all of them.
        if atoms is None or atoms <= 2 * min(CHUNK, max(1, PAIRS // (neighbors or 1))):
            return function(*rows)
        chunk = min(CHUNK, max(1, PAIRS // (self.potential.intermediates(neighbors or 0) or 1)))
        count = -(-atoms // chunk)
        chunks = [
            ops.reshape(
                ops.pad(row, [(0, count * chunk - atoms)] + [(0, 0)] * (row.ndim - 1), constant_values=fill),
                (count, chunk, *row.shape[1:]),
            )
            for row, fill in zip(rows, (0.0, False, -1, 0))
        ]
        _, results = backend.scan(lambda carry, chunk: (carry, function(*chunk)), ops.zeros((), self.compute_dtype), chunks)
        return tuple(ops.reshape(x, (-1, *x.shape[2:]))[:atoms] for x in results)

    def _long_range(self, batch):
        """Atomic energies, forces and virial of the part of the potential that is not local."""
        if "waves" not in batch:
            raise ValueError(
                f"The potential has a part of long range and needs `waves` in the batch. Received {sorted(batch)}. Make the data "
                "set with this model: Dataset(structures, model)."
            )

        def total(geometry):
            positions, cell = geometry
            energies = self.potential.long_range(positions, batch["species"], cell, batch["waves"])
            return ops.sum(energies), energies

        geometry = (batch["positions"], batch["cell"])
        (_, energies), gradients = backend.value_and_grad(total, has_aux=True)(geometry)
        # Strain moves the atoms and the cell vectors alike.
        strain = sum(ops.einsum("sai,saj->sij", x, gradient) for x, gradient in zip(geometry, gradients))
        return energies, -gradients[0], strain

    def adapt(self, dataset, samples=20_000):
        """Set reference energies, scales and descriptor statistics from data, before training.

        Reference energies of the species are fitted by least squares to the energies
        that fixed terms of the potential (a repulsion, say) leave over, unless no
        term adapts: a classical potential keeps its own zero.

        Args:
            dataset: `keras_ff.data.Dataset` with energies or forces.
            samples: Number of atoms whose descriptors are looked at.

        Raises:
            ValueError: If the data set has neither energies nor forces.

        Warns:
            If data lie outside the knots of splines, see `spline_domains`.
        """
        spline_domains(self, dataset)
        learned = self.described_terms()
        if not learned:
            return
        if not (dataset.labels_found["energy"] or dataset.labels_found["forces"]):
            raise ValueError(f"Nothing to adapt to: the data set has neither energies nor forces. {dataset.report()}")
        fixed = [term for term in self.potential.terms() if term not in learned]
        summary = Summary(ForceField(Sum(fixed)) if fixed else None, len(self.species))
        features = features_of(self, learned)
        gathered, kinds = [[] for _ in learned], []
        seen = 0
        for index in np.random.default_rng(0).permutation(len(dataset)):
            batch, labels = dataset[index]
            summary.add(batch, labels)
            if seen < samples:
                species = batch["species"].reshape(-1)
                is_atom = species >= 0
                seen += int(is_atom.sum())
                kinds.append(species[is_atom])
                for rows, values in zip(gathered, features(batch)):
                    rows.append(np.asarray(values)[is_atom])
        if summary.energies:
            self.reference_energies.assign(summary.reference_energies(self.species))
        for term, rows in zip(learned, gathered):
            term.adapt(np.concatenate(rows).astype("float64"), np.concatenate(kinds), summary.force_scales())

    def describe(self, dataset):
        """What the terms of the potential with descriptors see of each atom, side by side.

        Args:
            dataset: `keras_ff.data.Dataset`.

        Returns:
            List of arrays `(atoms, features)`, one for each structure in the order of the structures.

        Raises:
            ValueError: If no term has descriptors.
        """
        learned = self.described_terms()
        if not learned:
            kinds = [type(term).__name__ for term in self.potential.terms()]
            raise ValueError(f"{kinds} have no descriptors. Describe with NeuralIL, SplineNetwork or ElementNetworks.")
        features = features_of(self, learned)
        found = [None] * len(dataset.structures)
        for number in range(len(dataset)):
            batch, _ = dataset[number]
            rows = np.concatenate([ops.convert_to_numpy(values) for values in features(batch)], axis=-1)
            rows = rows.reshape(*batch["species"].shape, -1)
            for place, index in enumerate(dataset.members(number)):
                if index >= 0:
                    found[index] = rows[place][batch["species"][place] >= 0]
        return found

    def with_species(self, twins):
        """A copy that knows more elements, to be fine-tuned on them; energies of the elements it knows stay the same.

        A new element starts as the twin of one that is there: its energies and forces are those of a structure in which the twin
        stands in its place. Then set its reference energy with `fit_reference_energies`, and not with `adapt`, which
        would take the statistics away that the network was trained with:

            model = load("silicon.keras").with_species({"Ge": "Si"})
            data = Dataset(germanium, model)
            model.fit_reference_energies(data)
            model.compile(...)
            model.fit(data)

        Args:
            twins: Dict from new chemical symbols to those of the model.

        Raises:
            ValueError: If a new symbol is known already, or a twin is not.
            NotImplementedError: If the potential, or a part of it, takes no elements.
        """
        if not twins or set(twins) & set(self.species) or set(twins.values()) - set(self.species):
            raise ValueError(f"Name elements that are new and their twins of {self.species}. Received {twins}.")
        copy = ForceField(self.potential.with_species(twins), dtype=self.dtype_policy)
        known = dict(zip(self.species, ops.convert_to_numpy(self.reference_energies)))
        copy.reference_energies.assign(np.array([known[twins.get(symbol, symbol)] for symbol in copy.species]))
        return copy

    def described_terms(self):
        """The terms of the potential that have descriptors."""
        return [term for term in self.potential.terms() if type(term).describe is not Potential.describe]

    def fit_reference_energies(self, dataset):
        """Move the energies of the species by least squares to what the potential, as it is, leaves of the energies.

        `adapt` leaves the zero of a classical potential alone; this moves it to that of the data. Species that the data does not
        have keep their energies.

        Raises:
            ValueError: If the data set has no energies.

        Warns:
            If data lie outside the knots of splines, see `spline_domains`.
        """
        spline_domains(self, dataset)
        dataset.require_labels("energy")
        summary = Summary(self, len(self.species))
        for index in range(len(dataset)):
            summary.add(*dataset[index])
        self.reference_energies.assign_add(summary.reference_energies(self.species))

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
            "frozen": [place for place, (own, weight) in enumerate(zip(self._own, self.weights)) if own and not weight.trainable],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
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
