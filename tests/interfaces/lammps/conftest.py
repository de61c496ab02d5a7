"""The compiled plugin of LAMMPS, exported potentials that LAMMPS has too, and the way to run it."""

import os
import subprocess

import pytest
from lammps_runs import NATIVE, PROGRAMS

from keras_ff.interfaces.lammps import build
from keras_ff.potentials import StillingerWeber


@pytest.fixture(scope="session")
def library():
    try:
        return build()
    except (ImportError, OSError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def silicon(silicon_of):
    """Folder of an exported Stillinger-Weber potential."""
    return silicon_of("saved_model")


@pytest.fixture(scope="session")
def gallium_nitride(exported):
    """The same of two elements."""
    return exported(StillingerWeber.from_lammps(NATIVE.with_name("GaN.sw")), "saved_model")


@pytest.fixture(scope="session")
def referenced(exported):
    """Stillinger-Weber silicon, with an energy of -3 eV of the isolated atom."""
    return exported(StillingerWeber.silicon(), "saved_model", [-3.0])


@pytest.fixture
def lammps(library, tmp_path):
    """Function that runs LAMMPS on structures."""

    def run(atoms, pair, commands, processes=1, before="", types="Si"):
        # Types of the data file have the order of the elements given, where these are those of the atoms.
        order = types.split() if sorted(types.split()) == sorted(set(atoms.symbols)) else None
        atoms.write(tmp_path / "atoms.data", format="lammps-data", masses=True, specorder=order)
        lines = f"""
            units metal
            atom_style atomic
            {before}
            read_data atoms.data
            {pair} {types}
            thermo_style custom step temp pe etotal pxx pyy pzz pxy pxz pyz
            dump 1 all custom 50 forces.* id proc x y z fx fy fz
            dump_modify 1 sort id format float %.17g
            {commands}
        """
        (tmp_path / "in.file").write_text(lines)
        command = [PROGRAMS["lmp"], "-in", "in.file", "-log", "none"]
        if processes > 1:
            command = [PROGRAMS["mpirun"], "-np", str(processes), *command]
        environment = {**os.environ, "LAMMPS_PLUGIN_PATH": str(library.parent)}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)

    return run
