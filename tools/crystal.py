"""The crystal that a verb computes properties of: read, reduced to its primitive cell, relaxed."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

    from keras_ff import ForceField

# Largest displacement in Å at which atoms count as symmetric.
SYMMETRY = 1e-3


def add_crystal(parser: argparse.ArgumentParser) -> None:
    """Add model, structure, `--out` and `--no-relax`."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best.keras is taken")
    parser.add_argument("structure", metavar="STRUCTURE", help="file of the crystal; the last frame of several")
    parser.add_argument("-o", "--out", required=True, metavar="FOLDER", help="where tables and pictures are written")
    parser.add_argument("--no-relax", action="store_true", help="take atoms and cell as they are")


def prepared(args: argparse.Namespace, volume: bool = False) -> "tuple[ForceField, Atoms]":
    """Model in float64 and crystal, as the options of `add_crystal` name them; says what it does.

    Second derivatives need float64, and a minimum of the energy. Constraints of the file are left out.

    Args:
        args: The options.
        volume: Whether three periodic directions are needed, not one.

    Returns:
        Tuple of the model and the crystal, as its primitive cell if spglib is installed; its axes are those of the file.

    Raises:
        ValueError: If the structure is periodic in too few directions.
    """
    from keras_ff import data, load
    from keras_ff.models.files import model_file
    from keras_ff.properties import relax
    from keras_ff_tools.run.model import kind

    path = model_file(args.model)
    atoms = data.read(args.structure)[-1]
    if not (atoms.pbc.all() if volume else atoms.pbc.any()):
        raise ValueError(
            f"{args.structure} holds {atoms.get_chemical_formula()} with pbc={atoms.pbc.tolist()}, which is no crystal. "
            "Write the cell and pbc into the file."
        )
    model = load(path, dtype="float64")
    print(f"model       {path}: {kind(model)} for {', '.join(model.species)}, cutoff {model.cutoff:g} Å, in float64")
    given = atoms.get_chemical_formula()
    if atoms.constraints:
        print("            the constraints of the file are left out")
    atoms.set_constraint()
    if not args.no_relax:
        what = "cell and atoms" if atoms.pbc.all() else "atoms"
        print(f"relaxing    {what} of {given} ...", end="", flush=True)
        began = time.monotonic()
        atoms = relax(model, atoms)
        print(f" {time.monotonic() - began:.0f} s")
    atoms, told = primitive(atoms)
    lengths, angles = (" ".join(f"{value:.{digits}f}" for value in values) for values, digits in _cell(atoms))
    print(f"crystal     {given}{told}: {lengths} Å, {angles}°", flush=True)
    Path(args.out).mkdir(parents=True, exist_ok=True)
    return model, atoms


def primitive(atoms: "Atoms") -> "tuple[Atoms, str]":
    """Primitive cell of a crystal in its orientation, and words about it.

    Args:
        atoms: The crystal. It is returned as it is where it is not periodic in three directions or spglib is not installed.

    Returns:
        Tuple of the primitive cell and what to say of it, "" for nothing.
    """
    import numpy as np

    try:
        import spglib
    except ImportError:
        return atoms, " (as in the file: the primitive cell is found with pip install spglib)"
    if not atoms.pbc.all():
        return atoms, ""
    # Isotopes are not equal.
    kinds, numbers = np.unique(np.stack([atoms.numbers, atoms.get_masses()], axis=1), axis=0, return_inverse=True)
    crystal = (atoms.cell.array, atoms.get_scaled_positions(), numbers.ravel() + 1)
    found = spglib.standardize_cell(crystal, to_primitive=True, no_idealize=True, symprec=SYMMETRY)
    group = spglib.get_spacegroup(crystal, symprec=SYMMETRY)
    if found is None or group is None:
        return atoms, ""
    cell, positions, types = found
    result = type(atoms)(kinds[types - 1, 0].astype(int), cell=cell, scaled_positions=positions, pbc=True)
    result.set_masses(kinds[types - 1, 1])
    return result, f", space group {group}, primitive cell {result.get_chemical_formula()}"


def _cell(atoms):
    return (atoms.cell.lengths(), 4), (atoms.cell.angles(), 2)
