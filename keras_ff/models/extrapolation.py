"""Grades of extrapolation: how far the environments of atoms are from those of the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.base import Layer
from keras_ff.models.mapping import mapped
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.with_splines import WithSplines

if TYPE_CHECKING:
    from collections.abc import Callable

    from keras_ff.data.dataset import Dataset
    from keras_ff.models.force_field import ForceField

# The statistics are those of about so many atoms, drawn from the training set.
SAMPLES = 50_000

# Principal components with less than this fraction of the largest variance are noise and do not count.
SMALLEST_VARIANCE = 1e-5


@keras.saving.register_keras_serializable("keras_ff")
class Extrapolation(Layer):
    """Layer of the distances of descriptors from those of a training set, with thresholds for them.

    The distance of an atom is Mahalanobis' distance divided by the square root of the number of components: its descriptors minus
    their mean over the training set, in principal components for its element, in units of their standard deviations. For the
    training set its mean square is 1. On silicon it tells hot, compressed and surface structures from others as well as the
    distance to the nearest of 1000 training environments does, at a cost that does not grow with the training set.

    Args:
        features: Number of descriptors of an atom.
        n_species: Number of elements.
        kwargs: Arguments of Keras layers.

    Attributes:
        thresholds: Weight `(2,)`: thresholds of the distance, and of the spread of the forces of an ensemble in eV/Å.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> extrapolation = kff.models.Extrapolation(features=1, n_species=1)
        >>> extrapolation.fit(np.array([[1.0], [3.0]]), np.array([0, 0]))
        >>> np.array(extrapolation(np.array([[2.0], [7.0]], "float32"), np.array([0, 0]))).tolist()
        [0.0, 5.0]

    Reference:
        Mahalanobis, Proc. Natl. Inst. Sci. India 2, 49 (1936).
    """

    def __init__(self, features: int, n_species: int, **kwargs):
        super().__init__(**kwargs)
        self.features, self.n_species = int(features), int(n_species)
        self.mean = self.add_weight(name="mean", shape=(n_species, features), initializer="zeros", trainable=False)
        shape = (n_species, features, features)
        self.whitening = self.add_weight(name="whitening", shape=shape, initializer="zeros", trainable=False)
        self.thresholds = self.add_weight(name="thresholds", shape=(2,), initializer="ones", trainable=False)
        self.built = True

    def fit(self, features: np.ndarray, species: np.ndarray) -> None:
        """Set mean and principal components from the descriptors of a training set.

        Args:
            features: `(atoms, features)`.
            species: int `(atoms,)`.
        """
        mean, whitening = np.zeros(self.mean.shape), np.zeros(self.whitening.shape)
        for element in np.unique(species):
            rows = features[species == element].astype("float64")
            mean[element] = rows.mean(axis=0)
            units = rows.std(axis=0)
            units = np.where(units > 0, units, 1.0)
            variances, components = np.linalg.eigh(np.atleast_2d(np.cov((rows - mean[element]) / units, rowvar=False, bias=True)))
            kept = variances > SMALLEST_VARIANCE * max(variances[-1], 1e-300)
            scale = np.where(kept, 1.0 / np.sqrt(np.where(kept, variances, 1.0) * max(kept.sum(), 1)), 0.0)
            whitening[element] = components * scale / units[:, None]
        self.mean.assign(mean)
        self.whitening.assign(whitening)

    def call(self, features, species):
        """Compute the distances of atoms.

        Args:
            features: Descriptors `(atoms, features)`.
            species: int `(atoms,)`.

        Returns:
            Tensor `(atoms,)`.
        """
        total = 0.0
        for element in range(self.n_species):
            components = ops.matmul(features - self.mean[element], self.whitening[element])
            total = total + ops.where(species == element, ops.sum(components * components, axis=-1), 0.0)
        return ops.sqrt(total)

    def get_config(self) -> dict:
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "features": self.features, "n_species": self.n_species}


def learn_extrapolation(model: ForceField, dataset: Dataset, quantile: float = 0.99) -> None:
    """Give a model the statistics of its training set from which `extrapolation_grades` follow; they are saved with it.

    A threshold is a quantile over the structures of the set of the largest value among their atoms; of descriptors, over structures
    with about 50,000 atoms that are drawn from it.

        model.fit(data)
        kff.models.learn_extrapolation(model, data)
        model.save("silicon.keras")

    Args:
        model: `ForceField` with descriptors, or `Ensemble` of such, after its training.
        dataset: `keras_ff.data.Dataset` that the model was trained on.
        quantile: Fraction of the structures of the training set that lies below the thresholds.

    Raises:
        ValueError: If the model has no descriptors, or the quantile is not above 0 and at most 1.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"The quantile is above 0 and at most 1. Received quantile={quantile}.")
    sampled = _sampled(model, dataset)
    rows, species = (np.concatenate(arrays) for arrays in zip(*sampled, strict=True))
    if model.extrapolation is None:
        model.extrapolation = Extrapolation(rows.shape[1], len(model.species), dtype=model.dtype_policy)
    # In place where there is one: Keras would keep the weights of the old one in the model.
    known = model.extrapolation
    known.fit(rows, species)
    ends = np.cumsum([len(kinds) for _, kinds in sampled])[:-1]
    distances = np.split(ops.convert_to_numpy(known(ops.convert_to_tensor(rows, model.compute_dtype), species)), ends)
    thresholds = [np.quantile([one.max() for one in distances], quantile), 1.0]
    if model.members:

        def largest(batch, labels):
            return {"spread": ops.max(model(batch)["forces_std"][..., 0], axis=1)}

        thresholds[1] = np.quantile([row["spread"] for _, row in mapped(model, largest, dataset, (), "extrapolation")], quantile)
    known.thresholds.assign(np.maximum(thresholds, 1e-12))


def _sampled(model, dataset):
    """Descriptors `(atoms, features)` and species `(atoms,)` of each structure in batches that are drawn from a data set."""
    learned = terms_with(model.potential, Learned)
    if not learned:
        raise ValueError("The model has no descriptors, so that it cannot tell how far structures are from those it knows.")
    sampled, seen = [], 0
    for _, atoms in model._features(learned, dataset, np.random.default_rng(0).permutation(len(dataset))):
        features = np.concatenate([atoms[f"term {index}"] for index in range(len(learned))], axis=-1)
        sampled.append((features, atoms["species"]))
        seen += len(features)
        if seen >= SAMPLES:
            break
    return sampled


def extrapolation_grades(model: ForceField) -> Callable:
    """Compiled function that grades the atoms of a batch: at an atom with a grade above 1 the model extrapolates.

        grades = kff.models.extrapolation_grades(model)
        batch, _ = data[0]
        grades(batch)["distance"] > 1

    Args:
        model: `ForceField` after `learn_extrapolation`.

    Returns:
        Function from a batch to a dict of grades `(structures, atoms)`, 0 at padding: `distance` of the descriptors and, for an
        `Ensemble`, `spread` of the forces, both divided by their thresholds; and for a potential with splines `splines`, 0 if all
        arguments are within the knots, or else 1 plus how far one is outside, in distances between knots.

    Raises:
        ValueError: If the model has no thresholds.
    """
    _known(model)
    return backend.jit(lambda batch: grades(model, batch), layer=model)


def _known(model):
    if model.extrapolation is None:
        raise ValueError("The model knows nothing of its training set. Call learn_extrapolation(model, training_data) first.")
    return model.extrapolation


def grades(model: ForceField, batch: dict) -> dict:
    """Grades of the atoms of a batch, the function that `extrapolation_grades` compiles.

    Args:
        model: `ForceField` after `learn_extrapolation`.
        batch: Dict of arrays as `keras_ff.data.Dataset` makes it.

    Raises:
        ValueError: If the model has no thresholds.
    """
    known = _known(model)
    learned, with_splines = (terms_with(model.potential, role) for role in (Learned, WithSplines))
    neighborhood = model.neighborhood(batch)
    features = ops.concatenate([term.describe(neighborhood.within(term.cutoff)) for term in learned], axis=-1)
    results = {"distance": known(features, neighborhood.center_species) / known.thresholds[0]}
    if with_splines:
        results["splines"] = _outside(with_splines, neighborhood)
    results = {name: ops.where(neighborhood.is_atom, values, 0.0) for name, values in results.items()}
    results = {name: ops.reshape(values, ops.shape(batch["species"])) for name, values in results.items()}
    if model.members:
        results["spread"] = model(batch)["forces_std"][..., 0] / known.thresholds[1]
    return results


def _outside(terms, neighborhood):
    """How far arguments of splines are outside the knots, plus 1, `(atoms,)`; 0 if all are within."""
    worst = ops.zeros_like(neighborhood.squared_distances[:, 0])
    for term in terms:
        for spline, x, exists in term.spline_arguments(neighborhood.within(term.cutoff)).values():
            far = ops.maximum(spline.first - x, x - spline.last) / spline.spacing
            # A rounding error beyond the last knot is nothing.
            far = ops.where(ops.logical_and(exists, far > 1e-5), 1.0 + far, 0.0)
            worst = ops.maximum(worst, ops.max(ops.reshape(far, (ops.shape(far)[0], -1)), axis=1))
    return worst
