"""Least-squares fit of weights on which a model depends linearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.models.domains import spline_domains
from keras_ff.models.own_data import check_data
from keras_ff.stateless import with_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.data.dataset import Dataset
    from keras_ff.models.force_field import ForceField

# Number of columns of the matrix of least squares that are computed together.
COLUMNS = 8

# The predictions may deviate from linearity by this fraction of the change of the fit, a rounding error of float32.
NONLINEAR = 1e-2


def fit_linear(
    model: ForceField,
    dataset: Dataset,
    weights: Sequence,
    energy_error: float = 0.01,
    forces_error: float = 0.1,
    ridge: float = 1e-8,
    verbose: int = 1,
) -> None:
    """Fit weights on which energies and forces depend linearly, and the reference energies, by least squares.

    Minimizes the mean of (energy per atom / energy_error)² plus the mean of (forces / forces_error)² of the differences to the
    labels, in which weights of structures and labels count, plus the regularizers of the weights, which have to be
    quadratic. The result is a good start for `fit`:

        phi = PairSpline(["Si"], cutoff=6.0)
        network = SplineNetwork(["Si"], units=())   # linear embedding
        model = ForceField(Sum([network, phi]))
        model.adapt(data)
        fit_linear(model, data, [phi.phi.values, network.network.linear.kernel])

    Each number in the weights costs about the time of energies and forces of the data set. A few dozen structures of all kinds are
    enough: they have thousands of forces.

    Args:
        model: `ForceField`.
        dataset: `keras_ff.data.Dataset` with energies or forces.
        weights: List of weights of the model, such as the values at the knots of pair splines, or the last layer of a network.
        energy_error: Error of the energy in eV/atom that counts as much as `forces_error`.
        forces_error: Error of a force component in eV/Å that counts as much as `energy_error`.
        ridge: Penalty for changes of a weight, relative to the curvature of the data. Weights without influence stay as they are.
        verbose: 0 shows no progress.

    Raises:
        ValueError: If the data set was made for another model or has neither energies nor forces, or the model is not linear in
            the weights, which then keep their values.

    Warns:
        UserWarning: If data lie outside the knots of splines, see `spline_domains`.
    """
    check_data(model, dataset)
    if not (dataset.labels_found["energy"] or dataset.labels_found["forces"]):
        raise ValueError(f"Nothing to fit to: the data set has neither energies nor forces. {dataset.report()}")
    spline_domains(model, dataset)
    columns = _Columns(model, [*weights, model.reference_energies], (energy_error, forces_error))
    matrix, right = columns.penalty()
    counts, squares, products = [0, 0], [0.0, 0.0], [0.0, 0.0]
    for index in tqdm(range(len(dataset)), "least squares", disable=not verbose, leave=False):
        for kind, (J, residuals) in enumerate(columns.rows(*dataset[index])):
            counts[kind] += len(residuals)
            squares[kind] += J.T @ J
            products[kind] += J.T @ residuals
    for count, square, product in zip(counts, squares, products):
        matrix, right = matrix + square / max(count, 1), right + product / max(count, 1)
    columns.move(_solution(matrix, right, ridge), dataset[0])


class _Columns:
    """Derivatives of weighted energies and forces with respect to weights on which they depend linearly."""

    def __init__(self, model, weights, errors):
        self.model, self.weights, self.errors = model, weights, errors
        indices = {id(weight): index for index, weight in enumerate(model.weights)}
        if missing := [weight.path for weight in weights if id(weight) not in indices]:
            raise ValueError(f"The model has no weights {missing}.")
        self.indices = [indices[id(weight)] for weight in weights]
        ends = np.cumsum([0, *(int(np.prod(weight.shape)) for weight in weights)])
        self.slices = [slice(*ends) for ends in zip(ends[:-1], ends[1:])]
        self.size = int(ends[-1])
        self._function = backend.jit(self._outputs)

    def _outputs(self, values, changes, batch):
        """Energies per atom and forces with each of the changes added to the weights, `(changes, ...)`."""

        def changed(change):
            new = list(values)
            for index, own in zip(self.indices, self.slices):
                new[index] = values[index] + ops.reshape(change[own], values[index].shape)
            outputs = with_weights(self.model, new, self.model, batch)
            return outputs["energy_per_atom"], outputs["forces"]

        return backend.vmap(changed)(changes)

    def _evaluate(self, changes, batch):
        outputs = self._function([weight.value for weight in self.model.weights], changes.astype(self.model.compute_dtype), batch)
        return [ops.convert_to_numpy(x).astype("float64").reshape(len(changes), -1) for x in outputs]

    def rows(self, batch, labels, weights=None):
        """Return, for energies and for forces, derivatives `(rows, weights)` and labels minus predictions `(rows,)`."""
        pairs = self._labelled(np.concatenate([np.zeros((1, self.size)), np.eye(self.size)]), batch, labels, weights)
        return [((values[1:] - values[0]).T, label - values[0]) for values, label in pairs]

    def rest(self, batch, labels, weights=None):
        """Return, for energies and for forces, labels minus predictions `(rows,)`."""
        return [label - values[0] for values, label in self._labelled(np.zeros((1, self.size)), batch, labels, weights)]

    def _labelled(self, changes, batch, labels, weights):
        """For energies and for forces in units of their errors, times the root of their weights: `(changes, rows)` and labels."""
        count = len(changes)
        changes = np.pad(changes, ((0, -count % COLUMNS), (0, 0)))
        outputs = [self._evaluate(changes[i : i + COLUMNS], batch) for i in range(0, len(changes), COLUMNS)]
        pairs = []
        for values, name, error in zip(zip(*outputs), ("energy_per_atom", "forces"), self.errors):
            values = np.concatenate(values)[:count] / error
            label = np.asarray(labels[name], "float64").reshape(-1) / error
            is_atom = np.repeat((batch["species"] >= 0).reshape(-1), 3) if name == "forces" else True
            known = np.isfinite(label) & is_atom
            root = (
                1.0 if weights is None else np.sqrt(np.repeat(weights[name].reshape(-1), len(label) // len(weights[name]))[known])
            )
            pairs.append((values[:, known] * root, label[known] * root))
        return pairs

    def move(self, change, example):
        """Add a change to the weights, and check with an example that the model depends on them linearly.

        Args:
            change: Change of the numbers in the weights, `(size,)`.
            example: Batch and labels.

        Raises:
            ValueError: If the predictions differ from those of the derivatives; the weights then keep their values.
        """
        before = [ops.convert_to_numpy(weight) for weight in self.weights]
        predicted = [(residuals, residuals - J @ change) for J, residuals in self.rows(*example) if len(residuals)]
        self.add(change)
        after = [residuals for residuals in self.rest(*example) if len(residuals)]
        for (start, expected), residuals in zip(predicted, after):
            miss, moved = (np.sqrt(np.mean((x - expected) ** 2)) for x in (residuals, start))
            if miss > NONLINEAR * moved + 1e-3:
                for weight, value in zip(self.weights, before):
                    weight.assign(value)
                raise ValueError(
                    f"Energies and forces are not linear in the weights {[weight.path for weight in self.weights[:-1]]}: least "
                    f"squares is off by {miss:.2g} of the errors that count. Give weights of a linear embedding (units=()), of "
                    "pair splines, or of the last layer of a network, and not of two layers that multiply."
                )

    def penalty(self):
        """Return half of the second derivatives of the regularizers, `(size, size)`, and minus half of the first, `(size,)`."""
        matrix, right = np.zeros((self.size, self.size)), np.zeros(self.size)
        for weight, own in zip(self.weights, self.slices):
            if weight.regularizer is not None:
                derivative = backend.jit(backend.grad(lambda x, weight=weight: weight.regularizer(ops.reshape(x, weight.shape))))
                now = ops.convert_to_numpy(weight).reshape(-1)
                at_start = ops.convert_to_numpy(derivative(now))
                rows = [now + row for row in np.eye(len(now), dtype=now.dtype)]
                matrix[own, own] = [0.5 * (ops.convert_to_numpy(derivative(row)) - at_start) for row in rows]
                right[own] = -0.5 * at_start
        return matrix, right

    def add(self, change):
        """Add a change `(numbers in the weights,)` to the weights."""
        for weight, own in zip(self.weights, self.slices):
            weight.assign(ops.convert_to_numpy(weight) + change[own].reshape(weight.shape))


def _solution(matrix, right, ridge):
    """Solution of the normal equations, scaled to a unit diagonal; 0 for weights without influence."""
    diagonal = np.diag(matrix)
    known = diagonal > 1e-14 * max(diagonal.max(), 1e-300)
    scale = np.sqrt(diagonal[known])
    scaled = matrix[np.ix_(known, known)] / scale[:, None] / scale + ridge * np.eye(int(known.sum()))
    change = np.zeros(len(right))
    change[known] = np.linalg.lstsq(scaled, right[known] / scale, rcond=None)[0] / scale
    return change
