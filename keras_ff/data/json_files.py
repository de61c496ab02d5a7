"""Frames of JSON files: pymatgen objects, and the data sets of mlearn, MPtrj, CHGNet and MatPES."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from keras_ff.data import pymatgen
from keras_ff.data.layouts import leaves
from keras_ff.data.reasons import LeftOut, NoStructures
from keras_ff.files.text import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ase import Atoms

    from keras_ff.data.units import StressConvention


def json_frames(
    path: Path, stress: StressConvention, keep_unconverged: bool = False
) -> Iterator[tuple[int, Atoms | Exception]] | None:
    """Iterator over the frames of a JSON file.

    Args:
        path: Path of the file. With the ending .jsonl, each of its lines is JSON.
        stress: Convention of the stress where it differs from that of the layout.
        keep_unconverged: Whether ionic steps of VASP are kept whose electronic steps did not converge.

    Returns:
        Iterator over tuples of the number of a frame and an `ase.Atoms`, or the exception that says what is wrong; None if the file
        is an ASE database.
    """
    try:
        with open_text(path) as file:
            if ".jsonl" in path.suffixes:
                content = [json.loads(line) for line in file if line.strip()]
            else:
                content = json.load(file)
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        return iter([(0, ValueError(f"The file is truncated or not JSON: {error}"))])
    if isinstance(content, dict) and "nextid" in content and "ids" in content:
        return None
    return _frames(content, stress, keep_unconverged)


def _frames(content, stress, keep_unconverged):
    number = 0
    items = leaves(content, keep_unconverged)
    while True:
        try:
            item = next(items)
        except StopIteration:
            break
        except Exception as error:
            yield number, ValueError(f"The JSON is not understood ({type(error).__name__}: {error}).")
            return
        try:
            for atoms in pymatgen.leaf_atoms(item, stress):
                yield number, atoms
                number += 1
        except (LeftOut, NoStructures, ImportError) as error:
            yield number, error
            number += 1
        except Exception as error:  # pymatgen raises whatever it ran into.
            text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            text = f"it has no {error}" if isinstance(error, KeyError) else text
            yield number, ValueError(f"The JSON of the structure is damaged or not understood: {text}")
            number += 1
    if not number:
        yield 0, NoStructures("The JSON holds no structure.")
