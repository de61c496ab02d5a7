"""Description of an exported force field, `artifact.json`, and the checks of an artifact before its code is run.

The file `calculator.py` of each artifact contains this code. The plugin of LAMMPS has the same checks in C++, in
`lammps/artifact.h`.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.data import atomic_numbers

from keras_ff.files.checksums import checksum, checksum_of

if TYPE_CHECKING:
    import os

# Format of the folder, a number that is raised when older code cannot read newer artifacts.
FORMAT = 1
DESCRIPTION = "artifact.json"
KINDS = {"saved_model": "saved_model/saved_model.pb", "stablehlo": "model.stablehlo"}
DTYPES = ("float32", "float64")
EXPORTED_UNITS = {"length": "Å", "energy": "eV", "gradient": "eV/Å"}
INPUTS = ["vectors", "mask", "center_species", "neighbor_species"]
OUTPUTS = ["energies", "gradient"]

# A description has a few kB; cutoffs are below 20 Å.
MOST_BYTES, LONGEST_CUTOFF = 2**24, 100.0

CHECKSUM = re.compile("[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
TENSOR = re.compile("[A-Za-z0-9._/-]+:[0-9]{1,4}")
BLANK = b"0" * 64


def write_description(folder: str | os.PathLike, description: dict[str, Any]) -> None:
    """Write `artifact.json` with a checksum of its own, which is that of the file with zeros in its place.

    Args:
        folder: Folder of the artifact.
        description: Content of the file, without its checksum.
    """
    text = json.dumps({**description, "checksum": BLANK.decode()}, indent=2, ensure_ascii=False) + "\n"
    content = text.encode()
    (Path(folder) / DESCRIPTION).write_bytes(content.replace(BLANK, checksum(content).encode()))


def read_description(folder: str | os.PathLike) -> dict[str, Any]:
    """Description of an artifact, after its files were compared with their checksums.

    Args:
        folder: Folder of the artifact.

    Returns:
        Content of `artifact.json`, a dict.

    Raises:
        ValueError: If the folder is not an artifact, a file is missing, was changed or lies elsewhere, or the format is newer.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise ValueError(f"{folder} is no artifact: it has no {DESCRIPTION}. Write one with `keras-ff export`.")
    description, content = _parsed(path)
    version = description.get("format")
    if type(version) is int and version > FORMAT:
        raise ValueError(f"{folder} has format {version}, and this code reads up to {FORMAT}. Use a newer keras_ff.")
    if "checksum" not in description:
        warnings.warn(
            f"{path} was written before it had a checksum of its own: changes of it go unseen. Export it again.", stacklevel=4
        )
    elif not _is_sealed(content, description["checksum"]):
        raise _damaged(path, "is not as it was written")
    problem = problem_of(description)
    if problem:
        raise _damaged(path, f"has {problem}")
    _compare_files(Path(folder), description)
    return description


def problem_of(description: dict[str, Any]) -> str | None:
    """What is wrong with a description.

    Args:
        description: Content of `artifact.json`.

    Returns:
        End of a sentence that begins "artifact.json has"; None if nothing is wrong.
    """
    get = description.get
    cutoff, species, outputs = get("cutoff"), get("species"), get("outputs")
    kind = get("kind") if isinstance(get("kind"), str) else None
    files = get("files") if isinstance(get("files"), dict) else {}
    # The names of tensors are for C++; the first SavedModels were written without.
    tensors = get("tensors", {name: f"{name}:0" for name in (*INPUTS, *OUTPUTS, "energies_std")})
    named = [tensors.get(name) for name in (*INPUTS, *outputs)] if isinstance(tensors, dict) and _are_outputs(outputs) else []
    checks = (
        (type(get("format")) is int and get("format") >= 1, f"the format {get('format')!r}, which is no number of a format"),
        (kind in KINDS, f"the kind {get('kind')!r}, which is none of {', '.join(KINDS)}"),
        (get("dtype") in DTYPES, f"the dtype {get('dtype')!r}, which is none of {', '.join(DTYPES)}"),
        (get("units") == EXPORTED_UNITS, f"the units {get('units')!r}, which are not {EXPORTED_UNITS}"),
        (
            type(cutoff) in (int, float) and math.isfinite(cutoff) and 0 < cutoff <= LONGEST_CUTOFF,
            f"the cutoff {cutoff!r}, which is not between 0 and {LONGEST_CUTOFF:g} Å",
        ),
        (_are_elements(species), f"the species {species!r}, which are not different elements"),
        (get("inputs") == INPUTS and _are_outputs(outputs), "other inputs or outputs than expected"),
        (KINDS.get(kind) in files, "no list of its files"),
        (all(map(NAME.fullmatch, files)), "a name of a file that leaves the folder"),
        (all(_is(CHECKSUM, value) for value in files.values()), "checksums that are none"),
        (named and all(_is(TENSOR, name) for name in named), "names of tensors that are none"),
        (len({str(name) for name in named}) == len(named), "a tensor that is there twice"),
    )
    return next((problem[:300] for holds, problem in checks if not holds), None)


def _is(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _are_outputs(names):
    return names in (OUTPUTS, [*OUTPUTS, "energies_std"])


def _are_elements(species):
    """Whether species are a list of different chemical symbols, not empty; the placeholder X of ASE is no element."""
    if not (isinstance(species, list) and species and all(isinstance(symbol, str) for symbol in species)):
        return False
    return len(set(species)) == len(species) and all(atomic_numbers.get(symbol, 0) > 0 for symbol in species)


def _parsed(path):
    """A description and the bytes of its file."""
    if path.stat().st_size > MOST_BYTES:
        raise _damaged(path, "is not as it was written")
    content = path.read_bytes()
    try:
        description = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise _damaged(path, "is not as it was written") from None
    if not isinstance(description, dict):
        raise _damaged(path, "is not as it was written")
    return description, content


def _is_sealed(content, digits):
    """Whether the content of a description has the checksum that stands in it."""
    if not _is(CHECKSUM, digits):
        return False
    return checksum(content.replace(digits.encode(), BLANK)) == digits


def _compare_files(folder, description):
    home = folder.resolve()
    for name, expected in description["files"].items():
        file = folder / name
        if not file.is_file():
            raise _damaged(file, "is missing")
        if not file.resolve().is_relative_to(home):
            raise _damaged(file, "is a link that leads out of the folder")
        if checksum_of(file) != expected:
            raise _damaged(file, "is not as it was written")
    # What TensorFlow would read beside them.
    for file in sorted((folder / "saved_model").rglob("*")) if description["kind"] == "saved_model" else ():
        known = file.relative_to(folder).as_posix() in description["files"]
        if not (known or file.name.startswith(".") or (file.is_dir() and not file.is_symlink())):
            raise ValueError(f"{file} is no part of the artifact: remove it, or export the artifact again.")


def _damaged(path, problem):
    return ValueError(f"{path} {problem}: the artifact is damaged. Export it again.")
