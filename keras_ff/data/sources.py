"""Files behind a source of structures: a file, frames of a file, a folder or a pattern."""

from __future__ import annotations

import glob
import os
import warnings
from pathlib import Path

# Patterns of the files that are read from a folder. A file given by name is read whatever it is called.
FOLDER_PATTERNS = (
    "*.xyz",
    "*.extxyz",
    "*.xyz.gz",
    "*.extxyz.gz",
    "*.db",
    "*.traj",
    "*.json",
    "*.json.gz",
    "*.jsonl",
    "*.jsonl.gz",
    "*vasprun*.xml*",
    "*OUTCAR*",
)

# Files of custodian, FireWorks and atomate in the folder of a run. Structures in them are inputs, without labels.
PASSED_OVER = ("FW.json", "custodian.json", "transformations.json")


def files_of(name: str) -> tuple[list[tuple[Path, str | None]], bool]:
    """Files behind the name of a source.

    Args:
        name: File, `file@frames`, folder or glob pattern.

    Returns:
        Tuple of a list of pairs of a path and the frames that the name selects, or None, and whether the name is a folder.

    Raises:
        FileNotFoundError: If there is nothing of that name.
        ValueError: If a folder has no files of structures.
    """
    if not os.path.exists(name) and "@" in name and os.path.exists(name.rpartition("@")[0]):
        path, _, frames = name.rpartition("@")
        return [(Path(path), frames)], False
    if os.path.isdir(name):
        return [(path, None) for path in _of_folder(name)], True
    if os.path.exists(name):
        return [(Path(name), None)], False
    paths = sorted(Path(path) for path in glob.glob(name, recursive=True))
    if not paths:
        raise FileNotFoundError(f"There is no file, folder or glob pattern {name!r} (in {os.getcwd()}).")
    return [(path, None) for path in paths], False


def is_passed_over(path: Path) -> bool:
    """Whether a file in a folder is one of the workflow around a calculation, see `PASSED_OVER`."""
    return path.name.removesuffix(".gz") in PASSED_OVER


def _of_folder(name):
    found = {path for pattern in FOLDER_PATTERNS for path in Path(name).rglob(pattern) if path.is_file()}
    # Half-written files of killed processes, copies of editors and notebooks, and what macOS adds have hidden names or folders.
    paths = sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(name).parts))
    if not paths:
        raise ValueError(f"The folder {name} has no files of structures. Looked for {', '.join(FOLDER_PATTERNS)}.")
    xml = {(path.parent, path.name.removesuffix(".gz")) for path in paths if "vasprun" in path.name}
    # Both files of a first and a second relaxation have the same ending, such as .relax1.
    twice = [path for path in paths if (path.parent, path.name.removesuffix(".gz").replace("OUTCAR", "vasprun.xml")) in xml]
    twice = [path for path in twice if "OUTCAR" in path.name]
    if twice:
        warnings.warn(f"{twice[0]} and {len(twice) - 1} more are left out: the vasprun.xml beside them is read.", stacklevel=2)
    return [path for path in paths if path not in twice]
