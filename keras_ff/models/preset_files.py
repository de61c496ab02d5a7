"""Presets: finished models, each in a folder with a card that says what it is made of and how good it is."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path

from keras_ff.files import checksum_of

# Those that come with the library, a folder each.
PRESETS = Path(__file__).parents[1] / "preset_folders"

# Names of the files of a preset.
MODEL, METADATA, CARD = "model.keras", "metadata.json", "README.md"

# Where a path is expected, "preset:silicon_mlearn" is the preset of that name.
PREFIX = "preset:"


def presets() -> dict[str, dict]:
    """Presets that come with the library, and what is known of each.

    `keras-ff presets` prints them, and `keras-ff presets NAME` the card of one.

    Returns:
        Dict from names to dicts with `title`, `species`, `cutoff` in Å, `errors` on a test set, `data`, `license`, `citation`.

    Example:
        >>> import keras_ff as kff
        >>> kff.presets()["silicon_stillinger_weber"]["species"]
        ['Si']
    """
    return {name: read_metadata(PRESETS / name) for name in _names()}


def is_preset(path: str | os.PathLike) -> bool:
    """Whether a path is that of a preset: its folder, or "preset:" and a name.

    Args:
        path: The path.
    """
    return os.fspath(path).startswith(PREFIX) or (Path(path) / METADATA).is_file()


def preset_folder(preset: str | os.PathLike) -> Path:
    """Folder of a preset.

    Args:
        preset: Name of a preset that comes with the library, also with "preset:" before it, or the path of a folder.

    Raises:
        ValueError: If there is no such preset.
    """
    name = os.fspath(preset).removeprefix(PREFIX)
    if name in _names():
        return PRESETS / name
    if (Path(name) / METADATA).is_file():
        return Path(name)
    near = difflib.get_close_matches(name, _names(), 1, cutoff=0.5)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"There is no preset {name!r}.{meant} The presets are {', '.join(_names())}; the folder of one that "
        f"`save_to_preset` wrote is taken too."
    )


def read_metadata(folder: str | os.PathLike) -> dict:
    """What is known of a preset.

    Args:
        folder: Folder of the preset.

    Raises:
        ValueError: If the file is damaged.
    """
    file = Path(folder) / METADATA
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
        complete = isinstance(metadata["sha256"], str)
    except (ValueError, TypeError, KeyError, RecursionError):
        complete = False
    if not complete:
        raise ValueError(f"{file} is damaged: it does not describe a preset. Copy the folder again.")
    return metadata


def preset_file(preset: str | os.PathLike) -> Path:
    """Model file of a preset, after it was compared with the checksum in the metadata.

    Args:
        preset: Name or folder, as `preset_folder` takes it.

    Raises:
        FileNotFoundError: If the folder has no model.
        ValueError: If there is no such preset, or its model is another one than it was.
    """
    folder = preset_folder(preset)
    file, expected = folder / MODEL, read_metadata(folder)["sha256"]
    if not file.is_file():
        raise FileNotFoundError(f"The preset {folder} has no {MODEL}. Copy the folder again.")
    if (found := checksum_of(file)) != expected:
        raise ValueError(
            f"{file} is not the model that {METADATA} beside it describes: its SHA-256 checksum is {found[:12]}..., and "
            f"{expected[:12]}... is expected. Copy the folder again, or write it anew with `save_to_preset`."
        )
    return file


def _names():
    return sorted(file.parent.name for file in PRESETS.glob(f"*/{METADATA}"))
