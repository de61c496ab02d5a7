"""One structure as arrays: what a batch and a cache are made of."""

import numpy as np
from ase import Atoms

from keras_ff.data.labels import check_structure, labels
from keras_ff.data.neighbors import neighbor_list


def structure_record(atoms, index, cutoff):
    """Arrays of an `ase.Atoms`, checked, with its labels and its neighbor list.

    Args:
        atoms: An `ase.Atoms`.
        index: Its number in the list, for error messages.
        cutoff: Radius of the neighbor list in Å.

    Returns:
        Dictionary of `positions` (atoms, 3), `numbers` (atoms,), `cell` (3, 3) with zeros where the structure does not repeat,
        pairs `i`, `j` (pairs,) and `S` (pairs, 3) as in `neighbor_list`, and the labels `energy`, `forces` (atoms, 3) and `stress`
        (6,), NaN where missing. A stress needs three periodic directions.

    Raises:
        ValueError: If the structure or a label is broken.
    """
    try:
        check_structure(atoms)
        found = labels(atoms)
    except ValueError as error:
        raise ValueError(f"Structure {index} ({atoms.get_chemical_formula()}): {error}") from error
    cell = atoms.cell[:] * atoms.pbc[:, None]
    positions = near_the_cell(atoms)
    i, j, S = neighbor_list(Atoms(numbers=atoms.numbers, positions=positions, cell=cell, pbc=atoms.pbc), cutoff)
    return {
        "positions": positions,
        "numbers": atoms.numbers,
        "cell": cell,
        "i": i,
        "j": j,
        "S": S,
        "energy": found["energy"],
        "forces": found["forces"],
        "stress": found["stress"] if atoms.pbc.all() else np.full(6, np.nan),
    }


def near_the_cell(atoms):
    """Positions in Å; those more than a cell away are moved into it, as they would lose digits in single precision."""
    if not atoms.pbc.any():
        return atoms.positions
    cell = atoms.cell.complete()
    crossings = np.floor(cell.scaled_positions(atoms.positions)) * atoms.pbc
    if np.abs(crossings).max(initial=0.0) <= 1.0:
        return atoms.positions
    return atoms.positions - crossings @ cell[:]
