"""Derivatives of energies, forces and stresses with respect to weights on which they depend linearly."""

from __future__ import annotations

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.stateless import with_weights

# Number of columns of the matrix of least squares that are computed together.
COLUMNS = 8

# The predictions may deviate from linearity by this fraction of the change of the fit, a rounding error of float32.
NONLINEAR = 1e-2


class Columns:
    """Derivatives of weighted energies, forces and stresses with respect to weights on which they depend linearly.

    A subclass writes `derivatives` and `outputs`.

    Args:
        model: `ForceField`.
        weights: List of weights.
        errors: Dict from the outputs of the model that count to the errors in their units.
    """

    def __init__(self, model, weights, errors):
        self.model, self.weights, self.errors = model, weights, errors
        ends = np.cumsum([0, *(self.count(weight) for weight in weights)])
        self.slices = [slice(*ends) for ends in zip(ends[:-1], ends[1:])]
        self.size = int(ends[-1])

    def count(self, weight):
        """Number of unknowns of a weight."""
        return int(np.prod(weight.shape))

    def outputs(self, batch):
        """Dict from the names of outputs to their values."""
        raise NotImplementedError

    def derivatives(self, batch):
        """Tuple of what `outputs` returns, and a dict of the derivatives, `(size, ...)` with the axes of the output."""
        raise NotImplementedError

    def curvatures(self, diagonal):
        """Weights of the penalty, from the diagonal of the normal equations: each unknown by its own curvature."""
        return diagonal

    def center(self):
        """Values to which a change is added before it is penalized, `(size,)`: 0 penalizes the change itself."""
        return np.zeros(self.size)

    def rows(self, batch, labels, weights=None):
        """Return for each output derivatives `(rows, size)`, labels minus predictions `(rows,)` and indices of structures."""
        outputs, derivatives = self.derivatives(batch)
        result = {}
        for name, (residuals, known, root, structures) in self.rest(outputs, batch, labels, weights).items():
            flat = np.asarray(derivatives[name], "float64").reshape(self.size, -1)[:, known]
            result[name] = (flat / self.errors[name] * root).T, residuals, structures
        return result

    def rest(self, outputs, batch, labels, weights=None):
        """For each of the outputs labels minus predictions in units of their errors, times the root of their weights, `(rows,)`.

        With these come the mask of the components that are known, the root of their weights, and the indices of structures.
        """
        result = {}
        for name, error in self.errors.items():
            label = np.asarray(labels[name], "float64")
            structures = np.repeat(np.arange(len(label)), label[0].size)
            differences = label - ops.convert_to_numpy(outputs[name]).astype("float64")
            is_atom = np.repeat((batch["species"] >= 0).reshape(-1), 3) if name == "forces" else True
            known = np.isfinite(differences.reshape(-1)) & is_atom
            structures = structures[known]
            root = np.ones(len(structures)) if weights is None else np.sqrt(weights[name].reshape(-1)[structures])
            result[name] = differences.reshape(-1)[known] / error * root, known, root, structures
        return result

    def move(self, change, example):
        """Add a change to the weights, and check with an example that the model depends on them linearly.

        Args:
            change: Change of the unknowns, `(size,)`.
            example: Batch and labels.

        Raises:
            ValueError: If the predictions differ from those of the derivatives; the weights then keep their values.
        """
        before = [ops.convert_to_numpy(weight) for weight in self.weights]
        predicted = {name: (r, r - J @ change) for name, (J, r, _) in self.rows(*example).items() if len(r)}
        self.add(change)
        batch, labels, *weights = example
        after = self.rest(self.outputs(batch), batch, labels, *weights)
        for name, (start, expected) in predicted.items():
            miss, moved = (np.sqrt(np.mean((x - expected) ** 2)) for x in (after[name][0], start))
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
                derivative = _slope(weight)
                now = ops.convert_to_numpy(weight).reshape(-1)
                at_start = ops.convert_to_numpy(derivative(now))
                rows = [now + row for row in np.eye(len(now), dtype=now.dtype)]
                matrix[own, own] = [0.5 * (ops.convert_to_numpy(derivative(row)) - at_start) for row in rows]
                right[own] = -0.5 * at_start
        return matrix, right

    def add(self, change):
        """Add a change `(size,)` to the weights."""
        for weight, own in zip(self.weights, self.slices):
            weight.assign(ops.convert_to_numpy(weight) + change[own].reshape(weight.shape))


def _slope(weight):
    """Compiled derivative of the regularizer of a weight with respect to its numbers in one row."""
    return backend.jit(backend.grad(lambda x: weight.regularizer(ops.reshape(x, weight.shape))))


class WeightColumns(Columns):
    """Derivatives with respect to any weights: differences of the outputs with each number in the weights changed by 1."""

    def __init__(self, model, weights, errors):
        indices = {id(weight): index for index, weight in enumerate(model.weights)}
        if missing := [weight.path for weight in weights if id(weight) not in indices]:
            raise ValueError(f"The model has no weights {missing}.")
        super().__init__(model, [*weights, model.reference_energies], errors)
        self.indices = [indices[id(weight)] for weight in self.weights]
        self._function = backend.jit(self._outputs)

    def _outputs(self, values, changes, batch):
        """Outputs with each of the changes added to the weights, `(changes, ...)`."""

        def changed(change):
            new = list(values)
            for index, own in zip(self.indices, self.slices):
                new[index] = values[index] + ops.reshape(change[own], values[index].shape)
            outputs = with_weights(self.model, new, self.model, batch)
            return {name: outputs[name] for name in self.errors}

        return backend.vmap(changed)(changes)

    def outputs(self, batch):
        """Dict from the names of outputs to their values, from the program of `derivatives`."""
        return {name: values[0] for name, values in self._changed(np.zeros((1, self.size)), batch).items()}

    def derivatives(self, batch):
        """Outputs and their derivatives; see `Columns.derivatives`."""
        values = self._changed(np.concatenate([np.zeros((1, self.size)), np.eye(self.size)]), batch)
        return {name: one[0] for name, one in values.items()}, {name: one[1:] - one[:1] for name, one in values.items()}

    def _changed(self, changes, batch):
        """Outputs with each of the changes `(count, size)`, float64 NumPy arrays `(count, ...)`."""
        padded = np.pad(changes, ((0, -len(changes) % COLUMNS), (0, 0))).astype(self.model.compute_dtype)
        values = [weight.value for weight in self.model.weights]
        parts = [self._function(values, padded[first : first + COLUMNS], batch) for first in range(0, len(padded), COLUMNS)]
        return {
            name: np.concatenate([ops.convert_to_numpy(part[name]).astype("float64") for part in parts])[: len(changes)]
            for name in self.errors
        }
