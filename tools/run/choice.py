"""Which model of a run is delivered: the one at the end of the schedule, or the one with the lowest validation loss."""

import dataclasses
import math

import numpy as np

from keras_ff_tools.run.evaluation import Predictions

# Structures are drawn with replacement so often, to learn what the choice of the validation set does to a difference.
DRAWS = 2000

# The lower loss has to be right in this fraction of the draws, and among so many structures at least.
SURE, FEWEST = 0.95, 6

NAMES = {"energy": ("energies", 1e3, "meV/atom"), "forces": ("forces", 1e3, "meV/Å")}


@dataclasses.dataclass
class Choice:
    """What was chosen, and why.

    Attributes:
        last: Whether the model at the end of the schedule is delivered.
        sentence: The reason, with the errors of both on the validation set.
    """

    last: bool
    sentence: str


def choose(lowest: Predictions, last: Predictions, epoch: int, epochs: int) -> Choice:
    """Choose between two models of a run by their errors on the validation set.

    A loss that is looked at after every epoch is lowest where a small validation set is flattered by chance. The learning rate of
    the last epochs is small, and the weights there are those that the whole schedule led to. So the last model is delivered,
    unless the other one has the lower errors of energies and forces, each relative to its size, also on validation sets that are
    drawn from this one with replacement.

    Args:
        lowest: Predictions of the model with the lowest validation loss, for the structures of the validation set.
        last: Those of the last model.
        epoch: Number of the epoch with the lowest loss, from 1.
        epochs: Number of the last epoch.

    Returns:
        `Choice`.
    """
    errors = {kind: [_errors(one, kind) for one in (lowest, last)] for kind in NAMES}
    errors = {kind: pair for kind, pair in errors.items() if np.isfinite(pair[0]).any()}
    count = len(lowest.structures)
    sure = 0.0
    if count >= FEWEST and errors:
        draws = np.random.default_rng(0).integers(count, size=(DRAWS, count))
        ratios = sum(np.log(_means(one[draws])) - np.log(_means(other[draws])) for one, other in errors.values())
        sure = float(np.mean(ratios < 0))
    told = [
        f"{name} {factor * _means(one):.3g} and {factor * _means(other):.3g} {unit}"
        for kind, (one, other) in errors.items()
        for name, factor, unit in [NAMES[kind]]
    ]
    both = f"Errors on the validation set of epoch {epoch}, which has the lowest loss, and of the last epoch, {epochs}: "
    both += ", ".join(told) + "."
    if sure >= SURE:
        why = "relative to those of the last epoch, its errors, taken together, are lower beyond doubt"
        return Choice(False, f"Delivered is the model of epoch {epoch}: {why}. {both}")
    return Choice(True, f"Delivered is the model of the last epoch, {epochs}, at the end of the schedule. {both}")


def _errors(predictions, kind):
    """Mean absolute error of each structure; NaN without a label."""
    pairs = zip(predictions.predicted[kind], predictions.reference[kind])
    return np.array([float(np.mean(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in pairs])


def _means(errors):
    """Means along the last axis of the errors that exist, never 0; 1 where none does."""
    known = np.isfinite(errors)
    sums = np.where(known, errors, 0.0).sum(axis=-1)
    means = np.where(known.any(axis=-1), sums / np.maximum(known.sum(axis=-1), 1), 1.0)
    return np.maximum(means, math.ulp(1.0))
