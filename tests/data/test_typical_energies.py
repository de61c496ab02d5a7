"""Energies of free atoms from Slater's rules, and which of them data are recognized to have."""

import numpy as np
import pytest

from keras_ff.data.typical_energies import slater_energy, typical_energies


# Hartree-Fock energies of neutral atoms in Hartree: Clementi and Roetti, At. Data Nucl. Data Tables 14, 177 (1974).
@pytest.mark.parametrize(
    ("number", "hartree"), [(1, -0.5), (2, -2.8617), (6, -37.6886), (8, -74.8094), (14, -288.8544), (29, -1638.9637)]
)
def test_all_electrons_of_an_atom_have_about_the_energy_of_hartree_and_fock(number, hartree):
    assert slater_energy(number) == pytest.approx(27.2114 * hartree, rel=0.02)


def test_valence_electrons_are_those_that_an_atom_loses_first():
    """Sums of the ionization energies of H, C, O, Al and Si down to their cores, in eV (NIST)."""
    for number, energy in {1: -13.6, 6: -148.0, 8: -433.1, 13: -53.3, 14: -103.1}.items():
        assert slater_energy(number, valence=True) == pytest.approx(energy, rel=0.05)


@pytest.mark.parametrize(("energy", "expected"), [(-14.2, [-4.73, -4.73]), (-468.0, [-13.6, -422.5]), (-2080.0, [-13.6, -2035.9])])
def test_the_size_of_the_energies_tells_what_they_are_relative_to(energy, expected):
    values, widths = typical_energies(["H", "O"], np.array([[2 / 3, 1 / 3]]), np.array([energy / 3]))
    np.testing.assert_allclose(values, expected, atol=0.1)
    assert (widths >= 5.0).all()
