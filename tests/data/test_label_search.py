import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.data.label_search import KEYS, check_structure, closest_pair, find_labels, labels, normalized

FORCES = np.arange(6.0).reshape(2, 3)


def dimer(**kwargs):
    return Atoms("H2", [[0, 0, 0], [0, 0, 0.7]], **kwargs)


@pytest.mark.parametrize("kind", ["energy", "forces", "stress"])
def test_every_common_name_is_found_in_info_and_arrays(kind):
    value = {"energy": -3.0, "forces": FORCES, "stress": np.arange(6.0)}[kind]
    for name in KEYS[kind]:
        atoms = dimer(cell=[2.0, 2.0, 2.0], pbc=True)
        (atoms.arrays if kind == "forces" else atoms.info)[name] = value
        expected = -value / 8.0 if "virial" in name.lower() else value
        np.testing.assert_allclose(find_labels(atoms)[0][kind], expected)


def test_what_is_missing_is_nan():
    found = labels(dimer())
    assert (
        np.isnan(found["energy"])
        and np.isnan(found["forces"]).all()
        and found["forces"].shape == (2, 3)
        and found["stress"].shape == (6,)
    )


def test_a_stress_may_be_a_matrix():
    atoms = dimer(cell=[2, 2, 2], pbc=True, info={"stress": np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]])})
    np.testing.assert_array_equal(labels(atoms)["stress"], [1, 2, 3, 4, 5, 6])
    atoms.info["stress"] = atoms.info["stress"].reshape(9)
    np.testing.assert_array_equal(labels(atoms)["stress"], [1, 2, 3, 4, 5, 6])


def test_a_virial_without_a_volume_is_no_stress():
    assert np.isnan(labels(dimer(info={"virial": np.eye(3)}))["stress"]).all()


def test_the_calculator_wins_and_the_conflict_is_noted():
    atoms = dimer(info={"REF_energy": -1.0})
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0)
    found, names, notes = find_labels(atoms)
    assert found["energy"] == -2.0 and names["energy"] == "energy (calculator)"
    assert len(notes) == 1 and "REF_energy" in notes[0]
    found, _, notes = find_labels(atoms, {"energy": "REF_energy"})
    assert found["energy"] == -1.0 and not notes


def test_a_free_energy_is_the_last_resort():
    atoms = dimer(info={"REF_energy": -1.0})
    atoms.calc = SinglePointCalculator(atoms, free_energy=-2.0)
    assert labels(atoms)["energy"] == -1.0
    del atoms.info["REF_energy"]
    found, _, notes = find_labels(atoms)
    assert found["energy"] == -2.0 and "free_energy" in notes[0]


def test_results_of_another_geometry_do_not_count():
    atoms = dimer()
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0)
    atoms.positions += [[0, 0, 0], [0, 0, 0.1]]
    found, _, notes = find_labels(atoms)
    assert not found and "another geometry" in notes[0]


def test_nothing_is_computed():
    atoms = bulk("Cu")
    atoms.calc = EMT()
    assert np.isnan(labels(atoms)["energy"])
    energy = atoms.get_potential_energy()
    assert labels(atoms)["energy"] == energy


@pytest.mark.parametrize(
    "place, name, value, message",
    [
        ("info", "energy", np.inf, "'energy' has a value that is not finite"),
        ("info", "energy", True, "a name without a number"),
        ("info", "energy", "high", "one number in eV"),
        ("info", "energy", [1.0, 2.0], "shape"),
        ("arrays", "forces", np.array([[0, 0, 0], [0, np.inf, 0]]), "not finite at atom 1"),
        ("arrays", "forces", np.zeros((2, 2)), "shape"),
        ("info", "forces", np.zeros(6), "shape"),
        ("info", "stress", np.zeros(5), "shape"),
        ("info", "stress", np.array([1.0, np.nan, 1.0, 0.0, 0.0, 0.0]), "not finite"),
        ("info", "stress", [[1.0, 0.5, 0.0], [-0.5, 1.0, 0.0], [0.0, 0.0, 1.0]], "not symmetric: xy is 0.5 and yx is -0.5"),
        ("info", "forces", [["1", "2", "3"]] * 2, "Received"),
    ],
)
def test_a_broken_label_is_an_error(place, name, value, message):
    atoms = dimer(cell=[2, 2, 2], pbc=True)
    getattr(atoms, place)[name] = value
    with pytest.raises(ValueError, match=message):
        labels(atoms)


def test_labels_that_are_all_nan_are_missing():
    atoms = dimer(
        cell=[2, 2, 2], pbc=True, info={"energy": np.nan, "stress": np.full(9, np.nan), "forces": np.full((2, 3), np.nan)}
    )
    assert find_labels(atoms) == ({}, {}, [])


def test_a_free_energy_that_is_named_draws_no_note():
    atoms = dimer(info={"energy": -1.0, "free_energy": -2.0})
    found, _, notes = find_labels(atoms, {"energy": "free_energy"})
    assert found["energy"] == -2.0 and not notes


def test_an_energy_per_atom_that_is_named_is_that_of_one_atom():
    assert labels(dimer(info={"energy_per_atom": -1.5}), energy_key="energy_per_atom")["energy"] == -3.0


def test_magnetic_moments_and_charges_that_were_set_later_keep_the_labels():
    atoms = dimer()
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0)
    atoms.set_initial_magnetic_moments([1.0, 1.0])
    atoms.set_initial_charges([0.5, -0.5])
    found, _, notes = find_labels(atoms)
    assert found["energy"] == -2.0 and not notes


def test_normalized_labels_move_to_the_calculator_and_the_rest_stays():
    atoms = dimer(info={"REF_energy": -1.0, "temperature": 300.0})
    atoms.arrays["REF_forces"] = FORCES
    found, names, _ = find_labels(atoms)
    clean = normalized(atoms, found, names)
    assert clean.get_potential_energy() == -1.0 and clean.info == {"temperature": 300.0}
    np.testing.assert_array_equal(clean.get_forces(), FORCES)
    assert atoms.info["REF_energy"] == -1.0 and atoms.calc is None


def test_what_was_settled_stays_settled(recwarn):
    atoms = dimer(info={"dft_energy": -1.0, "REF_energy": -2.0})
    clean = normalized(atoms, *find_labels(atoms, {"energy": "REF_energy"})[:2])
    assert labels(clean)["energy"] == -2.0 and clean.info == {"dft_energy": -1.0}
    # ASE with NumPy 2.5 adds warnings of its own, about deprecations.
    assert not any(issubclass(warning.category, UserWarning) for warning in recwarn)
    assert labels(clean, energy_key="dft_energy")["energy"] == -1.0


def test_a_conflict_in_labels_is_a_warning():
    with pytest.warns(UserWarning, match="REF_energy.*energy_key="):
        assert labels(dimer(info={"dft_energy": -1.0, "REF_energy": -2.0}))["energy"] == -1.0


def test_structures_that_are_no_physics():
    with pytest.raises(ValueError, match="no atoms"):
        check_structure(Atoms())
    for number in (0, -3, 119):
        with pytest.raises(ValueError, match=f"Atom 1 has the atomic number {number}"):
            check_structure(Atoms(numbers=[14, number], positions=[[0, 0, 0], [0, 0, 2]]))
    with pytest.raises(ValueError, match="on top of each other"):
        check_structure(Atoms("H2", [[0, 0, 0], [0, 0, 0.05]]))
    with pytest.raises(ValueError, match="Atom 0 and atom 1"):
        check_structure(Atoms("H2", [[0, 0, 0.01], [0, 0, 2.99]], cell=[3, 3, 3], pbc=True))
    with pytest.raises(ValueError, match="image of itself"):
        check_structure(Atoms("H", cell=[0.05, 3, 3], pbc=True))
    check_structure(dimer())
    assert closest_pair(dimer(), 1.0) == (0, 1, pytest.approx(0.7))
