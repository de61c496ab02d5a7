from types import SimpleNamespace

import pytest

import keras_ff as kff
from keras_ff.models.preset_files import read_metadata
from keras_ff_tools.run.evaluation import COLUMNS, write_errors
from keras_ff_tools.run.files import write_json
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings

ROWS = [dict(zip(COLUMNS, ("all", label, unit, 6, 1.5, 2.0, 4.0))) for label, unit in (("energy", "meV/atom"), ("forces", "meV/Å"))]


def test_presets_of_networks_have_the_errors_of_their_runs(mlearn, tmp_path, rows):
    from keras_ff_tools.benchmarks import presets

    run = RunFolder(tmp_path / "runs" / "choice" / "Si_0")
    run.path.mkdir(parents=True)
    write_json(run.settings_file, Settings(train="Si_train.xyz", epochs=7).to_dict())
    write_errors(run.path / "errors_test.csv", ROWS)
    kff.ForceField(kff.potentials.StillingerWeber.silicon()).save(run.best)
    (tmp_path / "mlearn").symlink_to(mlearn)
    presets.networks(tmp_path, tmp_path / "runs", tmp_path / "presets")
    about = read_metadata(tmp_path / "presets" / "silicon_mlearn")
    assert about["errors"] == ROWS and "--epochs 7`" in about["command"] and "BSD-3-Clause" in about["license"]
    printed = rows()
    assert len(printed) == len(presets.ELEMENTS) and "germanium_mlearn | left out" in printed[1]


def test_classical_presets_have_errors_of_forces_on_silicon(mlearn, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import presets

    monkeypatch.setattr(presets, "predict", lambda *args, **options: SimpleNamespace(errors=lambda: ROWS))
    (tmp_path / "mlearn").symlink_to(mlearn)
    presets.classical(tmp_path, tmp_path / "presets")
    assert len(rows()) == len(presets.CLASSICAL)
    assert read_metadata(tmp_path / "presets" / "silicon_edip")["errors"] == ROWS[1:]
    assert read_metadata(tmp_path / "presets" / "silica_bks")["errors"] == []


@pytest.mark.slow
def test_the_committee_is_trained_once_and_calibrated(ean, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import presets

    tiny = {"valid_fraction": 0.25, "cutoff": 3.0, "n_max": 1, "members": 2, "epochs": 1}
    monkeypatch.setattr(presets, "COMMITTEE", tiny)
    (tmp_path / "neuralil").symlink_to(ean)
    for _ in range(2):
        presets.committee(tmp_path, tmp_path / "runs", tmp_path / "presets")
    assert len(rows()) == 2 and len((tmp_path / "runs/presets/ethylammonium_nitrate/log.csv").read_text().splitlines()) == 2
    about = read_metadata(tmp_path / "presets" / "ethylammonium_nitrate")
    assert [row["label"] for row in about["spreads"]] == ["energy", "forces", *(f"forces of {symbol}" for symbol in "CHNO")]
    assert all(row["expected"] > 0 for row in about["spreads"])
    assert (
        "3 structures to train, 1 that chose" in about["data"]
        and "--valid-fraction 0.25 --cutoff 3.0 --n-max 1" in about["command"]
    )
    model = kff.ForceField.from_preset(tmp_path / "presets" / "ethylammonium_nitrate")
    assert model.members == 2 and "forces of N" in model.calibration


@pytest.mark.slow
def test_a_spline_network_is_a_preset(mlearn, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import presets, spline_networks

    monkeypatch.setattr(presets, "SPLINES", "Si")
    monkeypatch.setattr(spline_networks, "STEPS", 1)
    (tmp_path / "mlearn").symlink_to(mlearn)
    presets.splines(tmp_path, tmp_path / "presets")
    about = read_metadata(tmp_path / "presets" / "silicon_splines")
    assert about["potential"] == "SplineNetwork" and about["cutoff"] == 5.2 and about["errors"][0]["label"] == "energy"
