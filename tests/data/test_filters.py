from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from keras_ff.data import filter, labels, split
from keras_ff.data.filters import highest_force

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


def test_a_split_is_disjoint_and_the_same_each_time(silicon):
    parts = split(silicon, (0.5, 0.25, 0.25), seed=1)
    assert [len(part) for part in parts] == [12, 5, 6]
    assert sorted(id(atoms) for part in parts for atoms in part) == sorted(id(atoms) for atoms in silicon)
    again = split(silicon, (0.5, 0.25, 0.25), seed=1)
    assert [[id(atoms) for atoms in part] for part in parts] == [[id(atoms) for atoms in part] for part in again]
    assert [id(a) for a in parts[0]] != [id(a) for a in split(silicon, (0.5, 0.25, 0.25), seed=2)[0]]


def test_fractions_that_are_none(silicon):
    for fractions in ((0.9, 0.2), (-0.1, 0.5), (0.0, 1.0)):
        with pytest.raises(ValueError, match="fractions"):
            split(silicon, fractions)
    with pytest.raises(ValueError, match="too few"):
        split(silicon[:2], (0.9, 0.1))


def test_filters(silicon):
    assert all(highest_force(atoms) <= 2.0 for atoms in filter(silicon, max_force=2.0))
    assert len(filter(silicon, max_force=2.0)) < len(silicon)
    assert filter(silicon, elements=["Si"]) == silicon
    assert len(filter(silicon + [bulk("Ge")], elements=["Si"])) == len(silicon)
    assert all(len(atoms) <= 30 for atoms in filter(silicon, max_atoms=30))
    assert len(filter(silicon, condition=lambda atoms: atoms.info["group"] == "Elastic")) == 12
    lowest = min(labels(atoms)["energy"] / len(atoms) for atoms in silicon)
    for atoms in filter(silicon, energy_window=0.1):
        assert labels(atoms)["energy"] / len(atoms) <= lowest + 0.1


def test_a_missing_label_passes(silicon):
    bare = silicon[0].copy()
    assert np.isnan(highest_force(bare)) and filter([bare], max_force=0.1, energy_window=0.1) == [bare]


def test_an_empty_result_is_an_error(silicon):
    with pytest.raises(ValueError, match="leaves nothing of 23 structures.*max_atoms=2': 23"):
        filter(silicon, max_atoms=2)
