"""Statistics of labels, structure by structure."""

import numpy as np
import pytest

from keras_ff.models.statistics import Summary

NAN = float("nan")


def test_forces_count_for_their_species_and_missing_ones_do_not():
    summary = Summary(None, 3)
    forces = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 2.0], [NAN, 1.0, 1.0]])
    summary.add(np.array([0, 1, 1]), np.array([-3.0]), forces, fixed_forces=np.array([[0.0, 0.0, 0.0]]))
    expected = [np.sqrt(9.0 / 3), np.sqrt(8.0 / 3), np.sqrt(17.0 / 6)]
    assert summary.force_scales() == pytest.approx(expected, rel=1e-14), "a species without forces has the scale of all"


def test_what_is_fixed_is_taken_off_the_energies_of_atoms():
    summary = Summary(None, 2)
    for species, energy in (([0, 0], -4.0), ([0, 1], -5.0), ([1, 1], -6.0), ([0, 1, 1], NAN)):
        summary.add(np.array(species), np.array([energy + 1.0]), np.full((len(species), 3), NAN), fixed_energy=1.0)
    assert summary.reference_energies(["Si", "C"]).energies == pytest.approx([-2.0, -3.0], abs=1e-12)
    assert summary.force_scales() == pytest.approx(np.std([-2.0, -2.5, -3.0]), rel=1e-14)


def test_isolated_atoms_are_known_and_no_part_of_the_fit():
    summary = Summary(None, 2)
    for species, energy, isolated in (([0], -0.8, True), ([0], -0.5, True), ([0, 1], -5.0, False)):
        summary.add(np.array(species), np.array([energy]), np.zeros((len(species), 3)), isolated=isolated)
    known = summary.isolated_energies(["Si", "C"])
    assert known == {"Si": -0.8}
    assert summary.reference_energies(["Si", "C"], known).energies == pytest.approx([-0.8, -4.2], abs=1e-12)
