import csv

import numpy as np
from ase.io import read, write
from silicon_run import SILICON

import keras_ff as kff
from keras_ff_tools.run import evaluation


def test_errors_are_those_of_the_calculator(run_folder):
    model = kff.load(run_folder / "best.keras")
    structures = kff.data.read(f"{SILICON}@0:3")
    rows = {row["label"]: row for row in evaluation.predict(model, structures, batch_size=2).errors() if row["group"] == "all"}
    energies, forces = [], []
    for atoms in structures:
        known = kff.data.labels(atoms)
        atoms.calc = kff.Calculator(model)
        energies.append((atoms.get_potential_energy() - known["energy"]) / len(atoms))
        forces.append(atoms.get_forces() - known["forces"])
    assert np.isclose(rows["energy"]["mae"], 1e3 * np.mean(np.abs(energies)), rtol=1e-3)
    assert np.isclose(rows["forces"]["rmse"], 1e3 * np.sqrt(np.mean(np.concatenate(forces) ** 2)), rtol=1e-3)
    assert rows["forces"]["count"] == sum(3 * len(atoms) for atoms in structures)


def test_table_groups_and_files(run_folder, tmp_path, keras_ff):
    done = keras_ff("evaluate", run_folder, SILICON, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    groups = {atoms.info["group"] for atoms in read(SILICON, ":")}
    assert len(groups) > 1 and all(group in done.out for group in groups)
    with open(tmp_path / "out" / "errors.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"all", *groups}
    with open(tmp_path / "out" / "structures.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 23
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        "parity_energy.png",
        "parity_forces.png",
        "parity_stress.png",
    }


def test_missing_labels_are_left_out(run_folder):
    model = kff.load(run_folder / "best.keras")
    structures = kff.data.read(f"{SILICON}@0:3")
    del structures[0].calc.results["forces"]
    for atoms in structures:
        atoms.calc.results.pop("stress", None)
    rows = {row["label"]: row for row in evaluation.predict(model, structures).errors() if row["group"] == "all"}
    assert rows["energy"]["count"] == 3 and "stress" not in rows
    assert rows["forces"]["count"] == sum(3 * len(atoms) for atoms in structures[1:])


def test_bad_input_is_one_sentence(run_folder, tmp_path, keras_ff):
    broken = tmp_path / "broken.keras"
    broken.write_bytes((run_folder / "best.keras").read_bytes()[:2000])
    germanium = read(SILICON, "0")
    germanium.symbols[0] = "Ge"
    write(tmp_path / "ge.xyz", germanium)
    bare = read(SILICON, "0")
    bare.calc = None
    write(tmp_path / "bare.xyz", bare)
    for words, message in (
        ([broken, SILICON], "broken.keras"),
        ([tmp_path / "nowhere.keras", SILICON], "no model file"),
        ([tmp_path, SILICON], "best.keras"),
        ([run_folder, tmp_path / "ge.xyz"], "['Ge']"),
        ([run_folder, tmp_path / "bare.xyz"], "--energy-key"),
        ([run_folder, tmp_path / "nowhere.xyz"], "no file"),
    ):
        done = keras_ff("evaluate", *words)
        assert done.status == 2 and message in done.err and "Traceback" not in done.err, done.err
