"""Relaxation from the command line."""

import ase.io
import pytest
from ase.build import bulk

import keras_ff as kff


@pytest.mark.slow_on_tensorflow
def test_structures_become_minima_with_and_without_the_cell(tmp_path, keras_ff):
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(tmp_path / "silicon.keras")
    wide = bulk("Si", cubic=True, a=5.5)
    wide.rattle(0.05, seed=0)
    ase.io.write(tmp_path / "wide.xyz", wide)
    done = keras_ff("relax", tmp_path / "silicon.keras", tmp_path / "wide.xyz", "-o", tmp_path / "free.xyz")
    assert done.status == 0 and "-4.33660" in done.out, done.err
    free = ase.io.read(tmp_path / "free.xyz")
    # The lattice constant of Stillinger-Weber silicon.
    assert free.cell.lengths() == pytest.approx([5.43095] * 3, abs=1e-5)
    assert abs(free.get_forces()).max() < 1e-6 and abs(free.get_stress()).max() < 1e-6
    done = keras_ff("relax", tmp_path / "silicon.keras", tmp_path / "wide.xyz", "-o", tmp_path / "held.xyz", "--fixed-cell")
    assert done.status == 0, done.err
    held = ase.io.read(tmp_path / "held.xyz")
    assert held.cell.lengths() == pytest.approx([5.5] * 3) and abs(held.get_forces()).max() < 1e-6
    assert held.get_potential_energy() > free.get_potential_energy()
