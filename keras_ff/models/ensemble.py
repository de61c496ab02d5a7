"""A committee as a model: means over its members, and how much they disagree."""

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood
from keras_ff.models.force_field import OUTPUTS, ForceField

SPREADS = ("energy_std", "energy_per_atom_std", "forces_std", "stress_std")


@keras.saving.register_keras_serializable("keras_ff")
class Ensemble(ForceField):
    """Force field of a committee, which knows how much its members disagree.

        ensemble = Ensemble(NeuralIL(["Si"], members=10))

    Its energy, forces and stress are those of `ForceField(potential)`, the means over the members. Beside them stand the standard
    deviations of the members (with members - 1 in the denominator),

    * `energy_std` `(structures, 1)` in eV, and `energy_per_atom_std`,
    * `forces_std` `(structures, atoms, 1)` in eV/Å, the root of the mean of the variances of the three components: it does not
      depend on the orientation, and compares with the error of a component,
    * `stress_std` `(structures, 6)` in eV/Å³.

    `fit` trains each member on its own loss as it would be trained alone, all in one step. Metrics and `evaluate` are about the
    means. The reported loss of training is the mean of those of the members.

    Args:
        potential: A `Potential` with `members`, two or more.
        bootstrap: Seed of samples of the structures, one for each member, which then learns from those of its own; see
            `keras_ff.data.bootstrap`. With None all learn from all structures, and differ by their initial weights.

    Raises:
        ValueError: If the potential has no members, or a single one.
    """

    def __init__(self, potential, bootstrap=None, **kwargs):
        if potential.members is None or potential.members < 2:
            raise ValueError(
                f"An ensemble needs a potential with two or more members, such as NeuralIL(species, members=10). Received "
                f"{type(potential).__name__} with members={potential.members}."
            )
        super().__init__(potential, **kwargs)
        self.bootstrap = bootstrap

    @property
    def members(self):
        return self.potential.members

    def call(self, batch, training=False):
        outputs = self.atomic(batch, training)
        names = (*OUTPUTS, *SPREADS, *(["members"] if training else []))
        return {name: outputs[name] for name in names}

    def atomic(self, batch, training=False):
        """What `ForceField.atomic` returns, the spreads, and `members`: a dict of the outputs of each member.

        The first axis of these holds all structures of the first member, then all of the second, and so on.
        """
        rows = self.pairs(batch)
        far = self._long_range(batch) if self.wave_cutoff > 0 else None
        energies, gradients = self.member_rows(*rows) if training else self._in_chunks(self.member_rows, rows)
        means = self._summed(batch, rows[0], backend.mean(energies, axis=1), backend.mean(gradients, axis=1), far)
        copies = {name: self._copies(batch[name]) for name in ("species", "neighbors", "cell")}
        each = self._summed(
            copies,
            self._copies(ops.reshape(rows[0], (*ops.shape(batch["neighbors"]), 3))),
            ops.swapaxes(energies, 0, 1),
            ops.swapaxes(gradients, 0, 1),
            None if far is None else [self._copies(x) for x in far],
        )
        # Of the energies without reference energies, which would cost digits.
        learned = ops.sum(ops.reshape(ops.swapaxes(energies, 0, 1), (self.members, *ops.shape(batch["species"]))), axis=2)
        energy = _standard_deviation(learned)[:, None]
        count = ops.maximum(ops.sum(ops.cast(batch["species"] >= 0, energy.dtype), axis=1, keepdims=True), 1.0)
        variance = backend.mean(_variance(self._by_member(each["forces"])), axis=-1, keepdims=True)
        return {
            **means,
            "energy_std": energy,
            "energy_per_atom_std": energy / count,
            "forces_std": _root(variance),
            "stress_std": _standard_deviation(self._by_member(each["stress"])),
            "members": {name: each[name] for name in OUTPUTS},
        }

    def member_rows(self, vectors, is_neighbor, center_species, neighbor_species):
        """`energies_and_gradient` of each member: energies `(atoms, members)`, gradients `(atoms, members, neighbors, 3)`."""

        def surroundings(vectors):
            return Neighborhood(vectors, is_neighbor, center_species, neighbor_species, self.cutoff)

        return tuple(ops.swapaxes(x, 0, 1) for x in self.potential.member_gradients(vectors, surroundings))

    def _copies(self, x):
        """An array `(structures, ...)` once for each member, `(members * structures, ...)`."""
        return ops.tile(x, (self.members, *[1] * (len(x.shape) - 1)))

    def _by_member(self, x):
        """`(members * structures, ...)` as `(members, structures, ...)`."""
        return ops.reshape(x, (self.members, -1, *x.shape[1:]))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of the means; in training the mean of the losses of the members, with the gradient of their sum."""
        if not training:
            return super().compute_loss(x, y, _labelled(y_pred), sample_weight, training)
        labels = {name: self._copies(value) for name, value in y.items()}
        loss = super().compute_loss(x, labels, y_pred["members"], self._sample_weights(x, sample_weight), training)
        return loss + (self.members - 1) * (loss - ops.stop_gradient(loss))

    def _sample_weights(self, batch, sample_weight):
        """Weights of the structures for each member, `(members * structures,)`, or None."""
        counts = None
        if self.bootstrap is not None:
            if "counts" not in batch:
                raise ValueError(
                    f"The ensemble has bootstrap={self.bootstrap} and needs `counts` in the batch. Received {sorted(batch)}. Make "
                    "the data set with this model: Dataset(structures, model)."
                )
            counts = ops.reshape(ops.swapaxes(batch["counts"], 0, 1), (-1,))
        if sample_weight is None:
            return counts
        if isinstance(sample_weight, dict):
            return {name: self._sample_weights(batch, weight) for name, weight in sample_weight.items()}
        weights = self._copies(ops.convert_to_tensor(sample_weight))
        return weights if counts is None else weights * ops.reshape(counts, (-1, *[1] * (len(weights.shape) - 1)))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, _labelled(y_pred), sample_weight)

    def get_config(self):
        return {**super().get_config(), "bootstrap": self.bootstrap}


def _labelled(outputs):
    return {name: outputs[name] for name in OUTPUTS}


def _variance(members):
    """Along the first axis."""
    deviations = members - backend.mean(members, axis=0, keepdims=True)
    return ops.sum(deviations * deviations, axis=0) / (members.shape[0] - 1)


def _root(variance):
    """Square root with the slope 0 at 0."""
    positive = variance > 0
    root = ops.sqrt(ops.where(positive, variance, 1.0))
    return ops.where(ops.isnan(variance), np.nan, ops.where(positive, root, 0.0))


def _standard_deviation(members):
    return _root(_variance(members))
