import csv

import pytest
from ase.io import read, write
from silicon_run import SILICON


@pytest.mark.slow_on_tensorflow
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
