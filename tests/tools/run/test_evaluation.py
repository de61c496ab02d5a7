"""Errors of a model, computed from its predictions."""

import numpy as np
import pytest
from silicon_run import SILICON

import keras_ff as kff
from keras_ff_tools.run import evaluation


@pytest.fixture(scope="module")
def model(run_folder):
    return kff.load(run_folder / "best.keras")


@pytest.fixture
def structures():
    """The largest first, in whose compiled shape the others fit."""
    return kff.data.read(f"{SILICON}@2:5")


def test_errors_are_those_of_the_calculator(model, structures):
    rows = {row["label"]: row for row in evaluation.predict(model, structures, batch_size=2).errors() if row["group"] == "all"}
    energies, forces, calculator = [], [], kff.Calculator(model)
    for atoms in structures:
        known = kff.data.labels(atoms)
        atoms.calc = calculator
        energies.append((atoms.get_potential_energy() - known["energy"]) / len(atoms))
        forces.append(atoms.get_forces() - known["forces"])
    assert np.isclose(rows["energy"]["mae"], 1e3 * np.mean(np.abs(energies)), rtol=1e-3)
    assert np.isclose(rows["forces"]["rmse"], 1e3 * np.sqrt(np.mean(np.concatenate(forces) ** 2)), rtol=1e-3)
    assert rows["forces"]["count"] == sum(3 * len(atoms) for atoms in structures)


def test_missing_labels_are_left_out(model, structures):
    del structures[0].calc.results["forces"]
    for atoms in structures:
        atoms.calc.results.pop("stress", None)
    rows = {row["label"]: row for row in evaluation.predict(model, structures, batch_size=2).errors() if row["group"] == "all"}
    assert rows["energy"]["count"] == 3 and "stress" not in rows
    assert rows["forces"]["count"] == sum(3 * len(atoms) for atoms in structures[1:])
