"""The model of a committee: means over its members, and how much they disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_ff.losses import LabelLoss
from keras_ff.models import calibration
from keras_ff.models.force_field import OUTPUTS, ForceField
from keras_ff.models.mapping import mapped
from keras_ff.potentials.with_members import members_of

if TYPE_CHECKING:
    from keras_ff.data.dataset import Dataset
    from keras_ff.geometry import Neighborhood
    from keras_ff.potentials.base import Potential

SPREADS = ("energy_std", "energy_per_atom_std", "forces_std", "stress_std")

# Outputs that have a learned variance.
WITH_VARIANCE = ("energy", "energy_per_atom", "forces")


@keras.saving.register_keras_serializable("keras_ff")
class Ensemble(ForceField):
    """Force field of a committee, with the standard deviations between its members as uncertainties.

    Its energy, forces and stress are those of `ForceField(potential)`, the means over the members. Further outputs are the standard
    deviations of the members (with members - 1 in the denominator),

    * `energy_std` `(structures, 1)` in eV, and `energy_per_atom_std`,
    * `forces_std` `(structures, atoms, 1)` in eV/Å, the root of the mean of the variances of the three components: it does not
      depend on the orientation, and compares with the error of a component,
    * `stress_std` `(structures, 6)` in eV/Å³.

    A potential with `learned_noise` makes a deep ensemble: the variances that its members expect of their own errors, on average
    over the members, are added to those between them.

    `fit` trains each member on its own loss as it would be trained alone, all in one step. Metrics and `evaluate` are about the
    means. The reported loss of training is the mean of those of the members.

    Args:
        potential: A `Potential` with `members`, two or more.
        bootstrap: Seed of random samples of the structures, one for each member, which then learns from its own sample; see
            `keras_ff.data.bootstrap`. With None all learn from all structures, and differ by their initial weights.
        kwargs: Further arguments of `ForceField`.

    Attributes:
        calibration: Dict from names of outputs to `Scaling` or `Isotonic`, see `calibrate`.

    Raises:
        ValueError: If the potential has no members, or a single one.

    Example:
        >>> import keras_ff as kff
        >>> ensemble = kff.Ensemble(kff.potentials.NeuralIL(["Si"], n_max=2, members=10))
        >>> ensemble.members
        10

    Reference:
        Lakshminarayanan, Pritzel and Blundell, Adv. Neural Inf. Process. Syst. 30, 6402 (2017), for deep ensembles.
    """

    def __init__(self, potential: Potential, bootstrap: int | None = None, **kwargs):
        if (members_of(potential) or 0) < 2:
            raise ValueError(
                f"An ensemble needs a potential with two or more members, such as NeuralIL(species, members=10). Received "
                f"{type(potential).__name__} with members={members_of(potential)}."
            )
        super().__init__(potential, **kwargs)
        self.bootstrap = bootstrap
        self.calibration = {}

    @property
    def members(self) -> int:
        """Number of members of the committee."""
        return self.potential.members

    def call(self, batch, training=False):
        """Compute the outputs of a batch, with the standard deviations between the members; see the class."""
        outputs = (self.atomic_at_once if training else self.atomic)(batch)
        names = (*OUTPUTS, *SPREADS, *(["members"] if training else []))
        return {name: outputs[name] for name in names}

    def _atomic(self, batch, evaluate):
        """Dict of the outputs of `ForceField.atomic`, the spreads, and `members`: a dict of the outputs of each member.

        The first axis of these holds all structures of the first member, then all of the second, and so on.
        """
        neighborhood, far = self.neighborhood(batch), self._long_range(batch)
        rows = neighborhood.arrays
        energies, gradients, *variances = evaluate(self.member_rows, neighborhood, self.potential)
        means = self._summed(batch, rows[0], ops.mean(energies, axis=1), ops.mean(gradients, axis=1), far)
        copies = {name: self._copies(batch[name]) for name in ("species", "neighbors", "cell")}
        energies = ops.swapaxes(energies, 0, 1)
        each = self._summed(
            copies,
            self._copies(ops.reshape(rows[0], (*ops.shape(batch["neighbors"]), 3))),
            energies,
            ops.swapaxes(gradients, 0, 1),
            None if far is None else [self._copies(x) for x in far],
        )
        # The variance is that of the energies without reference energies, which would cost digits.
        learned = ops.sum(ops.reshape(energies, (self.members, *ops.shape(batch["species"]))), axis=2)
        energy, forces = _variance(learned)[:, None], _variance(self._by_member(each["forces"]))
        forces = ops.mean(forces, axis=-1, keepdims=True)
        count = ops.maximum(ops.sum(ops.cast(batch["species"] >= 0, energy.dtype), axis=1, keepdims=True), 1.0)
        members = {name: each[name] for name in OUTPUTS}
        if variances:
            noise = ops.reshape(ops.transpose(variances[0], (1, 0, 2)), (*ops.shape(copies["species"]), 2))
            of_energy, of_forces = ops.sum(noise[..., 0], axis=1, keepdims=True), noise[..., 1:]
            energy = energy + ops.mean(self._by_member(of_energy), axis=0)
            forces = forces + ops.mean(self._by_member(of_forces), axis=0)
            each_count = self._copies(count)
            of_members = {"energy": of_energy, "energy_per_atom": of_energy / each_count**2, "forces": of_forces}
            members |= {name: ops.concatenate([members[name], value], axis=-1) for name, value in of_members.items()}
        return {
            **means,
            "energy_std": _root(energy),
            "energy_per_atom_std": _root(energy) / count,
            "forces_std": _root(forces),
            "stress_std": _root(_variance(self._by_member(each["stress"]))),
            "members": members,
        }

    def member_rows(self, neighborhood: Neighborhood):
        """Compute energies and derivatives of each member, and the variances that members learn.

        Args:
            neighborhood: The `Neighborhood` of any number of atoms.

        Returns:
            Tuple of atomic energies `(atoms, members)` in eV and derivatives with respect to the vectors
            `(atoms, members, neighbors, 3)` in eV/Å. With `learned_noise` the variances of energies in eV² and force components in
            (eV/Å)², `(atoms, members, 2)`, are third.
        """
        rows = [ops.swapaxes(x, 0, 1) for x in self.potential.member_gradients(neighborhood)]
        if self.potential.learned_noise:
            variances = ops.swapaxes(self.potential.member_variances(neighborhood), 0, 1)
            rows.append(ops.where(neighborhood.is_atom[:, None, None], variances, 0.0))
        return tuple(rows)

    def energies_std(self, neighborhood: Neighborhood):
        """Compute the standard deviations of the atomic energies over the members.

        Args:
            neighborhood: The `Neighborhood` of any number of atoms.

        Returns:
            Tensor `(atoms,)` in eV, 0 at padding; a function of the neighbors of each atom alone.
        """
        return _root(ops.where(neighborhood.is_atom, _variance(self.potential.member_energies(neighborhood)), 0.0))

    def _copies(self, x):
        """Copies of an array `(structures, ...)` for each member, `(members * structures, ...)`."""
        return ops.tile(x, (self.members, *[1] * (len(x.shape) - 1)))

    def _by_member(self, x):
        """An array `(members * structures, ...)` in the shape `(members, structures, ...)`."""
        return ops.reshape(x, (self.members, -1, *x.shape[1:]))

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """Compile the model; see `ForceField.compile`.

        Args:
            optimizer: Keras optimizer or its name.
            loss: Loss, or dict from names of outputs to losses.
            args: Further positional arguments of `ForceField.compile`.
            kwargs: Further arguments of `ForceField.compile`.

        Raises:
            ValueError: If a loss takes variances and the potential learns none, or the other way round.
        """
        for name, one in (loss if isinstance(loss, dict) else dict.fromkeys(OUTPUTS, loss)).items():
            taken = isinstance(one, LabelLoss) and one.takes_variance
            if one is not None and taken != (self.potential.learned_noise and name in WITH_VARIANCE):
                raise ValueError(
                    f"Outputs with learned variances need a loss that takes these, GaussianNLL; others need another loss. Received "
                    f"{type(one).__name__} for {name}, and learned_noise={self.potential.learned_noise}."
                )
        super().compile(optimizer, loss, *args, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Compute the loss: that of the means, or in training the mean of those of the members, with the gradient of their sum.

        Args:
            x: Batch, a dict of arrays.
            y: Labels, a dict of arrays.
            y_pred: Outputs of the model.
            sample_weight: Weights of the structures, or None.
            training: Whether the loss is that of a training step.
        """
        if not training:
            predicted = _labelled(y_pred)
            if self.potential.learned_noise:
                squares = {name: y_pred[f"{name}_std"] ** 2 for name in WITH_VARIANCE}
                predicted |= {name: ops.concatenate([y_pred[name], square], axis=-1) for name, square in squares.items()}
            return super().compute_loss(x, y, predicted, sample_weight, training)
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
        """Update the metrics with the means over the members, as `keras.Model` does for other models."""
        return super().compute_metrics(x, y, _labelled(y_pred), sample_weight)

    def spread_and_error(self, dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Compute the spreads of the members and the errors of their means for all labels of a data set.

            spread, error = ensemble.spread_and_error(data)["forces"]
            kff.models.miscalibration(spread, error)

        Args:
            dataset: `keras_ff.data.Dataset`.

        Returns:
            Dict from "energy_per_atom", "forces" and "stress", as far as there are labels, to `(spreads, errors)`, flat arrays;
            "forces of Si" and the like are those of one element. The error of the forces on an atom is the root of the mean of the
            squares of its three components.
        """

        def rows(batch, labels):
            outputs, names = self(batch), ("energy_per_atom", "stress", "forces")
            return {
                "species": batch["species"],
                **{name: outputs[f"{name}_std"] for name in names},
                **{f"error of {name}": outputs[name] - labels[name] for name in names},
            }

        per_atom = ("species", "forces", "error of forces")
        results = {name: ([], []) for name in ("energy_per_atom", "stress", "forces", *self._forces_of())}
        for _, row in mapped(self, rows, dataset, per_atom, "spread and error"):
            row["error of forces"] = np.sqrt(np.mean(row["error of forces"] ** 2, axis=-1, keepdims=True))
            for name, (spreads, errors) in results.items():
                quantity, _, element = name.partition(" of ")
                error = row[f"error of {quantity}"]
                known = np.isfinite(error)
                if element:
                    known &= row["species"][:, None] == self.species.index(element)
                spreads.append(row[quantity][known])
                errors.append(error[known])
        results = {name: tuple(np.concatenate(rows).astype("float64") for rows in pair) for name, pair in results.items()}
        return {name: pair for name, pair in results.items() if len(pair[0])}

    def _forces_of(self):
        return [f"forces of {symbol}" for symbol in self.species]

    def calibrate(self, dataset: Dataset, kind: type = calibration.Isotonic) -> None:
        """Fit which errors to expect at which spread to a validation set; the result is saved with the model.

        Forces are calibrated for each element, as their errors differ, also by noise of the labels.

            ensemble.calibrate(validation_data)
            expected = ensemble.calibrated("energy_per_atom", outputs["energy_per_atom_std"])

        Args:
            dataset: `keras_ff.data.Dataset` of structures that the model was not trained on.
            kind: `Scaling` or `Isotonic`; the latter needs a few hundred labels.

        Raises:
            ValueError: If the data set has no labels.
        """
        if not any(dataset.labels_found.values()):
            raise ValueError(f"Nothing to calibrate on: the data set has no labels. {dataset.report()}")
        pairs = self.spread_and_error(dataset)
        self.calibration = {name: kind.fit(*pair) for name, pair in pairs.items() if name != "forces"}

    def calibrated(self, name: str, spread, species=None) -> np.ndarray:
        """Return the errors to expect at spreads, after `calibrate`.

        Args:
            name: "energy_per_atom", "stress", "forces", or "forces of Si" and the like.
            spread: Spreads of this output, such as `outputs["forces_std"]`, of any shape.
            species: For "forces" the elements of the atoms, int, with as many values as the spread; -1 is padding.

        Returns:
            Array in the shape of the spread, in its unit.

        Raises:
            ValueError: If this output was not calibrated, or not for an element among `species`.
        """
        if name == "forces":
            spread = np.asarray(spread)
            kinds = np.reshape(species, spread.shape)
            expected = np.zeros_like(spread)
            for element in np.unique(kinds[kinds >= 0]):
                expected[kinds == element] = self.calibrated(f"forces of {self.species[element]}", spread[kinds == element])
            return expected
        if name not in self.calibration:
            raise ValueError(
                f"The {name} are not calibrated; calibrated are {sorted(self.calibration)}. Call "
                "ensemble.calibrate(validation_data) first, with labels for them."
            )
        return self.calibration[name](spread)

    def get_config(self) -> dict:
        """Return the arguments of the constructor and the calibration, from which Keras makes it anew."""
        return {**super().get_config(), "bootstrap": self.bootstrap, "calibration": calibration.to_config(self.calibration)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the model from what `get_config` returned."""
        config = dict(config)
        known = calibration.from_config(config.pop("calibration", {}))
        model = super().from_config(config, custom_objects)
        model.calibration = known
        return model


def _labelled(outputs):
    return {name: outputs[name] for name in OUTPUTS}


def _variance(members):
    """Variance along the first axis, that of the members."""
    deviations = members - ops.mean(members, axis=0, keepdims=True)
    return ops.sum(deviations * deviations, axis=0) / (members.shape[0] - 1)


def _root(variance):
    """Square root with the slope 0 at 0."""
    positive = variance > 0
    root = ops.sqrt(ops.where(positive, variance, 1.0))
    return ops.where(ops.isnan(variance), np.nan, ops.where(positive, root, 0.0))
