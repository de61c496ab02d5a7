from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, GPa, Hartree

from keras_ff.data import check, labels, read
from keras_ff.data.consistency import force_factor, stress_factor

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


@pytest.fixture(scope="module")
def silicon():
    return read(SILICON)


def changed(structures, length=1.0, **change):
    """Copies with scaled lengths and labels put through the functions `change`."""
    result = []
    for atoms in structures:
        found = labels(atoms)
        copy = atoms.copy()
        copy.set_cell(atoms.cell[:] * length, scale_atoms=True)
        copy.calc = SinglePointCalculator(copy, **{kind: change.get(kind, lambda x: x)(value) for kind, value in found.items()})
        result.append(copy)
    return result


def test_real_data_passes(silicon):
    assert check(silicon) == []


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
    assert any(message in warning for warning in check(changed(silicon, **change))), check(changed(silicon, **change))


def test_a_stress_that_nothing_can_be_compared_with(silicon):
    lone = changed(silicon[:2], stress=lambda x: x / GPa * 100)
    assert any("Are they in GPa or kbar" in warning for warning in check(lone))


def test_duplicates(silicon):
    warnings = check(silicon + [silicon[3].copy()])
    assert any("1 structures are copies of earlier ones (for example 23 of 3)" in warning for warning in warnings)
    other = changed(silicon[3:4], energy=lambda x: x + 1.0)
    assert any("another energy" in warning for warning in check(silicon + other))


def test_outliers(silicon):
    strange = changed(silicon[4:5], energy=lambda x: x + 5000.0)
    assert any(
        "far from those of all other structures" in warning and "structure 22" in warning
        for warning in check(silicon[:22] + strange)
    )
    wild = changed(silicon[5:6], forces=lambda x: x * 100)
    assert any("Forces above 100" in warning for warning in check(silicon + wild))


def test_forces_that_do_not_add_up(silicon):
    fixed = changed(silicon[:3], forces=lambda x: np.where(np.arange(len(x))[:, None] < len(x) // 2, 0.0, x))
    assert any("do not add up to zero" in warning for warning in check(fixed))


def test_rare_elements_and_missing_labels(silicon):
    warnings = check(silicon + [bulk("Ge")])
    assert any("Ge (1)" in warning for warning in warnings)
    assert any("Only 23 of 24 structures have a label 'energy'" in warning for warning in warnings)
    assert any("has an energy or forces" in warning for warning in check([bulk("Ge")]))
    assert check([]) == ["There are no structures."]


@pytest.mark.parametrize("element", ["Si", "Ge", "Mo", "Cu"])
def test_published_data_is_consistent(element):
    path = Path(__file__).parents[3] / "shared" / "data" / "mlearn" / f"{element}_train.xyz"
    if not path.exists():
        pytest.skip("the full mlearn data set is not here")
    assert check(read(path)) == []
