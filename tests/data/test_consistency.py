"""Energies, forces and stresses of similar structures, compared."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, GPa, Hartree
from changing import changed

from keras_ff.data import check, consistency, labels
from keras_ff.data.checks import Contradiction
from keras_ff.data.consistency import force_factor, stress_factor

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


def test_energies_agree_with_forces_and_stress(silicon):
    found = [labels(atoms) for atoms in silicon]
    assert force_factor(silicon, found)[0] == pytest.approx(1.0, abs=0.05)
    factor, pairs, order = stress_factor(silicon, found)
    assert factor == pytest.approx(1.0, abs=0.05) and pairs >= 6 and order is None


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(stress=lambda x: -x), "stress has the wrong sign"),
        (dict(stress=lambda x: x / GPa), "stress looks like GPa"),
        (dict(stress=lambda x: -10.0 * x / GPa), "kbar with the sign of VASP"),
        (dict(stress=lambda x: x[[0, 1, 2, 5, 3, 4]]), "as xy, yz, xz"),
        (dict(forces=lambda x: -x), "forces have the wrong sign"),
        (dict(forces=lambda x: x * Bohr / Hartree), "forces look like Hartree/Bohr"),
        (dict(forces=lambda x: x * 23.06), "forces look like kcal/mol"),
        (dict(energy=lambda x: x / Hartree), "energies look like Hartree"),
        (dict(length=1 / Bohr), "may be in Bohr"),
        (dict(length=0.1), "not nm"),
        (dict(energy=lambda x: x - 1e7), "single precision"),
    ],
)
def test_wrong_units_signs_and_orders_are_seen(silicon, change, message):
    warnings = [warning for warning in check(changed(silicon, **change)) if message in warning]
    assert warnings, check(changed(silicon, **change))
    # Programs refuse what energies, forces and stresses say together, and nothing else.
    if "length" not in change and "single" not in message:
        assert isinstance(warnings[0], Contradiction)


def test_a_stress_that_nothing_can_be_compared_with(silicon):
    lone = changed(silicon[:2], stress=lambda x: x / GPa * 100)
    assert any("Are they in GPa or kbar" in warning for warning in check(lone))


def test_one_large_pair_among_small_ones_tells_no_factor():
    # Every tenth structure of mlearn's silicon: strains of both signs, whose energies differ by little.
    expected, measured = np.array([0.42, 1e-3, 2e-3, 1e-4, 1e-4]), np.array([0.41, 1.1e-4, -1e-4, 1e-5, 1e-5])
    assert np.corrcoef(expected, measured)[0, 1] > 0.99
    assert consistency._slope(expected, measured) == (None, 5)
    assert consistency._slope(expected, 160.0 * expected) == (pytest.approx(160.0), 5)


def crystal(strain, noise=0.0):
    """A crystal of one atom with the energy of linear elasticity, and its labels."""
    xx, yy, zz, yz, xz, xy = strain
    e = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    atoms = Atoms("Ta", cell=4.0 * (np.eye(3) + e), pbc=True, info={"group": "shear" if np.any(strain[3:]) else "volume"})
    stress = np.array([1.0] * 3 + [0.4] * 3) * strain
    energy = 32.0 * np.dot(strain, stress) + noise
    return atoms, {"energy": energy, "forces": np.zeros((1, 3)), "stress": 64.0 * stress / atoms.get_volume()}


def test_changes_of_volume_neither_hide_a_wrong_order_of_shear_nor_show_one():
    rng = np.random.default_rng(0)
    volumes = [crystal(np.array([x] * 3 + [0] * 3)) for x in np.linspace(-0.3, 0.3, 31)]
    sheared = [crystal(rng.normal(0, [0.002] * 3 + [0.02] * 3)) for _ in range(20)]
    wrong = [(atoms, {**found, "stress": found["stress"][[0, 1, 2, 5, 3, 4]]}) for atoms, found in sheared]
    # Shear too small for its work to be seen in the noise of the energies.
    noisy = [crystal(rng.normal(0, [0.002] * 3 + [0.004] * 3), rng.normal(0, 0.003)) for _ in range(20)]
    for some, order in ((wrong, "xy, yz, xz"), (sheared, None), (noisy, None)):
        assert stress_factor(*zip(*volumes, *some, strict=True))[2] == order
