"""How structures are divided."""

import pytest
from ase import Atoms

from keras_ff_tools.run.data import species_of, split


@pytest.mark.parametrize(("count", "fraction", "sizes"), [(10, 0.2, (8, 2)), (2, 0.01, (1, 1)), (3, 0.999, (1, 2))])
def test_both_sets_have_a_structure_and_each_is_in_one(count, fraction, sizes):
    structures = [Atoms("H", [[number, 0.0, 0.0]]) for number in range(count)]
    sets = split(structures, fraction, seed=0)
    assert tuple(len(one) for one in sets) == sizes
    assert sorted(atoms.positions[0, 0] for one in sets for atoms in one) == list(range(count))


def test_one_structure_cannot_be_divided():
    with pytest.raises(ValueError, match="1 structure is too few.*--valid-fraction 0"):
        split([Atoms("H")], 0.1, seed=0)


def test_species_are_sorted():
    assert species_of([Atoms("SiC"), Atoms("O2"), Atoms("C")]) == ["C", "O", "Si"]
