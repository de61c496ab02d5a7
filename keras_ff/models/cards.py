"""Models from presets and to presets, with the card that a person reads."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_ff import backend
from keras_ff.files import checksum_of, replace_when_complete
from keras_ff.models.files import astype, load
from keras_ff.models.preset_files import CARD, METADATA, MODEL, preset_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keras_ff.models.force_field import ForceField

# Entries of the metadata that are paragraphs of the card, with their titles.
PARAGRAPHS = {"data": "Data", "license": "License", "citation": "Citation", "command": "Made with"}

# Entries of the rows of its tables, with the headings of their columns.
ERRORS = {"group": "group", "label": "label", "count": "count", "mae": "MAE", "rmse": "RMSE", "largest": "largest", "unit": "unit"}
SPREADS = {
    "label": "label",
    "count": "count",
    "error": "RMS error",
    "spread": "RMS spread",
    "expected": "calibrated",
    "unit": "unit",
    "correlation": "correlation",
    "deviation": "mean deviation",
}


def kind(model: ForceField) -> str:
    """Names of the potentials of a model, such as "NeuralIL + ZBL", and the size of a committee.

    Args:
        model: The model.
    """
    terms = " + ".join(type(term).__name__ for term in model.potential.terms())
    return terms if model.members is None else f"{terms}, committee of {model.members}"


class PresetModel:
    """Model that comes from presets and is written to them."""

    @classmethod
    def from_preset(cls, preset: str | Path, dtype: str | None = None) -> ForceField:
        """Return the model of a preset; `keras_ff.presets()` lists those that come with the library.

        Args:
            preset: Name of a preset, such as "silicon_mlearn", or a folder that `save_to_preset` wrote.
            dtype: "float32" or "float64" to convert the model; by default it keeps its own.

        Raises:
            ValueError: If there is no such preset, it is damaged, or its model is no `Ensemble` for `Ensemble.from_preset`.

        Example:
            >>> import keras_ff as kff
            >>> kff.ForceField.from_preset("silicon_stillinger_weber").species
            ['Si']
        """
        model = load(preset_file(preset), dtype)
        if not isinstance(model, cls):
            raise ValueError(f"The preset {preset} is a {type(model).__name__}. Load it with keras_ff.ForceField.from_preset.")
        return model

    def save_to_preset(
        self,
        folder: str | Path,
        title: str = "",
        data: str = "",
        license: str = "",
        citation: str = "",
        command: str = "",
        errors: Sequence[Mapping] = (),
        spreads: Sequence[Mapping] = (),
    ) -> None:
        """Write the model with all that others should know of it into a folder, which `from_preset` takes.

        The folder has the model without its optimizer, `metadata.json` with versions and a checksum, and a card, `README.md`.

            model.save_to_preset("silicon_hot", title="Silicon up to 3000 K", data="PBE, 214 structures", license="CC-BY-4.0")

        Args:
            folder: The folder, whose name is that of the preset. What it holds of a preset is replaced.
            title: What the model is, in one line.
            data: What it was trained and tested on.
            license: License of data and weights.
            citation: What to cite.
            command: How it was made.
            errors: Errors on a test set: the rows that `keras-ff evaluate` writes as CSV, each a dict of `group`, `label`, `unit`,
                `count`, `mae`, `rmse` and `largest`.
            spreads: How well the spread of a committee tells its errors on that test set: dicts of `label`, `unit`, `count`, the
                root mean squares `error`, `spread` and, after a calibration, `expected`, and `correlation` and `deviation` of the
                last of these from the errors, see `keras_ff.models.correlation` and `miscalibration`.
        """
        about = {"title": title, "data": data, "license": license, "citation": citation, "command": command}
        # The card of a single model says nothing of spreads.
        _write(self, folder, about, {"errors": errors, **({"spreads": spreads} if spreads else {})})


def card(metadata: Mapping) -> str:
    """Markdown page about a preset.

    Args:
        metadata: What `keras_ff.models.preset_files.read_metadata` returns.
    """
    name = metadata["name"]
    lines = [
        f"# {name}",
        metadata.get("title", ""),
        "```python\n"
        "import keras_ff as kff\n\n"
        f'model = kff.ForceField.from_preset("{name}")  # or the path of this folder\n'
        f"{_calculator(metadata)}\n"
        "```",
        "| | |\n|---|---|\n"
        f"| potential | {metadata['potential']} |\n"
        f"| species | {', '.join(metadata['species'])} |\n"
        f"| cutoff | {metadata['cutoff']:g} Å |\n"
        f"| parameters | {metadata['parameters']}, {metadata['dtype']} |\n"
        f"| written with | {', '.join(f'{what} {which}' for what, which in metadata['versions'].items())} |\n"
        f"| SHA-256 of the model | `{metadata['sha256']}` |",
        *_table("Errors on the test set", ERRORS, metadata["errors"]),
        *_table("Spread of the members against the errors", SPREADS, metadata.get("spreads")),
        *(f"## {title}\n{metadata[entry]}" for entry, title in PARAGRAPHS.items() if metadata.get(entry)),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _write(model, folder, about, tables):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A copy is not compiled, and has no state of an optimizer.
    astype(model, model.compute_dtype).save(folder / MODEL)
    name = backend.backend_name()
    metadata = {
        "name": folder.resolve().name,
        **about,
        "potential": kind(model),
        "species": list(model.species),
        "cutoff": model.cutoff,
        "dtype": model.compute_dtype,
        "parameters": model.count_params(),
        **{name: [dict(row) for row in rows] for name, rows in tables.items()},
        "versions": {"keras_ff": version("keras_ff"), "keras": keras.version(), name: version(name)},
        "sha256": checksum_of(folder / MODEL),
    }
    for file, text in ((METADATA, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"), (CARD, card(metadata))):
        with replace_when_complete(folder / file) as part:
            part.write_text(text, encoding="utf-8")


def _calculator(metadata):
    """The line of Python that makes a calculator; that of a committee tells its spread, or the errors to expect."""
    if not metadata.get("spreads"):
        return "atoms.calc = kff.Calculator(model)"
    calibrated = ", calibrated=True" if any("expected" in row for row in metadata["spreads"]) else ""
    return f"atoms.calc = kff.Calculator(model{calibrated})  # results: energy_std, forces_std"


def _table(title, columns, rows):
    """A table under a heading, from the names of entries to headings of columns; nothing without rows."""
    if not rows:
        return []
    lines = [f"## {title}", f"| {' | '.join(columns.values())} |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = (row.get(name, "") for name in columns)
        lines.append(f"| {' | '.join(f'{cell:.4g}' if isinstance(cell, float) else str(cell) for cell in cells)} |")
    return ["\n".join(lines)]
