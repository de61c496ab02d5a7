"""Phonons from the command line; the numbers are tested with `Phonons` and `thermodynamics`."""

import csv
import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff

pytestmark = pytest.mark.slow_on_tensorflow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phonons")
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(folder / "silicon.keras")
    ase.io.write(folder / "silicon.xyz", bulk("Si", a=5.5))
    ase.io.write(folder / "simple.xyz", bulk("Si", "fcc", a=4.0))
    return folder


def test_silicon_has_the_frequencies_of_phonopy(files, keras_ff):
    pytest.importorskip("phonopy")
    out = files / "out"
    words = ["phonons", files / "silicon.keras", files / "silicon.xyz", "-o", out, "--path", "GXL", "--points", "11", "--mesh", "4"]
    done = keras_ff(*words, "--supercell", "2")
    assert done.status == 0, done.err
    assert "stable: no frequency is imaginary" in done.out and "heat capacity Cv" in done.out
    rows = [line.split()[1:] for line in done.out.splitlines() if line[:2] in ("X ", "L ")]
    # tests/properties/test_phonons.py
    np.testing.assert_allclose(np.array(rows[0], float), [6.652, 6.652, 12.994, 12.994, 15.629, 15.629], atol=2e-3)
    np.testing.assert_allclose(np.array(rows[1], float), [4.704, 4.704, 11.768, 13.398, 16.767, 16.767], atol=2e-3)
    with open(out / "bands.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 11
    thermal = json.loads((out / "phonons.json").read_text())["thermal"]
    # Between 0 and Dulong and Petit; F = ZPE - the integral of S.
    assert 0 < thermal["heat_capacity_eV_per_K"] < 3 * 8.617333e-5
    assert thermal["free_energy_eV"] < thermal["zero_point_eV"] and thermal["K"] == 300
    names = ("bands.png", "bands.csv", "density_of_states.png", "density_of_states.csv", "thermal.csv", "relaxed.xyz")
    assert all((out / name).stat().st_size for name in names)
    # What phonopy reads has the same frequencies at a wave vector that its supercell holds.
    import phonopy

    read = phonopy.load(out / "phonopy_params.yaml", log_level=0)
    np.testing.assert_allclose(read.run_qpoints([[0.5, 0.0, 0.5]]).frequencies[0], np.array(rows[0], float), atol=2e-3)


def test_an_unstable_crystal_is_told(files, keras_ff):
    words = ["phonons", files / "silicon.keras", files / "simple.xyz", "-o", files / "unstable", "--no-relax"]
    with pytest.warns(UserWarning, match="frequencies are imaginary"):
        done = keras_ff(*words, "--points", "20", "--mesh", "2")
    assert done.status == 0 and "UNSTABLE: the energy falls" in done.out, done.err
    assert json.loads((files / "unstable" / "phonons.json").read_text())["stable"] is False


def test_what_cannot_be(files, keras_ff):
    words = ["phonons", files / "silicon.keras", files / "silicon.xyz", "-o", files / "none"]
    for more, text in [
        (["--points", "1"], "positive"),
        (["--supercell", "2", "2"], "one number or three"),
        (["--path", "GQ", "--no-relax"], "no path of this lattice"),
    ]:
        done = keras_ff(*words, *more)
        assert done.status == 2 and text in done.err, done.err
