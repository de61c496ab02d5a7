"""Conventions of stresses: unit, sign and order of the components."""

from __future__ import annotations

import dataclasses

import numpy as np
from ase.units import Bohr, GPa, Hartree, Rydberg, bar, kcal, kJ, mol

# eV/Å³ in each unit.
STRESS_UNITS = {
    "eV/A3": 1.0,
    "GPa": GPa,
    "MPa": 1e-3 * GPa,
    "kbar": 1e3 * bar,
    "bar": bar,
    "Ha/Bohr3": Hartree / Bohr**3,
    "Ry/Bohr3": Rydberg / Bohr**3,
    "kcal/mol/A3": kcal / mol,
    "kJ/mol/A3": kJ / mol,
}
# Elementary charge 1.602176634e-19 C (exact since 2019), 1 Å = 1e-10 m; ASE has the charge of CODATA 2014.
EV_PER_A3_IN_GPA = 160.2176634

# VASP writes "in kB"; a cube may be written in several ways.
SPELLINGS = {"kb": "kbar", "gigapascal": "gpa", "hartree/bohr3": "ha/bohr3", "rydberg/bohr3": "ry/bohr3"}

# A stress is positive under one of these. ASE and most codes: tension. VASP: compression.
STRESS_SIGNS = {"tension": 1.0, "compression": -1.0}

SHEAR = ("yz", "xz", "xy")


@dataclasses.dataclass(frozen=True)
class StressConvention:
    """Convention of stresses in a file: unit, sign and order; what is None is not known.

    Attributes:
        scale: Size of the unit in eV/Å³.
        sign: 1 if a stress is positive under tension, -1 under compression.
        order: Indices of the yz, xz and xy components among the last three of six numbers.

    Example:
        >>> from keras_ff.data.units import StressConvention
        >>> vasp = StressConvention.named("kbar", "compression", "xy yz xz")
        >>> vasp.apply(np.array([1602.1766, 0.0, 0.0, 1602.1766, 0.0, 0.0])).round(6).tolist()
        [-1.0, -0.0, -0.0, -0.0, -0.0, -1.0]
    """

    scale: float | None = None
    sign: float | None = None
    order: tuple[int, ...] | None = None

    @classmethod
    def named(cls, unit: str | None = None, sign: str | None = None, order: str | None = None) -> StressConvention:
        """Make a convention from the words of a user.

        Args:
            unit: One of `STRESS_UNITS`, such as "eV/A3", "GPa", "kbar"; None if it is not known.
            sign: "tension" or "compression", under which a stress is positive; None if it is not known.
            order: The last three of six numbers, such as "xy yz xz"; None if it is not known.

        Raises:
            ValueError: If a word is none of these.
        """
        scale = None if unit is None else _scale(unit)
        if sign is not None and str(sign).lower() not in STRESS_SIGNS:
            raise ValueError(f"A stress is positive under {' or '.join(STRESS_SIGNS)}. Received stress_sign={sign!r}.")
        return cls(scale, None if sign is None else STRESS_SIGNS[sign.lower()], None if order is None else _order(order))

    def over(self, known: StressConvention) -> StressConvention:
        """Return this convention, with that of the format where this one says nothing.

        Args:
            known: Convention of the format of a file.
        """
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return dataclasses.replace(known, **given)

    @property
    def is_given(self) -> bool:
        """Whether anything is known."""
        return self != StressConvention()

    def apply(self, stress: np.ndarray) -> np.ndarray:
        """Return a stress in eV/Å³ with the sign and order of ASE; what is not known is taken for that already.

        Args:
            stress: Six numbers, nine, or (3, 3). The order concerns six numbers alone.
        """
        if self.order is not None and stress.shape == (6,):
            stress = stress[[0, 1, 2, *(3 + index for index in self.order)]]
        return stress * ((self.scale or 1.0) * (self.sign or 1.0))


def _scale(unit):
    plain = {name.lower(): value for name, value in STRESS_UNITS.items()}
    word = str(unit).lower().replace("å", "a").replace("angstrom", "a").replace("ang", "a").replace("³", "3")
    word = word.replace("^", "").replace("**", "").replace("(", "").replace(")", "").replace(" ", "")
    word = SPELLINGS.get(word, word)
    if word not in plain:
        raise ValueError(f"Units of stress are {', '.join(STRESS_UNITS)}. Received stress_unit={unit!r}.")
    return plain[word]


def _order(text):
    words = ["".join(sorted(word)) for word in str(text).lower().replace(",", " ").split()][-3:]
    if sorted(words) != sorted(SHEAR):
        raise ValueError(f"The shear components of a stress are yz, xz and xy in some order. Received stress_order={text!r}.")
    return tuple(words.index(name) for name in SHEAR)


# As VASP prints it, and as pymatgen and the data sets of the Materials Project keep it. Their six numbers are those of ASE.
VASP = StressConvention.named("kbar", "compression")
