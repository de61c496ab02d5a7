"""Least-squares fit of weights on which a model depends linearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from keras_ff.arguments import whole
from keras_ff.models.domains import spline_domains
from keras_ff.models.linear_columns import WeightColumns
from keras_ff.models.linear_networks import NetworkColumns
from keras_ff.models.own_data import check_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.data.dataset import Dataset
    from keras_ff.models.force_field import ForceField

# Strengths of the penalty to choose from, and the one in place of a choice where there are few structures.
RIDGES, USUAL_RIDGE = 10.0 ** np.arange(-13.0, 0.0), 1e-8

# Every so many-th structure chooses the strength of the penalty, if that leaves so many of them.
HELD_OUT, FEWEST_HELD_OUT = 8, 3


def fit_linear(
    model: ForceField,
    dataset: Dataset,
    weights: Sequence | None = None,
    energy_error: float = 0.01,
    forces_error: float = 0.1,
    ridge: float | None = None,
    stress_error: float | None = None,
    batches: int | None = None,
    verbose: int = 1,
) -> float:
    """Fit weights on which energies and forces depend linearly, and the reference energies, by least squares.

    Minimizes the mean of (energy per atom / energy_error)² plus the mean of (forces / forces_error)² of the differences to the
    labels, and of stresses if they are asked for, in which weights of structures and labels count, plus the regularizers of the
    weights, which have to be quadratic. The result is a good start for `fit`:

        model = ForceField(NeuralIL(["Si"]))
        model.adapt(data)
        fit_linear(model, data)                     # the linear model and the last layer of the network

        phi = PairSpline(["Si"], cutoff=6.0)
        network = SplineNetwork(["Si"], units=())   # linear embedding
        model = ForceField(Sum([network, phi]))
        model.adapt(data)
        fit_linear(model, data, [phi.phi.values, network.network.linear.kernel])

    Without `weights`, those of `LinearPlusMLP` networks are fitted: derivatives of the descriptors are computed once for many
    weights, and a fit takes seconds. Each number in other weights costs about the time of energies and forces of the data set; a
    few dozen structures of all kinds are enough then: they have thousands of forces.

    Args:
        model: `ForceField`.
        dataset: `keras_ff.data.Dataset` with energies or forces.
        weights: List of weights of the model, such as the values at the knots of pair splines, or the last layer of a network; by
            default the linear models and the last layers of all networks of the class `LinearPlusMLP` (of a committee, which
            shares the change, the linear model alone).
        energy_error: Error of the energy in eV/atom that counts as much as `forces_error`.
        forces_error: Error of a force component in eV/Å that counts as much as `energy_error`.
        ridge: Strength of the penalty, relative to the curvature of the data: for changes of `weights`, each by its own curvature,
            or for the weights of networks, all by the same. By default the one with the lowest error on every eighth structure
            after a fit to the others. Weights without influence stay as they are.
        stress_error: Error of a stress component in eV/Å³ that counts as much as `energy_error`; None leaves stresses out.
        batches: Number of batches that are used, evenly spaced over the data set; by default all.
        verbose: 0 shows no progress.

    Returns:
        The strength of the penalty.

    Raises:
        ValueError: If the data set was made for another model or has neither energies nor forces, no network has a linear part,
            or the model is not linear in the weights, which then keep their values.

    Warns:
        UserWarning: If data lie outside the knots of splines, see `spline_domains`.
    """
    check_data(model, dataset)
    if not (dataset.labels_found["energy"] or dataset.labels_found["forces"]):
        raise ValueError(f"Nothing to fit to: the data set has neither energies nor forces. {dataset.report()}")
    spline_domains(model, dataset)
    errors = {"energy_per_atom": energy_error, "forces": forces_error, "stress": stress_error}
    errors = {name: error for name, error in errors.items() if error is not None}
    columns = NetworkColumns(model, errors) if weights is None else WeightColumns(model, weights, errors)
    used, held = ({name: Normal(columns.size) for name in errors} for _ in range(2))
    count = len(dataset) if batches is None else min(whole("batches", batches, 1), len(dataset))
    for index in tqdm(np.arange(count) * len(dataset) // count, "least squares", disable=not verbose, leave=False):
        chosen = np.asarray(dataset.indices(index)) % HELD_OUT == HELD_OUT - 1
        for name, (J, residuals, structures) in columns.rows(*dataset[index]).items():
            held[name].add(J[chosen[structures]], residuals[chosen[structures]])
            used[name].add(J[~chosen[structures]], residuals[~chosen[structures]])
    if ridge is None:
        ridge = USUAL_RIDGE
        if len(dataset.structures) >= HELD_OUT * FEWEST_HELD_OUT:
            changes = Solution(columns, used.values())
            ridge = float(min(RIDGES, key=lambda ridge: sum(part.error(changes(ridge)) for part in held.values())))
    columns.move(Solution(columns, [part + held[name] for name, part in used.items()])(ridge), dataset[0])
    return ridge


class Normal:
    """Normal equations of residuals r = labels - J x: sums of J^T J, J^T r and r², and the number of rows."""

    def __init__(self, size):
        self.count, self.matrix, self.right, self.squares = 0, np.zeros((size, size)), np.zeros(size), 0.0

    def add(self, J, residuals):
        """Add rows: J `(rows, size)` and residuals `(rows,)`."""
        self.count += len(residuals)
        self.matrix += J.T @ J
        self.right += J.T @ residuals
        self.squares += residuals @ residuals

    def __add__(self, other):
        """The normal equations of the rows of both."""
        total = Normal(len(self.right))
        for name in vars(total):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total

    def error(self, x):
        """Mean of the squares of the residuals after the change x."""
        return (self.squares - 2 * x @ self.right + x @ self.matrix @ x) / max(self.count, 1)


class Solution:
    """Function from the strength of the penalty to the change of the weights that solves normal equations, each per row."""

    def __init__(self, columns, parts):
        matrix, right = columns.penalty()
        for part in parts:
            matrix, right = matrix + part.matrix / max(part.count, 1), right + part.right / max(part.count, 1)
        diagonal = np.diag(matrix)
        # Weights without influence stay as they are.
        self.known, self.size = diagonal > 1e-14 * max(diagonal.max(), 1e-300), len(diagonal)
        curvatures = columns.curvatures(diagonal)[self.known]
        self.scale, self.center = np.sqrt(curvatures), columns.center()[self.known]
        self.right = right[self.known] / self.scale
        scaled = matrix[np.ix_(self.known, self.known)] / self.scale[:, None] / self.scale
        self.values, self.vectors = np.linalg.eigh(scaled)

    def __call__(self, ridge):
        """The change `(size,)` for a strength of the penalty."""
        values = np.maximum(self.values, 0.0) + ridge
        right = self.vectors.T @ (self.right - ridge * self.scale * self.center)
        resolved = values > len(values) * np.finfo(float).eps * values.max()
        change = np.zeros(self.size)
        change[self.known] = self.vectors @ np.where(resolved, right / np.where(resolved, values, 1.0), 0.0) / self.scale
        return change
