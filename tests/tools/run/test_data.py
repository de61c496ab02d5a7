"""How structures are divided."""

import pytest
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.run.data import MOST_EPOCHS, affordable_epochs, in_good_shapes, species_of, split


@pytest.mark.parametrize(("count", "fraction", "sizes"), [(10, 0.2, (8, 2)), (2, 0.01, (1, 1)), (3, 0.999, (1, 2))])
def test_both_sets_have_a_structure_and_each_is_in_one(count, fraction, sizes):
    structures = [Atoms("H", [[number, 0.0, 0.0]]) for number in range(count)]
    sets = split(structures, fraction, seed=0)
    assert tuple(len(one) for one in sets) == sizes
    assert sorted(atoms.positions[0, 0] for one in sets for atoms in one) == list(range(count))


def test_one_structure_cannot_be_divided():
    with pytest.raises(ValueError, match="1 structure is too few.*--valid-fraction 0"):
        split([Atoms("H")], 0.1, seed=0)


def test_isolated_atoms_are_trained_on():
    atom, crystals = Atoms("Si"), [bulk("Si", a=5.4 + 0.01 * index) for index in range(9)]
    train, valid = split([atom, *crystals], 0.5, seed=0)
    assert [len(one) for one in (train, valid)] == [5, 5] or [len(one) for one in (train, valid)] == [6, 4]
    assert train[0] is atom and all(len(one) == 2 for one in valid)


def test_species_are_sorted():
    assert species_of([Atoms("SiC"), Atoms("O2"), Atoms("C")]) == ["C", "O", "Si"]


@pytest.mark.parametrize(("epochs", "shapes"), [(100, 1), (10_000_000, 3)])
def test_a_short_run_has_one_shape_and_a_long_one_pads_less(epochs, shapes):
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    structures = [bulk("Si", cubic=True) * (1, 1, count) for count in (1, 1, 2, 2, 4, 4)]
    data = in_good_shapes(kff.data.Dataset(structures, model, batch_size=2, max_shapes=3), 3, epochs)
    assert len(data.shapes) == shapes
    assert sorted(index for batch in range(len(data)) for index in data.indices(batch) if index >= 0) == list(range(6))


def test_minutes_are_worth_so_many_epochs_and_few_structures_have_one_shape():
    sizes = [bulk("Si", cubic=True) * size for size in ((1, 1, 1), (1, 1, 2), (2, 2, 2), (2, 2, 1), (1, 1, 3))]
    model = kff.ForceField(kff.potentials.RepulsiveMorse(["Si"], cutoff=5.0))
    few = kff.data.Dataset(sizes * 5, model, max_shapes=4)
    many = kff.data.Dataset(sizes * 40, model, max_shapes=4)
    assert [affordable_epochs(few, minutes) for minutes in (0.1, 1e3)] == [1, MOST_EPOCHS]
    assert 1 < affordable_epochs(many, 1.0) < affordable_epochs(many, 2.5) < MOST_EPOCHS
    assert len(in_good_shapes(few, 4, affordable_epochs(few, 2.5)).shapes) == 1
    assert len(in_good_shapes(many, 4, affordable_epochs(many, 5.0)).shapes) > 1
