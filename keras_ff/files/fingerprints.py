"""Fingerprints: what a folder or file belongs to, so that the work of another job is not taken for one's own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ase import Atoms

# Positions and labels count to this many decimals in Å and eV: the last digits differ between computers.
DECIMALS = 7

# Entries of a Keras configuration that differ between two copies of the same model, or versions of the libraries.
_ACCIDENTAL = {"name", "module", "build_config", "compile_config", "shared_object_id", "format"}


def fingerprint(value: Any) -> str:
    """Short text that is the same for the same values, in every process, on every computer and with either backend.

    Args:
        value: Nested dictionaries, lists and tuples of numbers, strings, None and arrays; another object counts by its name, or by
            the name of its class.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> fingerprint({"cutoff": 5.0, "species": ["Si"]}) == fingerprint({"species": ("Si",), "cutoff": np.float64(5.0)})
        True
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_structures(structures: Iterable[Atoms], labels: Iterable[Mapping[str, Any]] = ()) -> str:
    """Fingerprint of structures and their labels, to 1e-7 Å and eV.

    Args:
        structures: `ase.Atoms` each.
        labels: Dict of numbers and arrays for each structure.
    """
    rows = [(atoms.numbers, _rounded(atoms.positions), _rounded(atoms.cell[:]), np.asarray(atoms.pbc)) for atoms in structures]
    return fingerprint([rows, [{name: _rounded(value) for name, value in one.items()} for one in labels]])


def of_config(config: Any) -> Any:
    """Configuration of a Keras object without names and other entries that say nothing of what it computes.

    Args:
        config: Nested dictionaries and lists, as `get_config` returns them.
    """
    if isinstance(config, dict):
        return {key: of_config(value) for key, value in config.items() if key not in _ACCIDENTAL}
    return [of_config(item) for item in config] if isinstance(config, (list, tuple)) else config


def differences(then: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two nested dictionaries, each as a short text such as "count: 2 then, 3 now".

    Args:
        then: Nested dictionaries of numbers, strings and lists, as they were read from a file.
        now: The same of the present.
        name: Name of the two in the texts.

    Example:
        >>> differences({"count": 2, "pool": {"size": 5}}, {"count": 3, "pool": {"size": 5}})
        ['count: 2 then, 3 now']
    """
    if isinstance(then, dict) and isinstance(now, dict):
        names = [*then, *(key for key in now if key not in then)]
        found = [differences(then.get(key), now.get(key), f"{name} {key}".strip()) for key in names]
        return [text for texts in found for text in texts]
    if _plain(then) == _plain(now):
        return []
    return [f"{name}: {_short(then)} then, {_short(now)} now"]


def _short(value):
    text = str(value)
    return text if len(text) < 60 else f"{text[:50]} ..."


def _rounded(values):
    # Without negative zeros.
    return np.round(np.asarray(values, dtype="float64"), DECIMALS) + 0.0


def _plain(value):
    """The same in types that JSON writes in one way only."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufS":
        kind = {"b": "|b1", "f": "<f8", "S": value.dtype}.get(value.dtype.kind, "<i8")
        array = np.ascontiguousarray(value, dtype=kind)
        if kind == "<f8":
            array = np.where(np.isnan(array), np.nan, array)
        return [list(value.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    return getattr(value, "__qualname__", type(value).__qualname__)
