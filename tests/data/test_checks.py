from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from changing import changed

from keras_ff.data import check, read

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


def test_real_data_passes(silicon):
    assert check(silicon) == []


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


def test_a_lattice_in_meters_is_named():
    assert any("Structure 0 (Si2): " in one and "in Å?" in one for one in check([bulk("Si", a=5.43e-10)]))
