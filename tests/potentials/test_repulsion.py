"""ZBL and the repulsive Morse term: laws, and formulas written once more in NumPy."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from lammps_reference import energies_of

from keras_ff.potentials import ZBL, RepulsiveMorse
from keras_ff.testing import check_potential

pytestmark = pytest.mark.usefixtures("float64")

SILICON_CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)


def dimer_energy(potential, symbols, r):
    dimers = [Atoms(symbols, [[0, 0, 0], [0, 0, distance]]) for distance in r]
    return energies_of(potential, dimers)


def fade(r, cutoff):
    x = np.minimum(r / cutoff, 1)
    return 1 - 10 * x**3 + 15 * x**4 - 6 * x**5


def test_laws_of_zbl():
    """Those of the Morse term are part of the laws of a sum, in test_sum.py."""
    check_potential(ZBL(["Si", "C"], cutoff=[[3.4, 2.5], [2.5, 2.0]], onset=0.3), SILICON_CARBIDE, smoothness=2)


def test_zbl_equals_its_formula():
    r = np.array([0.05, 0.3, 1.0, 1.9, 2.0, 2.5])
    x = r * (14**0.23 + 6**0.23) / 0.46850
    screening = (
        0.18175 * np.exp(-3.19980 * x) + 0.50986 * np.exp(-0.94229 * x) + 0.28022 * np.exp(-0.40290 * x)
        + 0.02817 * np.exp(-0.20162 * x)
    )  # fmt: skip
    expected = 14.399645478425668 * 14 * 6 / r * screening * fade(r, 2.0)
    np.testing.assert_allclose(dimer_energy(ZBL(["Si", "C"]), "SiC", r), expected, rtol=1e-12, atol=1e-14)


def test_zbl_ends_at_a_distance_for_each_pair_of_elements():
    r = np.array([1.0, 1.9, 2.3])
    pairs, single = (
        ZBL(["Si", "C"], cutoff=[[2.0, 2.4], [2.4, 1.5]]),
        {cutoff: ZBL(["Si", "C"], cutoff) for cutoff in (1.5, 2.0, 2.4)},
    )
    late = ZBL(["Si", "C"], cutoff=2.5, onset=0.8)
    whole = dimer_energy(ZBL(["Si", "C"], cutoff=100.0), "SiC", r)
    np.testing.assert_allclose(dimer_energy(late, "SiC", r)[:2] / whole[:2], 1.0, rtol=1e-4)
    assert 0.0 < dimer_energy(late, "SiC", r)[2] < 0.5 * whole[2]
    for symbols, cutoff in (("SiSi", 2.0), ("SiC", 2.4), ("CSi", 2.4), ("CC", 1.5)):
        np.testing.assert_allclose(dimer_energy(pairs, symbols, r), dimer_energy(single[cutoff], symbols, r), rtol=1e-12)


def test_a_new_element_has_its_own_charge_and_the_cutoffs_and_parameters_of_its_twin():
    r = np.array([1.0, 1.9, 2.3])
    known = ZBL(["Si", "C"], cutoff=[[2.0, 2.4], [2.4, 1.5]]).with_species({"Ge": "Si"})
    np.testing.assert_allclose(dimer_energy(known, "GeC", r), dimer_energy(ZBL(["Ge", "C"], 2.4), "GeC", r), rtol=1e-12)
    morse = RepulsiveMorse(["Si", "C"], well_depth=[1.0, 4.0], bond_length=[2.2, 1.2]).with_species({"Ge": "Si"})
    np.testing.assert_allclose(dimer_energy(morse, "GeC", r), dimer_energy(morse, "SiC", r), rtol=1e-12)


@pytest.mark.parametrize("cutoff", [0.0, [1.0, 2.0], [[1.0, 2.0], [3.0, 1.0]], [[1.0, -2.0], [-2.0, 1.0]]])
def test_cutoffs_are_positive_and_symmetric(cutoff):
    with pytest.raises(ValueError, match="cutoff"):
        ZBL(["Si", "C"], cutoff)
    with pytest.raises(ValueError, match="onset=1.0"):
        ZBL(["Si", "C"], onset=1.0)


def test_zbl_is_coulomb_repulsion_at_contact():
    r = np.array([1e-4])
    # The coefficients of the screening function add up to 1 within their digits.
    assert dimer_energy(ZBL(["W"]), "WW", r)[0] * r[0] == pytest.approx(14.399645 * 74**2, rel=2e-3)


def test_repulsive_morse_equals_its_formula():
    r = np.array([0.5, 1.5, 2.5, 2.99, 3.0])
    potential = RepulsiveMorse(["Si", "C"], well_depth=[1.0, 4.0], stiffness=[1.0, 2.0], bond_length=[2.2, 1.2])
    expected = 2.0 * np.exp(-2 * 1.5 * (r - 1.7)) * fade(r, 3.0)
    np.testing.assert_allclose(dimer_energy(potential, "SiC", r), expected, rtol=1e-12, atol=1e-15)


def test_morse_parameters_must_be_positive():
    with pytest.raises(ValueError, match="stiffness"):
        RepulsiveMorse(["Si"], stiffness=-1.0)


def test_zbl_needs_elements():
    with pytest.raises(ValueError, match="Xx"):
        ZBL(["Si", "Xx"])
