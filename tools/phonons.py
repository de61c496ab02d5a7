"""Phonons of a crystal: bands along the usual path, density of states, thermodynamic functions, and whether it is stable.

  keras-ff phonons silicon.keras POSCAR -o phonons_silicon
  keras-ff phonons runs/first MgO.cif -o phonons_MgO --path GXKGL --temperature 500
  keras-ff phonons silicon.keras POSCAR -o phonons_silicon --supercell 4       writes phonopy_params.yaml too
  keras-ff phonons bks.keras quartz.cif -o phonons_quartz --supercell 2 2 2    long-ranged: phonopy interpolates

Cell and atoms are relaxed first, in float64. The dynamical matrices are exact for any wave vector and need no supercell; where a
potential has a part of long range (an Ewald sum) they are those of the force constants of a supercell, without the splitting of
longitudinal and transverse modes at the zone center. Written are bands.csv, bands.png, density_of_states.csv,
density_of_states.png, thermal.csv, phonons.json and relaxed.xyz. Imaginary frequencies are negative numbers.
"""

import argparse
from pathlib import Path

from keras_ff_tools.crystal import add_crystal, prepared

# An even mesh has as many points along each axis as cells make a length of so many Å, but not more than MOST_POINTS.
LENGTH, MOST_POINTS = 75.0, 20

# Avogadro's number times the elementary charge: from eV per atom to J/mol.
JOULE = 96485.33212


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_crystal(parser)
    parser.add_argument("--path", metavar="NAMES", help="special points, such as GXWKGL; by default the usual path of the lattice")
    parser.add_argument("--points", type=int, default=200, metavar="N", help="wave vectors along the path (default 200)")
    text = "wave vectors of the even mesh along each axis, for the density of states (by default by the size of the cell)"
    parser.add_argument("--mesh", type=int, metavar="N", help=text)
    parser.add_argument("--temperature", type=float, default=300.0, metavar="T", help="temperature of the table in K (default 300)")
    text = "cells along each axis of a supercell, whose force constants are written for phonopy"
    parser.add_argument("--supercell", type=int, nargs="+", metavar="N", help=text)


def run(args: argparse.Namespace) -> None:
    """Compute, print the tables, and write the files."""
    import ase.io
    import numpy as np

    from keras_ff.properties import band_path, mesh

    if args.points < 2 or (args.mesh or 1) < 1 or args.temperature <= 0:
        raise ValueError(
            "Points and temperature are positive. "
            f"Received --points {args.points}, --mesh {args.mesh}, --temperature {args.temperature:g}."
        )
    if args.supercell and (len(args.supercell) not in (1, 3) or min(args.supercell) < 1):
        raise ValueError(f"A supercell is one number or three, such as --supercell 2 2 2. Received {args.supercell}.")
    model, atoms = prepared(args)
    if model.wave_cutoff > 0 and not args.supercell:
        raise ValueError(
            "The potential has a part of long range (an Ewald sum), so its phonons need the force constants of a supercell. "
            "Give --supercell, such as --supercell 3, and repeat it with a larger one."
        )
    try:
        path = band_path(atoms, args.path, args.points)
    except (KeyError, ValueError) as error:
        points = " ".join(atoms.cell.bandpath(pbc=atoms.pbc).special_points)
        raise ValueError(
            f"--path {args.path} is no path of this lattice, whose points are {points}. Leave it out for the usual one."
        ) from error
    size = args.mesh or min(MOST_POINTS, int(np.ceil(LENGTH / atoms.cell.lengths()[atoms.pbc].min())))
    wave_vectors = np.concatenate([path.kpts, mesh(size)])
    print(f"computing   {len(path.kpts)} wave vectors along {path.path}, and a mesh of {size} x {size} x {size} ...", flush=True)
    out = Path(args.out)
    supercell = _supercell(model, atoms, args.supercell, out) if args.supercell else None
    frequencies = _frequencies(model, atoms, wave_vectors, supercell)
    bands, even = np.split(frequencies, [len(path.kpts)])
    print(f"\n{_bands_table(path, bands)}\n\n{_thermal_table(even, len(atoms), args.temperature)}\n\n{_stability(frequencies)}")
    ase.io.write(out / "relaxed.xyz", atoms)
    _write(out, atoms, path, bands, even, args.temperature)
    print(f"\nwritten to {out}")


def _frequencies(model, atoms, wave_vectors, supercell):
    from keras_ff.properties import Phonons

    if model.wave_cutoff > 0:
        return supercell.run_qpoints(wave_vectors).frequencies
    return Phonons(model, atoms, wave_vectors)()


def _supercell(model, atoms, repeat, out):
    """Phonopy with the force constants of a supercell, which are written too."""
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError as error:
        raise ImportError("--supercell needs phonopy, which is not installed: pip install phonopy.") from error
    import numpy as np
    from ase import Atoms

    from keras_ff.properties import ForceConstants

    cell = PhonopyAtoms(
        atoms.get_chemical_symbols(),
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
        masses=atoms.get_masses(),
    )
    matrix = np.diag(repeat * 3 if len(repeat) == 1 else repeat)
    phonopy = Phonopy(cell, matrix, primitive_matrix=np.eye(3))
    large = phonopy.supercell
    large = Atoms(large.symbols, scaled_positions=large.scaled_positions, cell=large.cell, pbc=atoms.pbc)
    print(f"            force constants of a supercell of {len(large)} atoms ...", flush=True)
    constants = ForceConstants(model, large)().reshape(len(large), 3, len(large), 3)
    phonopy.force_constants = constants.transpose(0, 2, 1, 3)
    phonopy.save(str(out / "phonopy_params.yaml"), settings={"force_constants": True})
    return phonopy


def _bands_table(path, bands):
    """Frequencies at the special points of the path."""
    import numpy as np

    _, _, labels = path.get_linear_kpoint_axis()
    lines = ["frequencies in THz"]
    for label in dict.fromkeys(labels):
        index = int(np.abs(path.kpts - path.special_points[label]).sum(axis=1).argmin())
        numbers = [f"{value + 0.0:8.3f}" for value in bands[index].round(3)]
        for first in range(0, len(numbers), 12):
            lines.append(f"{'' if first else label:<6}" + "".join(numbers[first : first + 12]))
    return "\n".join(lines)


def _thermal_table(even, n, temperature):
    zero, free, entropy, capacity = _thermal(even, n, temperature)
    return "\n".join(
        [
            f"{f'at {temperature:g} K, harmonic':<32}{'per atom':>12}{'':<9}{'per mole of atoms':>18}",
            f"{'zero-point energy':<32}{1e3 * zero:>12.3f} meV    {1e-3 * JOULE * zero:>14.4f} kJ/mol",
            f"{'free energy F of the vibrations':<32}{1e3 * free:>12.3f} meV    {1e-3 * JOULE * free:>14.4f} kJ/mol",
            f"{'entropy S':<32}{1e3 * entropy:>12.5f} meV/K  {JOULE * entropy:>14.4f} J/(mol K)",
            f"{'heat capacity Cv':<32}{1e3 * capacity:>12.5f} meV/K  {JOULE * capacity:>14.4f} J/(mol K)",
        ]
    )


def _thermal(even, n, temperature):
    """Zero-point energy, free energy in eV, entropy and heat capacity in eV/K, per atom."""
    from keras_ff.properties import entropy, free_energy, heat_capacity

    # At so low a temperature nothing but the zero-point energy is left.
    values = free_energy(even, 1e-3), free_energy(even, temperature), entropy(even, temperature), heat_capacity(even, temperature)
    return [float(value) / n for value in values]


def _stability(frequencies):
    from keras_ff.properties.phonons import UNSTABLE

    lowest = frequencies.min()
    if lowest >= -UNSTABLE:
        return "stability   stable: no frequency is imaginary"
    return f"stability   UNSTABLE: the energy falls along modes, the softest with {-lowest:.3f}i THz; the crystal would distort"


def _write(out, atoms, path, bands, even, temperature):
    import numpy as np

    from keras_ff import plots
    from keras_ff.properties import density_of_states
    from keras_ff.properties.phonons import UNSTABLE
    from keras_ff_tools.run.files import write_csv, write_json

    x, _, _ = path.get_linear_kpoint_axis()
    modes = [f"mode_{number}" for number in range(1, bands.shape[1] + 1)]
    rows = ({"distance": at, **dict(zip("xyz", k)), **dict(zip(modes, row))} for at, k, row in zip(x, path.kpts, bands))
    write_csv(out / "bands.csv", ["distance", *"xyz", *modes], rows)
    low, high = even.min(), even.max()
    width = 0.01 * (high - min(low, 0.0))
    at = np.linspace(low - 3 * width if low < 0.0 else 0.0, high + 3 * width, 400)
    density = np.asarray(density_of_states(even, at, width))
    write_csv(
        out / "density_of_states.csv", ["THz", "modes_per_THz"], ({"THz": f, "modes_per_THz": d} for f, d in zip(at, density))
    )
    names = ("zero_point_eV", "free_energy_eV", "entropy_eV_per_K", "heat_capacity_eV_per_K")
    temperatures = sorted({*np.arange(20.0, 1001.0, 20.0), temperature})
    thermal = [{"K": one, **dict(zip(names, _thermal(even, len(atoms), one)))} for one in temperatures]
    write_csv(out / "thermal.csv", ["K", *names], thermal)
    content = {
        "unit": "THz, eV and K per atom",
        "stable": bool(min(low, bands.min()) >= -UNSTABLE),
        "lowest": float(min(low, bands.min())),
        "path": path.path,
        "thermal": thermal[temperatures.index(temperature)],
    }
    write_json(out / "phonons.json", content)
    name = atoms.get_chemical_formula(empirical=True)
    plots.bands(path, {name: bands}, title=f"Phonons of {name}").savefig(out / "bands.png")
    plots.density_of_states(at, {name: density}, title=f"Phonons of {name}").savefig(out / "density_of_states.png")
