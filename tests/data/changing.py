"""Structures with other lengths and labels."""

from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.data import labels


def changed(structures, length=1.0, **change):
    """Copies with scaled lengths and labels put through the functions `change`."""
    result = []
    for atoms in structures:
        found = labels(atoms)
        copy = atoms.copy()
        copy.set_cell(atoms.cell[:] * length, scale_atoms=True)
        copy.calc = SinglePointCalculator(copy, **{kind: change.get(kind, lambda x: x)(value) for kind, value in found.items()})
        result.append(copy)
    return result
