import numpy as np
import pytest
from ase.build import molecule

from keras_ff.data import fit_reference_energies, labels, subtract_reference_energies


def test_the_energies_of_atoms_come_back():
    compositions = np.random.default_rng(0).integers(0, 9, (30, 3)) + [1, 0, 0]
    found = fit_reference_energies(compositions, compositions @ [-3.0, -5.0, 700.0])
    np.testing.assert_allclose(found.energies, [-3.0, -5.0, 700.0])
    assert found.undetermined == [] and found.rms < 1e-9


def test_one_composition_leaves_a_combination_open():
    found = fit_reference_energies([[2, 1], [4, 2]], [-14.0, -28.0], species=["H", "O"])
    assert found.undetermined == ["1 H - 2 O"]
    assert np.array([2, 1]) @ found.energies == pytest.approx(-14.0)


def test_a_species_that_never_occurs_has_no_energy():
    found = fit_reference_energies([[1, 0, 0], [0, 0, 2]], [-1.0, -6.0], species=["H", "He", "Li"])
    assert found.undetermined == ["1 He"]
    np.testing.assert_allclose(found.energies, [-1.0, 0.0, -3.0], atol=1e-12)


def test_structures_without_energy_do_not_count():
    found = fit_reference_energies([[1, 0], [0, 1], [1, 1]], [-1.0, -2.0, np.nan])
    np.testing.assert_allclose(found.energies, [-1.0, -2.0])
    assert np.isnan(found.residuals[2])


def test_absurd_energies_are_warned_about():
    with pytest.warns(UserWarning, match="reference energies"):
        fit_reference_energies([[8]] * 4, [-40.0, 40.0, -1000.0, 900.0])


def test_bad_input():
    with pytest.raises(ValueError, match="No structure has an energy"):
        fit_reference_energies([[1]], [np.nan])
    with pytest.raises(ValueError, match=r"\(1, 1\) and \(2,\)"):
        fit_reference_energies([[1]], [1.0, 2.0])


def test_energies_are_shifted_and_the_rest_stays():
    water = molecule("H2O", info={"energy": -2080.0, "tag": 1})
    (shifted,) = subtract_reference_energies([water], {"H": -13.0, "O": -2040.0})
    assert labels(shifted)["energy"] == pytest.approx(-14.0) and shifted.info["tag"] == 1 and labels(water)["energy"] == -2080.0
    with pytest.raises(ValueError, match=r"without a reference energy: \['O'\]"):
        subtract_reference_energies([water], {"H": -13.0})
