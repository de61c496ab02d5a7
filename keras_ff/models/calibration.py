"""From the disagreement of a committee to the error that may be expected."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Expected errors are the spreads times one factor."""

    factor: float

    @classmethod
    def fit(cls, spread, error):
        """With the factor for which the mean of the squares of both is the same."""
        return cls(float(np.sqrt(np.mean(error**2) / np.mean(spread**2))))

    def __call__(self, spread):
        return self.factor * np.asarray(spread)


@dataclasses.dataclass(frozen=True)
class Isotonic:
    """Expected errors are a function of the spread that never falls, straight lines between points.

    Attributes:
        spreads: Places of the points; beyond the first and the last the errors are in proportion to the spread.
        errors: Their values.

    Reference:
        Kuleshov, Fenner and Ermon, Proc. Mach. Learn. Res. 80, 2796 (2018), for isotonic recalibration.
    """

    spreads: tuple
    errors: tuple

    @classmethod
    def fit(cls, spread, error, bins=50):
        """By isotonic regression of the squared errors, of bins of equal counts."""
        predicted, found = reliability(spread, error, bins)
        # Pool adjacent violators: neighbors that fall are replaced by their mean.
        blocks = []
        for place, square in zip(predicted**2, found**2):
            blocks.append([place, square, 1])
            while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
                *last, n = blocks.pop()
                *previous, m = blocks.pop()
                blocks.append([*((m * a + n * b) / (m + n) for a, b in zip(previous, last)), m + n])
        places, squares, _ = np.transpose(blocks)
        return cls(tuple(np.sqrt(places).tolist()), tuple(np.sqrt(squares).tolist()))

    def __call__(self, spread):
        spread = np.asarray(spread)
        inside = np.clip(spread, self.spreads[0], self.spreads[-1])
        return np.interp(inside, self.spreads, self.errors) * np.where(inside > 0, spread / np.where(inside > 0, inside, 1.0), 1.0)


KINDS = {kind.__name__: kind for kind in (Scaling, Isotonic)}


def to_config(calibration):
    return {name: {"kind": type(one).__name__, **dataclasses.asdict(one)} for name, one in calibration.items()}


def from_config(config):
    found = {}
    for name, values in config.items():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        found[name] = KINDS[values.pop("kind")](**values)
    return found


def reliability(spread, error, bins=10):
    """Predicted and true errors of values that are alike in their spread: the points of a reliability diagram.

    Args:
        spread: Predicted standard deviations, of any shape.
        error: Errors, in the same shape.
        bins: Number of bins, of equal counts; fewer if there are fewer values.

    Returns:
        Tuple of the root mean squares of the spread and of the error in each bin, `(bins,)`.

    Raises:
        ValueError: If the shapes differ, or there is no value.
    """
    spread, error = np.ravel(spread), np.ravel(error)
    if spread.shape != error.shape or not len(spread):
        raise ValueError(f"Each spread needs an error. Received {len(spread)} spreads and {len(error)} errors.")
    groups = np.array_split(np.argsort(spread, kind="stable"), min(bins, len(spread)))
    return tuple(np.array([np.sqrt(np.mean(values[group] ** 2)) for group in groups]) for values in (spread, error))


def miscalibration(spread, error, bins=10):
    """Mean relative deviation of true from predicted errors over the bins of `reliability`; 0 is perfect.

    Reference:
        Levi et al., Sensors 22, 5540 (2022), eq. 8 (expected normalized calibration error).
    """
    predicted, found = reliability(spread, error, bins)
    return float(np.mean(np.abs(predicted - found) / predicted))


def correlation(spread, error):
    """Pearson correlation of spreads with the sizes of the errors."""
    return float(np.corrcoef(np.ravel(spread), np.abs(np.ravel(error)))[0, 1])
