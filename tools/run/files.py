"""Small files of a run, written whole or not at all, and words about them."""

import csv
import io
import json
import math
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file, whole or not at all."""
    from keras_ff.files import replace_when_complete  # Chooses a backend, before --backend is read if it stood above.

    with replace_when_complete(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike) -> dict:
    """Dictionary of a JSON file.

    Raises:
        ValueError: If the file is damaged or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is no JSON ({error}). Restore it from a copy, or begin a new run.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds {str(content)[:60]!r}, no dictionary. Restore it from a copy.")
    return content


def write_csv(path: str | os.PathLike, columns: Iterable[str], rows: Iterable[dict]) -> None:
    """Write a table, whole or not at all; NaN becomes an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()})
    write_text(path, text.getvalue())


def read_log(path: str | os.PathLike) -> dict[str, list[float]]:
    """The log of a run as a dictionary of lists, one number for each epoch; NaN where a cell is empty.

    A last line that a kill has cut is left out.

    Raises:
        ValueError: If the file is damaged.
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    log = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline="")), 2):
        for name, cell in row.items():
            try:
                log.setdefault(name, []).append(float(cell or "nan"))
            except (TypeError, ValueError):
                raise ValueError(f"{path} is damaged: line {number} has {str(cell)[:60]!r} for {name}. Remove that line.") from None
    return log


def source_files(source: str | os.PathLike) -> list[str]:
    """Files that are read from a source: a file, `file@frames`, a folder or a glob pattern; none if there is nothing."""
    from keras_ff.data.sources import files_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Said when the data were read.
        try:
            return sorted(str(path) for path, _ in files_of(str(source))[0] if path.is_file())
        except (FileNotFoundError, ValueError):
            return []


def several(count: int, one: str, many: str | None = None) -> str:
    """A number of things in words.

    Example:
        >>> several(1, "epoch"), several(2, "batch", "batches")
        ('1 epoch', '2 batches')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
