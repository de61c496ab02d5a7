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
        detail: Which number deviates most, and by how much in physical units.

    Example:
        >>> result = LawResult("rotation", 2e-7, 1e-9, "Energy of atom 0 (Si): 1 eV against 1.0000002 eV.")
        >>> result.passed
        False
        >>> print(result)
        The law 'rotation' fails: deviation 2e-07, tolerance 1e-09. Energy of atom 0 (Si): 1 eV against 1.0000002 eV.
    """

    name: str
    deviation: float
    tolerance: float
    detail: str = ""

    @property
    def passed(self):
        """Whether the law holds. A NaN never passes."""
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
    """The worst of many comparisons.

    A difference counts relative to the largest expected number of its array, or to
    the scale of its quantity if that is larger.

    Args:
        detail: What the result says if nothing deviates.
    """

    def __init__(self, detail="All compared numbers are equal."):
        self.deviation, self.detail = 0.0, detail

    def compare(self, quantity, found, expected, where="", noise=0.0):
        """Compare two arrays of the same shape.

        Args:
            quantity: A key of `SCALES`.
            found: Array that is tested.
            expected: Array that it should equal.
            where: Text that follows the quantity in the detail, or a function from the index of the worst number to it.
            noise: Largest difference that rounding alone explains, in the unit of the quantity; what exceeds it counts. A
                difference quotient, for one, has the rounding errors of its energies divided by its step.
        """
        found, expected = np.asarray(found, dtype="float64"), np.asarray(expected, dtype="float64")
        smallest, unit = SCALES[quantity]
        difference = np.atleast_1d(np.abs(found - expected))
        if not difference.size:
            return
        scale = max(smallest, float(np.abs(expected).max(initial=0.0, where=np.isfinite(expected))))
        bad = np.where(np.isfinite(difference), difference, np.inf)
        index = np.unravel_index(int(bad.argmax()), difference.shape)
        deviation = max(float(bad[index]) - noise, 0.0) / scale
        if not (deviation > self.deviation):
            return
        self.deviation = deviation if np.isfinite(deviation) else np.nan
        position = where(index) if callable(where) else where
        self.detail = (
            f"{quantity[0].upper()}{quantity[1:]}{position}: {np.atleast_1d(found)[index]:.8g} {unit} against "
            f"{np.atleast_1d(expected)[index]:.8g} {unit}".rstrip()
            + f", a difference of {difference[index]:.1e} {unit}".rstrip()
            + "."
        )
        if np.isnan(self.deviation):
            # Nothing is worse.
            self.compare = lambda *args, **kwargs: None

    def fail(self, detail):
        """Count something that is wrong and no matter of size."""
        if not np.isnan(self.deviation):
            self.deviation, self.detail = np.nan, detail
            self.compare = lambda *args, **kwargs: None

    def result(self, name, tolerance):
        """The `LawResult` of all comparisons so far."""
        return LawResult(name, self.deviation, tolerance, self.detail)


def require(results):
    """Raise an AssertionError that names every law that fails; otherwise return the results."""
    failed = [str(result) for result in results if not result.passed]
    if failed:
        raise AssertionError("\n".join(failed))
    return results
