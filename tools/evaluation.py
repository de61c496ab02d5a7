"""Predictions of a model for labelled structures, their errors, and the files that hold both."""

import csv
import dataclasses
import io

import numpy as np

from keras_ff.files import replace_when_complete

# Elementary charge 1.602176634e-19 C (exact since 2019), 1 Å = 1e-10 m.
GPA = 160.2176634

# Name, title, unit, factor from eV and Å.
QUANTITIES = (
    ("energy", "energy per atom", "meV/atom", 1e3),
    ("forces", "force components", "meV/Å", 1e3),
    ("stress", "stress components", "GPa", GPA),
)


@dataclasses.dataclass
class Predictions:
    """Reference and prediction of each structure, NaN where there is no label.

    Attributes:
        structures: The `ase.Atoms`.
        reference: Dictionary of lists: "energy" per atom in eV, "forces" (atoms, 3) in eV/Å, "stress" (6,) in eV/Å³.
        predicted: The same from the model.
        groups: `info["group"]` or `info["config_type"]` of each structure, "" without.
    """

    structures: list
    reference: dict
    predicted: dict
    groups: list

    def pairs(self, kind, group=None):
        """Reference and prediction of all labels that exist, as two flat arrays in eV and Å."""
        some = [index for index, name in enumerate(self.groups) if group is None or name == group]
        reference, predicted = (
            np.concatenate([np.ravel(values[kind][index]) for index in some] or [np.zeros(0)])
            for values in (self.reference, self.predicted)
        )
        known = np.isfinite(reference)
        return reference[known], predicted[known]

    def errors(self):
        """Rows of the table of errors: dictionaries of group, label, unit, count, mae, rmse, largest."""
        named = sorted({group for group in self.groups if group})
        rows = []
        for group in [None, *(named if len(named) > 1 or "" in self.groups else [])]:
            for kind, _, unit, factor in QUANTITIES:
                reference, predicted = self.pairs(kind, group)
                if len(reference):
                    error = factor * (predicted - reference)
                    row = {"group": group or "all", "label": kind, "unit": unit, "count": len(error)}
                    rows.append(
                        {**row, "mae": _mean(abs(error)), "rmse": _mean(error**2) ** 0.5, "largest": float(abs(error).max())}
                    )
        return rows


def predict(model, structures, batch_size=8, progress=True):
    """`Predictions` of a `ForceField` for a list of structures.

    Raises:
        ValueError: If a structure has an element that the model does not know, or is broken.
    """
    from keras_ff import backend
    from keras_ff.data import Dataset

    dataset = Dataset(
        structures, model, batch_size=batch_size, shuffle=False, max_shapes=2, dtype=model.compute_dtype, progress=progress
    )
    function = backend.jit(lambda batch: model(batch), layer=model)
    count = len(structures)
    reference = {kind: [None] * count for kind, *_ in QUANTITIES}
    predicted = {kind: [None] * count for kind, *_ in QUANTITIES}
    for number in range(len(dataset)):
        batch, labels = dataset[number]
        outputs = {name: np.asarray(value, dtype="float64") for name, value in function(batch).items()}
        for place, index in enumerate(dataset.indices(number)):
            if index < 0:
                continue
            n_atoms = len(structures[int(index)])
            for values, arrays in ((reference, labels), (predicted, outputs)):
                values["energy"][index] = float(arrays["energy_per_atom"][place, 0])
                values["forces"][index] = np.array(arrays["forces"][place, :n_atoms], dtype="float64")
                values["stress"][index] = np.array(arrays["stress"][place], dtype="float64")
    return Predictions(list(structures), reference, predicted, [group_of(atoms) for atoms in structures])


def group_of(atoms):
    """Name of the group of a structure, "" without one."""
    return str(atoms.info.get("group", atoms.info.get("config_type", "")))


def error_table(rows):
    """The rows of `Predictions.errors` as text."""
    width = max([len(row["group"]) for row in rows] + [5])
    lines = [f"{'group':<{width}}  {'label':<7} {'count':>8} {'MAE':>10} {'RMSE':>10} {'largest':>10}  unit"]
    for row in rows:
        numbers = " ".join(f"{row[name]:>10.4g}" for name in ("mae", "rmse", "largest"))
        lines.append(f"{row['group']:<{width}}  {row['label']:<7} {row['count']:>8} {numbers}  {row['unit']}")
    return "\n".join(lines)


def write_errors(path, rows):
    """The rows of `Predictions.errors` as CSV."""
    write_csv(path, ["group", "label", "unit", "count", "mae", "rmse", "largest"], rows)


def write_structures(path, predictions):
    """One line for each structure as CSV: energies in eV/atom, errors of the forces in eV/Å, stress in eV/Å³."""
    rows = []
    for index, atoms in enumerate(predictions.structures):
        reference, predicted = (
            {kind: values[kind][index] for kind in values} for values in (predictions.reference, predictions.predicted)
        )
        error = np.abs(predicted["forces"] - reference["forces"])
        rows.append(
            {
                "structure": index,
                "formula": atoms.get_chemical_formula(),
                "atoms": len(atoms),
                "group": predictions.groups[index],
                "energy_per_atom": reference["energy"],
                "energy_per_atom_predicted": predicted["energy"],
                "forces_mae": float(error.mean()),
                "forces_largest_error": float(error.max(initial=0.0)),
                "stress_mae": float(np.abs(predicted["stress"] - reference["stress"]).mean()),
            }
        )
    write_csv(path, list(rows[0]), rows)


def write_csv(path, columns, rows):
    """Write a table whole or not at all; NaN becomes an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()})
    with replace_when_complete(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")


def _mean(values):
    return float(np.mean(values))
