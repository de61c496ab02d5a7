"""Training, validation and test set of a run."""

import numpy as np

import keras_ff as kff
from keras_ff.data.cache import CachedStructures
from keras_ff.data.filters import selected
from keras_ff.data.outliers import outlier_weights
from keras_ff.data.reference import is_isolated
from keras_ff.data.weights import multiplied, shortened, types_of
from keras_ff_tools.run.doubts import CHECKED, print_doubts
from keras_ff_tools.run.files import several
from keras_ff_tools.run.settings import Settings

Structures = list | CachedStructures

# Seconds that the programs of one shape of batches, for training and validation, take to compile, and seconds of a training step
# for each pair of atoms in its arrays, padding included: NeuralIL on two cores.
COMPILATION, PAIR = 20.0, 1.2e-6

# A training that has the time for more epochs than these, of few structures, gains nothing by more shapes.
MOST_EPOCHS = 500


class RunData:
    """Structures of a run, read from the files of its settings.

    Args:
        settings: Settings.

    Attributes:
        train: Structures of the training set, without those set aside.
        valid: Structures of the validation set, or None.
        test: Structures of the test set, or None.
        replayed: Those of the old data, which are in the training set, and in the validation set if that is set aside.
        replay: A sentence about them, "" without any.

    Raises:
        ValueError: If the files cannot be used.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.train = self._without_outliers(self._weighed(self._checked("training", settings.train)))
        self.valid = None
        if settings.valid:
            self.valid = self._weighed(self._checked("validation", settings.valid), strict=False)
        elif settings.valid_fraction:
            self.train, self.valid = split(self.train, settings.valid_fraction, settings.seed)
        self.replayed, self.replay = [], ""
        if settings.replay:
            self._mix_in(self._weighed(self._checked("replayed", settings.replay), strict=False))
        self.test = self._checked("test", settings.test) if settings.test else None

    def _mix_in(self, old):
        """Put old structures into the training set, and the same fraction as of the new ones into the validation set."""
        settings, new, aside = self.settings, len(self.train), []
        self.replayed = list(old)
        if not settings.valid and settings.valid_fraction and len(old) > 1:
            old, aside = split(self.replayed, settings.valid_fraction, settings.seed)
            self.valid = [*self.valid, *aside]
        self.train = [*self.train, *old]
        self.replay = (
            f"{several(len(self.replayed), 'structure')} of the old data: {len(old)} in the training set beside "
            f"{several(new, 'new one')}, {len(aside)} in the validation set."
        )

    def _checked(self, name, sources):
        """Structures of a set, after the doubts about them are printed."""
        structures = self._read(sources)
        print_doubts(
            [structures[index] for index in range(min(len(structures), CHECKED))], len(structures), self.settings.force, name
        )
        return structures

    def _read(self, sources):
        sources = list(sources)
        if any(source.endswith(".h5") for source in sources):
            if len(sources) > 1:
                raise ValueError(
                    f"A cache (.h5) is a whole set of its own and cannot be joined with other files. Received {sources}."
                )
            if given := [name for name, value in self.settings.reading.items() if value and name != "skip_bad"]:
                options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
                raise ValueError(
                    f"The labels of a cache (.h5) were chosen when it was written. Received {options} with {sources[0]}."
                )
            return CachedStructures(sources[0])
        return kff.data.read(sources, **self.settings.reading)

    def _weighed(self, structures, strict=True):
        """Structures with the weights of their types; `strict` raises an error for types that no structure has."""
        factors, types = self.settings.config_type_weights, set(types_of(structures))
        if factors and not strict:
            factors = {name: factor for name, factor in factors.items() if name in types}
        return kff.data.weigh_types(structures, factors) if factors else structures

    def _without_outliers(self, structures):
        """Structures of which those far from all others have smaller weights, if the settings say so."""
        if self.settings.outliers == "keep":
            return structures
        weights = outlier_weights(structures)
        less = np.flatnonzero(weights < 1)
        which = f": {shortened(less.tolist())}, down to a weight of {weights.min():.2g}" if len(less) else ""
        print(f"outliers    {several(len(less), 'structure')} weighted down{which}")
        return multiplied(structures, weights) if len(less) else structures

    def batches(self, model: kff.ForceField) -> tuple[kff.data.Dataset, kff.data.Dataset | None]:
        """Training and validation set as batches for a model.

        The test set is looked at too, so that bad data is known before the training.

        Raises:
            ValueError: If a structure is broken or has elements that the model does not know, or no structure of the training set
                has a label that the loss asks for.
        """
        most = self.settings.max_shapes
        train = self._dataset(self.train, model, "training", most)
        epochs = self.settings.epochs or affordable_epochs(train, self.settings.minutes)
        train, valid = in_good_shapes(train, most, epochs), None
        if self.valid is not None:
            valid = in_good_shapes(self._dataset(self.valid, model, "validation", most, shuffle=False), len(train.shapes), epochs)
        if self.test is not None:
            self._dataset(self.test, model, "test", 1, shuffle=False)
        for kind, weight in self.settings.weights.items():
            if weight:
                try:
                    train.require_labels(kind)
                except ValueError as error:
                    raise ValueError(f"{error} (On the command line: --{kind}-weight 0.)") from error
        return train, valid

    def _dataset(self, structures, model, name, max_shapes, shuffle=True):
        settings = self.settings
        try:
            return kff.data.Dataset(
                structures, model, settings.batch_size, shuffle, settings.seed, max_shapes, dtype=model.compute_dtype
            )
        except ValueError as error:
            raise ValueError(f"In the {name} set: {error}") from error

    @property
    def species(self) -> list[str]:
        """Chemical symbols of the training set, in alphabetical order."""
        return species_of(self.train)


def counted(structures: Structures) -> dict[str, int]:
    """Numbers of structures, and of those with a label "energy", "forces" and "stress"."""
    labels = [kff.data.labels(atoms) for atoms in structures]
    kinds = ("energy", "forces", "stress")
    return {"structures": len(labels), **{kind: sum(bool(np.isfinite(one[kind]).any()) for one in labels) for kind in kinds}}


def affordable_epochs(data: kff.data.Dataset, minutes: float) -> int:
    """About how many epochs a training in one shape has time for, `MOST_EPOCHS` at most.

    Args:
        data: The training set.
        minutes: Wall time of the run.
    """
    seconds = 60 * minutes - COMPILATION
    return min(max(int(seconds / (PAIR * _padded_pairs(data.in_shapes(1)))), 1), MOST_EPOCHS)


def in_good_shapes(data: kff.data.Dataset, most: int, epochs: int = 1) -> kff.data.Dataset:
    """The data set in as many shapes as take the least time: one more pads less, and takes a compilation.

    Args:
        data: The data set.
        most: Highest number of shapes.
        epochs: How often it is gone through.
    """
    choices = [data.in_shapes(count) for count in range(1, most + 1)]
    return min(choices, key=lambda one: COMPILATION * len(one.shapes) + PAIR * epochs * _padded_pairs(one))


def _padded_pairs(data):
    """Number of pairs in the arrays of all batches, padding included."""
    return data.batch_size * sum(count * a * k for count, (a, k) in zip(data.buckets.counts, data.buckets.shapes))


def split(structures: Structures, fraction: float, seed: int) -> list[Structures]:
    """Training and validation set, each of one structure at least; isolated atoms are in the training set.

    Args:
        structures: Two or more structures.
        fraction: Fraction of the validation set.
        seed: Seed of the choice.

    Raises:
        ValueError: If there is a single structure.
    """
    if len(structures) < 2:
        raise ValueError(
            f"{len(structures)} structure is too few to set some aside for validation. Add data, name validation files with "
            "--valid, or train without any with --valid-fraction 0."
        )
    sizes = _sizes(structures)
    alone = [index for index in np.flatnonzero(sizes == 1).tolist() if is_isolated(structures[index])]
    others = np.setdiff1d(np.arange(len(structures)), alone)
    if len(others) < 2 or not alone:
        alone, others = [], np.arange(len(structures))
    fraction = min(max(fraction, 1 / len(others)), 1 - 1 / len(others))
    parts = kff.data.split(others.tolist(), (1 - fraction, fraction), seed)
    return [selected(structures, sorted(part)) for part in ([*parts[0], *alone], parts[1])]


def _sizes(structures):
    """Numbers of atoms, of a cache without reading it."""
    if isinstance(structures, CachedStructures):
        return structures.survey()["n_atoms"]
    return np.array([len(atoms) for atoms in structures])


def species_of(structures: Structures) -> list[str]:
    """Chemical symbols of structures, in alphabetical order."""
    return sorted({symbol for atoms in structures for symbol in set(atoms.symbols)})
