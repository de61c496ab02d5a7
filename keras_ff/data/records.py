"""One structure with its labels as arrays: what a data set and a cache are made of."""

import numpy as np
from ase import Atoms

from keras_ff.data.batches import Batcher, contact, shortest
from keras_ff.data.labels import SHORTEST, labels


def labelled_record(atoms: Atoms, index: int, batcher: Batcher) -> dict:
    """Arrays of a structure, checked, with its neighbors and its labels; neighbors are searched once.

    Args:
        atoms: The structure.
        index: Its index in the list, for error messages.
        batcher: Makes the record.

    Returns:
        Dict of `Batcher.record`, and the labels `energy` in eV, `forces` (atoms, 3) in eV/Å and `stress` (6,) in eV/Å³, NaN where
        missing. A stress needs three periodic directions; `stress_set_aside` tells whether there was one without.

    Raises:
        ValueError: If the structure or a label is broken, or atoms lie on top of each other.
    """
    try:
        record = batcher.record(atoms)
        if record["distance"] < SHORTEST:
            raise ValueError(f"{contact(record, shortest(record)[0])}.")
        found = labels(atoms)
    except ValueError as error:
        formula = atoms.get_chemical_formula()
        raise ValueError(f"Structure {index} ({formula}): {str(error).removeprefix(f'{formula}: ')}") from error
    known = atoms.pbc.all() or not np.isfinite(found["stress"]).all()
    return {**record, **found, "stress": found["stress"] if known else np.full(6, np.nan), "stress_set_aside": not known}
