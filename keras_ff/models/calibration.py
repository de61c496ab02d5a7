"""Calibration of uncertainties: from the spread of a committee to the expected error, and measures of how well it works."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Calibration of uncertainties by one factor: the expected error is the spread times it.

    Attributes:
        factor: The factor.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> scaling = kff.models.Scaling.fit(spread=np.array([0.1, 0.1]), error=np.array([0.3, -0.3]))
        >>> round(scaling.factor, 6), scaling([0.1, 0.2]).round(6).tolist()
        (3.0, [0.3, 0.6])
    """

    factor: float

    @classmethod
    def fit(cls, spread: np.ndarray, error: np.ndarray) -> Scaling:
        """Make the calibration whose expected errors have the same mean square as the errors.

        Args:
            spread: Predicted standard deviations, of any shape.
            error: Errors, in the same shape.
        """
        return cls(float(np.sqrt(np.mean(error**2) / np.mean(spread**2))))

    def __call__(self, spread) -> np.ndarray:
        """Return the expected errors at spreads of any shape, in the same shape."""
        return self.factor * np.asarray(spread)


@dataclasses.dataclass(frozen=True)
class Isotonic:
    """Calibration of uncertainties by isotonic regression: the expected error is a function of the spread that never falls.

    The function is a straight line between points, and proportional to the spread before the first and beyond the last.

    Attributes:
        spreads: Spreads of the points.
        errors: Expected errors at the points.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> isotonic = kff.models.Isotonic.fit(spread=np.array([1.0, 2.0, 3.0]), error=np.array([2.0, 3.0, 7.0]), bins=3)
        >>> isotonic([1.5, 6.0]).tolist()
        [2.5, 14.0]

    Reference:
        Kuleshov, Fenner and Ermon, Proc. Mach. Learn. Res. 80, 2796 (2018), for isotonic recalibration.
    """

    spreads: tuple
    errors: tuple

    @classmethod
    def fit(cls, spread: np.ndarray, error: np.ndarray, bins: int = 50) -> Isotonic:
        """Make the calibration by isotonic regression of the squared errors in bins of equal counts.

        Args:
            spread: Predicted standard deviations, of any shape.
            error: Errors, in the same shape.
            bins: Number of bins; fewer if there are fewer values.
        """
        predicted, true = reliability(spread, error, bins)
        # Pool adjacent violators: neighbors that fall are replaced by their mean.
        blocks = []
        for x, square in zip(predicted**2, true**2):
            blocks.append([x, square, 1])
            while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
                *last, n = blocks.pop()
                *previous, m = blocks.pop()
                blocks.append([*((m * a + n * b) / (m + n) for a, b in zip(previous, last)), m + n])
        x, squares, _ = np.transpose(blocks)
        return cls(tuple(np.sqrt(x).tolist()), tuple(np.sqrt(squares).tolist()))

    def __call__(self, spread) -> np.ndarray:
        """Return the expected errors at spreads of any shape, in the same shape."""
        spread = np.asarray(spread)
        inside = np.clip(spread, self.spreads[0], self.spreads[-1])
        return np.interp(inside, self.spreads, self.errors) * np.where(inside > 0, spread / np.where(inside > 0, inside, 1.0), 1.0)


KINDS = {kind.__name__: kind for kind in (Scaling, Isotonic)}


def to_config(calibration: dict[str, Scaling | Isotonic]) -> dict:
    """Configuration of calibrations for a model file, from a dict from names of outputs to `Scaling` or `Isotonic`."""
    return {name: {"kind": type(one).__name__, **dataclasses.asdict(one)} for name, one in calibration.items()}


def from_config(config: dict) -> dict[str, Scaling | Isotonic]:
    """Calibrations from what `to_config` returned: a dict from names of outputs to `Scaling` or `Isotonic`."""
    calibration = {}
    for name, values in config.items():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        calibration[name] = KINDS[values.pop("kind")](**values)
    return calibration


def reliability(spread: np.ndarray, error: np.ndarray, bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Points of a reliability diagram: predicted and true errors of values with similar spreads.

    Args:
        spread: Predicted standard deviations, of any shape.
        error: Errors, in the same shape.
        bins: Number of bins, of equal counts; fewer if there are fewer values.

    Returns:
        Tuple of the root mean squares of the spread and of the error in each bin, `(bins,)`.

    Raises:
        ValueError: If the shapes differ, or there is no value.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> predicted, true = kff.models.reliability(np.array([1.0, 2.0, 1.0, 2.0]), np.array([1.0, -4.0, -1.0, 4.0]), bins=2)
        >>> predicted.tolist(), true.tolist()
        ([1.0, 2.0], [1.0, 4.0])

    Reference:
        Levi et al., Sensors 22, 5540 (2022).
    """
    spread, error = np.ravel(spread), np.ravel(error)
    if spread.shape != error.shape or not len(spread):
        raise ValueError(f"Each spread needs an error. Received {len(spread)} spreads and {len(error)} errors.")
    groups = np.array_split(np.argsort(spread, kind="stable"), min(bins, len(spread)))
    return tuple(np.array([np.sqrt(np.mean(values[group] ** 2)) for group in groups]) for values in (spread, error))


def miscalibration(spread: np.ndarray, error: np.ndarray, bins: int = 10) -> float:
    """Expected normalized calibration error: mean relative deviation of true from predicted errors; 0 is perfect.

    Args:
        spread: Predicted standard deviations, of any shape.
        error: Errors, in the same shape.
        bins: Number of bins of `reliability` that the mean runs over.

    Raises:
        ValueError: If the shapes differ, or there is no value.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> kff.models.miscalibration(np.array([1.0, 2.0, 1.0, 2.0]), np.array([1.0, -4.0, -1.0, 4.0]), bins=2)
        0.5

    Reference:
        Levi et al., Sensors 22, 5540 (2022), eq. 8.
    """
    predicted, true = reliability(spread, error, bins)
    return float(np.mean(np.abs(predicted - true) / predicted))


def correlation(spread: np.ndarray, error: np.ndarray) -> float:
    """Pearson correlation of spreads with the absolute values of errors, from -1 to 1.

    Args:
        spread: Predicted standard deviations, of any shape.
        error: Errors, in the same shape.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> round(kff.models.correlation(np.array([1.0, 2.0, 3.0]), np.array([0.1, -0.2, 0.3])), 6)
        1.0
    """
    return float(np.corrcoef(np.ravel(spread), np.abs(np.ravel(error)))[0, 1])
