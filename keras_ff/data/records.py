"""Records of labeled structures: the arrays that a data set and a cache are made of."""

import numpy as np
from ase import Atoms

from keras_ff.data.batches import Batcher
from keras_ff.data.geometry_checks import on_top
from keras_ff.data.label_search import SHORTEST, labels
from keras_ff.data.placement import Placement


def labelled_record(atoms: Atoms, index: int, batcher: Batcher, placement: Placement | None = None) -> dict:
    """Record of a labeled structure: a dict of its arrays, neighbors and labels, all of which are checked.

    Args:
        atoms: The structure, an `ase.Atoms` with or without labels.
        index: Index of the structure in its list, for error messages.
        batcher: `Batcher` that makes the record.
        placement: Placement of the structure; chosen by `Placement.of` by default.

    Returns:
        Dict of `Batcher.record`, and the labels `energy` in eV, `forces` (atoms, 3) in eV/Å and `stress` (6,) in eV/Å³, NaN where
        missing. The Boolean `stress_set_aside` tells whether a stress is left out as the structure is not periodic in three
        directions.

    Raises:
        ValueError: If the structure or a label is broken, or atoms lie on top of each other.
    """
    try:
        record = batcher.record(atoms, placement)
        if record["distance"] < SHORTEST:
            pair = record["closest"]
            raise ValueError(f"{on_top(int(record['i'][pair]), int(record['j'][pair]), record['distance'])}.")
        known = labels(atoms)
    except ValueError as error:
        formula = atoms.get_chemical_formula()
        raise ValueError(f"Structure {index} ({formula}): {str(error).removeprefix(f'{formula}: ')}") from error
    keep = all(record["pbc"].tolist()) or not np.isfinite(known["stress"]).all()
    return {**record, **known, "stress": known["stress"] if keep else np.full(6, np.nan), "stress_set_aside": not keep}
