import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from keras_ff.data import fit_reference_energies, labels, subtract_reference_energies
from keras_ff.data.reference import arbitrary, is_isolated, known_energies


def test_the_energies_of_atoms_come_back():
    compositions = np.random.default_rng(0).integers(0, 9, (30, 3)) + [1, 0, 0]
    found = fit_reference_energies(compositions, compositions @ [-3.0, -5.0, 700.0])
    np.testing.assert_allclose(found.energies, [-3.0, -5.0, 700.0])
    assert found.undetermined == [] and found.rms < 1e-9


def test_one_composition_leaves_a_combination_open():
    found = fit_reference_energies([[2, 1], [4, 2]], [-14.0, -28.0], species=["H", "O"])
    assert found.undetermined == ["1 H - 2 O"]
    assert np.array([2, 1]) @ found.energies == pytest.approx(-14.0)


@pytest.mark.parametrize(
    ("composition", "energy", "ranges"),
    [
        # Water: of VASP, relative to free atoms; with the valence electrons; with all electrons.
        ({"H": 2, "O": 1}, -14.2, {"H": (-5, -4.5), "O": (-5, -4.5)}),
        ({"H": 2, "O": 1}, -468.0, {"H": (-21, -13), "O": (-445, -425)}),
        ({"H": 2, "O": 1}, -2080.0, {"H": (-20, -13), "O": (-2055, -2030)}),
        # 3-(benzyloxy)pyridin-2-amine, wB97X/6-31G(d).
        (
            {"C": 12, "H": 12, "N": 2, "O": 1},
            -17660.1,
            {"C": (-1045, -1025), "H": (-20, -13), "N": (-1500, -1470), "O": (-2060, -2025)},
        ),
    ],
)
def test_what_one_composition_leaves_open_is_near_typical_energies(composition, energy, ranges):
    found = fit_reference_energies([list(composition.values())], [energy], species=list(composition))
    assert np.array(list(composition.values())) @ found.energies == pytest.approx(energy, rel=1e-12)
    assert len(found.undetermined) == len(composition) - 1
    for value, (low, high) in zip(found.energies, ranges.values(), strict=True):
        assert low < value < high


def test_known_energies_stay_and_the_others_follow():
    found = fit_reference_energies([[2, 1], [2, 2]], [-14.0, -20.0], species=["H", "O"], known={"H": -1.0})
    assert found.energies[0] == -1.0 and found.undetermined == []
    assert found.energies[1] == pytest.approx(np.array([1 / 3, 1 / 2]) @ [-12 / 3, -18 / 4] / (1 / 9 + 1 / 4))
    with pytest.warns(UserWarning, match="from the same program"):
        fit_reference_energies([[2, 1]], [-14.0], species=["H", "O"], known={"H": -13.6, "O": -2041.0})


def test_isolated_is_an_atom_whose_images_are_beyond_twice_the_cutoff():
    assert is_isolated(Atoms("O"), 5.0) and not is_isolated(Atoms("O2", [[0, 0, 0], [0, 0, 30]]), 5.0)
    # Lattice planes of a skew cell are nearer than its vectors are long.
    skew = Atoms("O", cell=[[12, 0, 0], [11, 9, 0], [0, 0, 12]], pbc=True)
    assert not is_isolated(skew, 4.0) and is_isolated(skew, 3.7)
    assert is_isolated(Atoms("O", cell=[12, 12, 3], pbc=[True, True, False]), 5.0)


def test_which_energies_are_known_is_one_rule():
    isolated = {"H": -1.1}
    assert known_energies("fit", isolated, ["H", "O"]) == {} and known_energies(None, isolated, ["H", "O"]) == isolated
    assert known_energies({"H": -1, "O": -2, "C": -3}, isolated, ["H", "O"]) == {"H": -1.0, "O": -2.0}
    with pytest.raises(ValueError, match="no isolated atom of O: .*Add them"):
        known_energies("isolated", isolated, ["H", "O"])
    with pytest.raises(ValueError, match="there is none of O"):
        known_energies({"H": -1.0}, isolated, ["H", "O"])
    with pytest.raises(ValueError, match="finite numbers in eV.*nan"):
        known_energies({"H": np.nan, "O": -2.0}, isolated, ["H", "O"])
    with pytest.raises(ValueError, match="finite numbers in eV.*-2 eV"):
        known_energies({"H": -1.0, "O": "-2 eV"}, isolated, ["H", "O"])
    with pytest.raises(ValueError, match="Received reference_energies='isolate'"):
        known_energies("isolate", isolated, ["H", "O"])


def test_what_is_open_is_said_with_its_elements():
    text = arbitrary(["1 C - 12 O", "1 H - 12 O", "1 N - 2 O"])
    assert "between the atoms of C, O, H and N (open: 1 C - 12 O, 1 H - 12 O, 1 N - 2 O)" in text and "isolated atoms" in text


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
