"""Structures with the results of a calculator, as files keep them."""

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator


def with_results(atoms: Atoms, calculator: Calculator) -> Atoms:
    """Copy of a structure with energy, forces and, in three periodic directions, stress of a calculator.

    Args:
        atoms: The structure; labels that it has are not kept.
        calculator: The calculator.
    """
    copy = atoms.copy()
    calculator.calculate(copy)
    results = {name: calculator.results[name] for name in ("energy", "forces", "stress") if name in calculator.results}
    copy.calc = SinglePointCalculator(copy, **results)
    return copy
