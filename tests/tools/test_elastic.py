"""Elastic constants from the command line."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.elastic import summary, table

# Stillinger-Weber silicon of LAMMPS, see tests/properties/test_elastic.py: C11, C12, C44 in GPa.
SILICON = (151.424490667, 76.422090049, 56.449340834)


@pytest.mark.slow_on_tensorflow
def test_silicon_has_the_constants_of_lammps(tmp_path, keras_ff):
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(tmp_path / "silicon.keras")
    wide = bulk("Si", cubic=True, a=5.5)
    wide.rattle(0.02, seed=0)
    ase.io.write(tmp_path / "POSCAR", wide, format="vasp")
    done = keras_ff("elastic", tmp_path / "silicon.keras", tmp_path / "POSCAR", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert "in float64" in done.out and "relaxing    cell and atoms of Si8" in done.out and "stable: the energy rises" in done.out
    assert "151.42" in done.out
    written = json.loads((tmp_path / "out" / "elastic.json").read_text())
    np.testing.assert_allclose(written["constants"], kff.properties.cubic(*SILICON), atol=1e-5)
    assert written["moduli"]["hill"]["bulk"] == pytest.approx((SILICON[0] + 2 * SILICON[1]) / 3)
    assert written["young"]["lowest"]["direction"] == [0, 0, 1] and written["young"]["highest"]["direction"] == [1, 1, 1]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("elastic.json", "elastic_constants.csv", "relaxed.xyz", "youngs_modulus.png")
    }
    relaxed = ase.io.read(tmp_path / "out" / "relaxed.xyz")
    assert relaxed.get_volume() / len(relaxed) == pytest.approx(5.430949778405213**3 / 8)


def test_what_is_no_crystal_is_told(tmp_path, keras_ff):
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(tmp_path / "silicon.keras")
    ase.io.write(tmp_path / "slab.xyz", ase.Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]], cell=[5, 5, 20], pbc=[True, True, False]))
    done = keras_ff("elastic", tmp_path / "silicon.keras", tmp_path / "slab.xyz", "-o", tmp_path / "out")
    assert done.status == 2 and "is no crystal" in done.err and not (tmp_path / "out").exists()
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "artifact.json").write_text("{}")
    done = keras_ff("elastic", tmp_path / "exported", tmp_path / "slab.xyz", "-o", tmp_path / "out")
    assert done.status == 2 and "an artifact" in done.err


def test_anisotropy_and_stability():
    """Ranganathan and Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504 (2008): of a cubic crystal both follow from one number."""
    constants = kff.properties.cubic(*SILICON)
    found = summary(constants)
    zener = found["anisotropy"]["zener"]
    assert zener == pytest.approx(2 * SILICON[2] / (SILICON[0] - SILICON[1]))
    assert found["anisotropy"]["universal"] == pytest.approx(6 / 5 * (zener**0.5 - zener**-0.5) ** 2)
    constants[0, 1] = constants[1, 0] = 170.0
    found = summary(constants)
    assert not found["stable"] and "UNSTABLE: the energy falls with the strain (xx" in table(constants, found)
