"""Predictions of a model for labeled structures, their errors, and the files that hold both."""

import dataclasses
import os
from collections.abc import Sequence

import ase
import numpy as np

import keras_ff as kff
from keras_ff.data.consistency import group_of
from keras_ff.data.units import EV_PER_A3_IN_GPA
from keras_ff_tools.run.data import in_good_shapes
from keras_ff_tools.run.files import write_csv

# Name, title, unit, factor from eV and Å.
QUANTITIES = (
    ("energy", "energy per atom", "meV/atom", 1e3),
    ("forces", "force components", "meV/Å", 1e3),
    ("stress", "stress components", "GPa", EV_PER_A3_IN_GPA),
)

# Columns of the table of errors.
COLUMNS = ("group", "label", "unit", "count", "mae", "rmse", "largest")


@dataclasses.dataclass
class Predictions:
    """Reference and prediction of each structure, NaN where there is no label.

    Attributes:
        structures: The structures.
        reference: Dictionary of lists: "energy" per atom in eV, "forces" (atoms, 3) in eV/Å, "stress" (6,) in eV/Å³.
        predicted: The same from the model.
        groups: `info["group"]` or `info["config_type"]` of each structure, "" without.
        grades: List of the largest extrapolation grade of each atom, `(atoms,)`, or None, see `graded`.
    """

    structures: list[ase.Atoms]
    reference: dict[str, list]
    predicted: dict[str, list]
    groups: list[str]
    grades: list[np.ndarray] | None = None

    def pairs(self, kind: str, group: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Reference and prediction of all labels that exist, as two flat arrays in eV and Å.

        Args:
            kind: "energy" (per atom), "forces" or "stress".
            group: Name of a group; all structures by default.
        """
        some = [index for index, name in enumerate(self.groups) if group is None or name == group]
        reference, predicted = (
            np.concatenate([np.ravel(values[kind][index]) for index in some] or [np.zeros(0)])
            for values in (self.reference, self.predicted)
        )
        known = np.isfinite(reference)
        return reference[known], predicted[known]

    def force_errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Extrapolation grades and lengths of the errors of the forces in eV/Å, of all atoms that have both, `(atoms,)` each."""
        if self.grades is None:
            return np.zeros(0), np.zeros(0)
        pairs = zip(self.predicted["forces"], self.reference["forces"], strict=True)
        errors = np.concatenate([np.linalg.norm(one - other, axis=1) for one, other in pairs])
        known = np.isfinite(errors)
        return np.concatenate(self.grades)[known], errors[known]

    def errors(self) -> list[dict]:
        """Rows of the table of errors, with the names in `COLUMNS`: for all structures, then for each group."""
        named = sorted({group for group in self.groups if group})
        rows = []
        for group in [None, *(named if len(named) > 1 or "" in self.groups else [])]:
            for kind, _, unit, factor in QUANTITIES:
                reference, predicted = self.pairs(kind, group)
                if len(reference):
                    error = np.abs(factor * (predicted - reference))
                    sizes = (float(error.mean()), float(np.sqrt(np.mean(error**2))), float(error.max()))
                    rows.append(dict(zip(COLUMNS, (group or "all", kind, unit, len(error), *sizes))))
        return rows


def predict(model: kff.ForceField, structures: Sequence[ase.Atoms], batch_size: int = 8, progress: bool = True) -> Predictions:
    """Predictions of a model for structures with labels; weights of structures and labels have no effect.

    Args:
        model: The model.
        structures: Structures, some of them with labels.
        batch_size: Number of structures at a time.
        progress: Show a progress bar if it takes longer than two seconds.

    Raises:
        ValueError: If a structure has an element that the model does not know, or is broken.
    """
    data = kff.data.Dataset(
        kff.data.unweighted(structures),
        model,
        batch_size=batch_size,
        shuffle=False,
        dtype=model.compute_dtype,
        progress=progress,
    )
    outputs = model.predict(in_good_shapes(data, 2), verbose=progress)
    structures = list(structures)
    predicted = {
        "energy": outputs["energy_per_atom"][:, 0].astype("float64").tolist(),
        "forces": [forces[: len(atoms)].astype("float64") for atoms, forces in zip(structures, outputs["forces"])],
        "stress": list(outputs["stress"].astype("float64")),
    }
    reference = {kind: [] for kind in predicted}
    for atoms in structures:
        known = kff.data.labels(atoms)
        reference["energy"].append(known["energy"] / len(atoms))
        reference["forces"].append(known["forces"])
        # A stress needs a volume.
        reference["stress"].append(known["stress"] if atoms.pbc.all() else np.full(6, np.nan))
    return Predictions(structures, reference, predicted, [group_of(atoms) for atoms in structures])


def graded(model: kff.ForceField, structures: Sequence[ase.Atoms], batch_size: int = 8) -> list[np.ndarray] | None:
    """Largest extrapolation grade of each atom of structures, arrays `(atoms,)`; None for a model that has learned none.

    Args:
        model: The model.
        structures: The structures.
        batch_size: Number of structures at a time.
    """
    if model.extrapolation is None:
        return None
    data = kff.data.Dataset(kff.data.unweighted(structures), model, batch_size, shuffle=False, dtype=model.compute_dtype)
    rows = model.map(lambda batch, labels: model.grades(batch), in_good_shapes(data, 2), ("distance", "splines", "spread"))
    return [np.max(list(row.values()), axis=0).astype("float64") for row in rows]


def told_of_grades(predictions: Predictions) -> str:
    """Sentence about the atoms that are beyond the training set, and their errors; "" without grades."""
    grades, errors = predictions.force_errors()
    if not len(grades):
        return ""
    beyond = grades > 1
    told = [
        f"{1e3 * errors[some].mean():.3g} meV/Å where it is {words} 1"
        for some, words in ((~beyond, "below"), (beyond, "above"))
        if some.any()
    ]
    return (
        f"{100 * beyond.mean():.2g} % of the atoms have an extrapolation grade above 1 (by its construction, 1 % of the structures "
        f"of the training set have such atoms). The mean error of the force on an atom is {' and '.join(told)}."
    )


def spreads(model: kff.Ensemble, structures: Sequence[ase.Atoms], batch_size: int = 8) -> list[dict]:
    """How well the spread of a committee tells its errors, once for each label, and for the forces of each element.

    Args:
        model: The committee.
        structures: Structures, some of them with labels.
        batch_size: Number of structures at a time.

    Returns:
        Rows of `label`, `unit`, `count`, root mean squares `error` and `spread`, that of the errors that the calibration expects,
        `expected`, if it has one, and `correlation` and `deviation` (`keras_ff.models.miscalibration`) of the last of them.
    """
    data = kff.data.Dataset(kff.data.unweighted(structures), model, batch_size, shuffle=False, dtype=model.compute_dtype)
    pairs = model.spread_and_error(in_good_shapes(data, 2))
    told = {name: model.calibrated(name, spread) for name, (spread, _) in pairs.items() if name in model.calibration}
    elements = [name for name in pairs if name.startswith("forces of ")]
    if all(name in told for name in elements):
        # In the order of the elements, each of which has a calibration of its own.
        pairs["forces"] = tuple(np.concatenate([pairs[name][index] for name in elements]) for index in range(2))
        told["forces"] = np.concatenate([told[name] for name in elements])
    units = {"energy_per_atom" if kind == "energy" else kind: (unit, factor) for kind, _, unit, factor in QUANTITIES}
    rows = []
    for name, (spread, error) in pairs.items():
        unit, factor = units[name.partition(" of ")[0]]
        sizes = {"error": error, "spread": spread, **({"expected": told[name]} if name in told else {})}
        best = told.get(name, spread)
        rows.append(
            {
                "label": name.replace("_per_atom", ""),
                "unit": unit,
                "count": len(error),
                **{what: factor * float(np.sqrt(np.mean(values**2))) for what, values in sizes.items()},
                "correlation": kff.models.correlation(best, error),
                "deviation": kff.models.miscalibration(best, error),
            }
        )
    return rows


def error_table(rows: Sequence[dict]) -> str:
    """The rows of `Predictions.errors` as text."""
    width = max([len(row["group"]) for row in rows] + [5])
    lines = [f"{'group':<{width}}  {'label':<7} {'count':>8} {'MAE':>10} {'RMSE':>10} {'largest':>10}  unit"]
    for row in rows:
        numbers = " ".join(f"{row[name]:>10.4g}" for name in ("mae", "rmse", "largest"))
        lines.append(f"{row['group']:<{width}}  {row['label']:<7} {row['count']:>8} {numbers}  {row['unit']}")
    return "\n".join(lines)


def write_errors(path: str | os.PathLike, rows: Sequence[dict]) -> None:
    """Write the rows of `Predictions.errors` as CSV."""
    write_csv(path, COLUMNS, rows)


def write_structures(path: str | os.PathLike, predictions: Predictions) -> None:
    """Write one line for each structure as CSV: energies in eV/atom, errors of the forces in eV/Å, stress in eV/Å³."""
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
