"""What a law found."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LawResult:
    """Outcome of one law.

    Attributes:
        name: The law, in a few words.
        deviation: The worst deviation, in units of `tolerance`; NaN if a number was not finite.
        tolerance: The largest deviation that passes.
        detail: Where the worst deviation is and how large, in physical units.
    """

    name: str
    deviation: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self):
        # A NaN is never below the tolerance.
        return bool(self.deviation <= self.tolerance)

    def __str__(self):
        verdict = "holds" if self.passed else "fails"
        return f"The law '{self.name}' {verdict}: deviation {self.deviation:.2g}, tolerance {self.tolerance:.2g}. {self.detail}"


# Quantities below these sizes are compared as if they had them; and their units.
SCALES = {
    "energy": (1.0, "eV"),
    "forces": (1.0, "eV/Å"),
    "stress": (0.01, "eV/Å³"),
    "force derivative": (1.0, "eV/Å²"),
    "parameter gradient": (1.0, ""),
    "output": (1e-3, ""),
    "derivative": (1e-3, ""),
}


class Worst:
    """Keeps the worst of many comparisons.

    A difference counts relative to the largest expected number of its array, or to
    the scale of its quantity if that is larger.
    """

    def __init__(self, detail="All compared numbers are equal."):
        self.deviation, self.detail = 0.0, detail

    def compare(self, quantity, found, expected, where=""):
        """Compare arrays of the same shape, of a quantity in `SCALES`; `where` is a text, or a function of the index."""
        found, expected = np.asarray(found, dtype="float64"), np.asarray(expected, dtype="float64")
        smallest, unit = SCALES[quantity]
        difference = np.atleast_1d(np.abs(found - expected))
        if not difference.size:
            return
        scale = max(smallest, float(np.abs(expected).max(initial=0.0, where=np.isfinite(expected))))
        bad = np.where(np.isfinite(difference), difference, np.inf)
        index = np.unravel_index(int(bad.argmax()), difference.shape)
        deviation = float(bad[index]) / scale
        if not (deviation > self.deviation):
            return
        self.deviation = deviation if np.isfinite(deviation) else np.nan
        place = where(index) if callable(where) else where
        self.detail = (
            f"{quantity[0].upper()}{quantity[1:]}{place}: {np.atleast_1d(found)[index]:.8g} {unit} against "
            f"{np.atleast_1d(expected)[index]:.8g} {unit}".rstrip()
            + f", a difference of {difference[index]:.1e} {unit}".rstrip()
            + "."
        )
        if np.isnan(self.deviation):
            # Nothing is worse.
            self.compare = lambda *args, **kwargs: None

    def result(self, name, tolerance):
        return LawResult(name, self.deviation, tolerance, self.detail)


def require(results):
    """Raise an AssertionError that names every law that fails; otherwise return the results."""
    failed = [str(result) for result in results if not result.passed]
    if failed:
        raise AssertionError("\n".join(failed))
    return results
