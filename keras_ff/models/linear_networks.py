"""Derivatives with respect to the linear parts of networks, for their fit by least squares."""

from __future__ import annotations

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.atomic_networks import LinearPlusMLP
from keras_ff.models.force_field import forces, stress, virial
from keras_ff.models.linear_columns import Columns
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.descriptor_network import DescriptorNetwork

# Number of columns that are computed together.
COLUMNS = 64

# The reference energies are hardly penalized.
FREE = 1e-6


class NetworkColumns(Columns):
    """Derivatives with respect to the linear models and the last layers of networks of the class `LinearPlusMLP`.

    Energies and forces are linear combinations of the projected features of the atoms, and of the outputs of their last hidden
    layer. The derivatives of the descriptor with respect to the positions serve for all of these. Reference energies that are
    those of isolated atoms, or were given (`ForceField.references`), stay.

    Args:
        model: `ForceField`.
        errors: Dict from the outputs of the model that count to the errors in their units.

    Raises:
        ValueError: If no network has a linear part.
    """

    def __init__(self, model, errors):
        self.terms = [term for term in terms_with(model.potential, DescriptorNetwork) if isinstance(term.network, LinearPlusMLP)]
        if not self.terms:
            kinds = [type(term).__name__ for term in model.potential.terms()]
            raise ValueError(
                f"{kinds} have no network with a linear part, LinearPlusMLP, as NeuralIL has it by default. Name "
                "the weights that are to be fitted."
            )
        weights = [weight for term in self.terms for weight in term.linear_weights]
        super().__init__(model, [*weights, model.reference_energies], errors)
        sources = (model.references or {}).get("sources", {})
        # Those of free atoms stay.
        self.free = np.array([sources.get(symbol, "fitted") == "fitted" for symbol in model.species], "float64")
        self._predict = backend.jit(lambda batch: {name: model(batch)[name] for name in errors}, layer=model)
        self._functions = [
            backend.jit(lambda batch, chosen, term=term: self._outputs(term, batch, chosen), layer=model) for term in self.terms
        ]

    def count(self, weight):
        """Number of unknowns of a weight: the members of a committee share the change."""
        return int(np.prod(weight.shape[-2:]))

    def curvatures(self, diagonal):
        """Weights of the penalty: the same for all inputs of the networks, whose sizes mean something."""
        energies = self.slices[-1]
        result = np.full(len(diagonal), np.mean(diagonal[: energies.start]))
        result[energies] = FREE * diagonal[energies]
        return result

    def center(self):
        """Values of the weights, of which large ones are penalized."""
        values = [ops.convert_to_numpy(weight).astype("float64") for weight in self.weights]
        values = [np.mean(value.reshape(-1, self.count(weight)), axis=0) for value, weight in zip(values, self.weights)]
        return np.concatenate([*values[:-1], np.zeros(len(values[-1]))])

    def add(self, change):
        """Add a change `(size,)` to the weights, of a committee to those of each member."""
        for weight, own in zip(self.weights, self.slices):
            weight.assign(ops.convert_to_numpy(weight) + change[own].reshape(weight.shape[-2:]))

    def _outputs(self, term, batch, chosen):
        """Derivatives of the outputs with respect to the weights of a term whose places are chosen, `(chosen, ...)`."""
        shape, neighborhood = ops.shape(batch["species"]), self.model.neighborhood(batch).within(term.cutoff)
        values, slopes, pullback = term.linear_columns(neighborhood, chosen)
        gradients = pullback(ops.where(neighborhood.is_atom[:, None], slopes, 0.0))
        values = ops.where(neighborhood.is_atom[:, None], values, 0.0)
        n_atoms = ops.maximum(ops.sum(ops.cast(batch["species"] >= 0, values.dtype), axis=1, keepdims=True), 1.0)
        vectors = ops.reshape(neighborhood.vectors, (*ops.shape(batch["neighbors"]), 3))

        def of_gradient(gradient):
            gradient = ops.reshape(gradient, ops.shape(vectors))
            result = {"forces": forces(gradient, batch["neighbors"])}
            if "stress" in self.errors:
                result["stress"] = stress(virial(vectors, gradient), batch["cell"])
            return result

        energies = ops.sum(ops.reshape(values, (*shape, -1)), axis=1) / n_atoms
        return {"energy_per_atom": ops.swapaxes(energies, 0, 1)[..., None], **backend.vmap(of_gradient)(gradients)}

    def outputs(self, batch):
        """Dict from the names of outputs to their values."""
        return self._predict(batch)

    def derivatives(self, batch):
        """Outputs and their derivatives; see `Columns.derivatives`."""
        parts = []
        for term, function in zip(self.terms, self._functions):
            count = sum(self.count(weight) for weight in term.linear_weights)
            for first in range(0, count, COLUMNS):
                # The last ones are computed once more to keep the shape.
                chosen = np.minimum(np.arange(first, first + COLUMNS), count - 1).astype("int32")
                outputs = function(batch, chosen)
                parts.append({name: ops.convert_to_numpy(outputs[name])[: count - first] for name in self.errors})
        species = np.asarray(batch["species"])
        of_elements = np.stack([np.sum(species == index, axis=1) for index in range(len(self.model.species))])
        of_elements = of_elements * self.free[:, None] / np.maximum(np.sum(species >= 0, axis=1), 1)
        result = {}
        for name in self.errors:
            shape = parts[0][name].shape[1:]
            last = of_elements[..., None] if name == "energy_per_atom" else np.zeros((len(of_elements), *shape))
            result[name] = np.concatenate([*(part[name] for part in parts), last])
        return self.outputs(batch), result
