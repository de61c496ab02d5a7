"""Presets: their names, their files, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff.models.cards import PARAGRAPHS, card
from keras_ff.models.preset_files import CARD, METADATA, MODEL, PRESETS, preset_file, read_metadata

NAMES = sorted(kff.presets())


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(PRESETS / "silicon_stillinger_weber", tmp_path / "mine")
    return tmp_path / "mine"


def test_the_presets_are_small():
    assert sum(file.stat().st_size for file in PRESETS.rglob("*") if file.is_file()) < 3e6


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_what_its_metadata_says(name):
    about, folder = kff.presets()[name], PRESETS / name
    assert about["name"] == name and about["title"]
    assert all(about[entry] for entry in ("data", "license", "citation"))
    assert set(about) >= {*PARAGRAPHS, "title", "errors", "versions"}
    assert (folder / CARD).read_text(encoding="utf-8") == card(about)
    assert sorted(file.name for file in folder.iterdir()) == sorted([CARD, METADATA, MODEL])
    model = kff.ForceField.from_preset(name)
    found = {"species": list(model.species), "cutoff": model.cutoff, "dtype": model.compute_dtype}
    assert found == {entry: about[entry] for entry in found} and model.count_params() == about["parameters"]


def test_every_way_to_a_preset_gives_the_same_model(folder):
    ways = [
        kff.ForceField.from_preset("silicon_stillinger_weber"),
        kff.ForceField.from_preset(folder),
        kff.load("preset:silicon_stillinger_weber"),
        kff.load(folder),
        kff.Calculator("preset:silicon_stillinger_weber").force_field,
    ]
    for model in ways:
        np.testing.assert_array_equal(
            np.concatenate(model.get_weights(), axis=None), np.concatenate(ways[0].get_weights(), axis=None)
        )
    assert kff.ForceField.from_preset(folder, dtype="float32").compute_dtype == "float32"


def test_a_model_goes_into_a_folder_and_comes_back_without_its_optimizer(tmp_path):
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], cutoff=3.0, n_max=1, dtype="float32"))
    model.compile("adam", {"forces": "mse"})
    row = {"group": "all", "label": "forces", "unit": "meV/Å", "count": 6, "mae": 12.345, "rmse": 20.0, "largest": 41.0}
    model.save_to_preset(tmp_path / "mine", title="Silicon", data="PBE", license="CC0", citation="Nobody", errors=[row])
    copy = kff.ForceField.from_preset(tmp_path / "mine")
    assert getattr(copy, "optimizer", None) is None and copy.get_config() == model.get_config()
    about = read_metadata(tmp_path / "mine")
    assert about["errors"] == [row] and about["name"] == "mine" and "keras" in about["versions"]
    text = (tmp_path / "mine" / CARD).read_text(encoding="utf-8")
    assert "# mine\n\nSilicon\n" in text and "12.35" in text and "## License\nCC0" in text and "Made with" not in text


def test_unknown_names_are_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match="There is no preset 'silicon_edipp'. Did you mean 'silicon_edip'.*silicon_tersoff"):
        kff.ForceField.from_preset("silicon_edipp")
    with pytest.raises(ValueError, match="There is no preset '../presets/silicon_edip'. "):
        kff.load("preset:../presets/silicon_edip")


def test_a_preset_of_another_class_is_refused():
    with pytest.raises(ValueError, match="silicon_edip is a ForceField. Load it with"):
        kff.Ensemble.from_preset("silicon_edip")


def test_damaged_folders_are_refused(folder):
    kff.ForceField(kff.potentials.EDIP.silicon()).save(folder / MODEL)
    with pytest.raises(ValueError, match="is not the model that metadata.json beside it describes: its SHA-256"):
        kff.load(folder)
    (folder / MODEL).unlink()
    with pytest.raises(FileNotFoundError, match="has no model.keras"):
        preset_file(folder)
    for content in ("{", "[]", json.dumps({"name": "mine"})):
        (folder / METADATA).write_text(content)
        with pytest.raises(ValueError, match="metadata.json is damaged"):
            kff.ForceField.from_preset(folder)


def test_a_preset_computes():
    atoms = bulk("Si", a=5.431)
    atoms.calc = kff.Calculator("preset:silicon_stillinger_weber")
    # LAMMPS, pair_style sw, Si.sw.
    assert atoms.get_potential_energy() / 2 == pytest.approx(-4.3366, abs=1e-4)


@pytest.mark.slow_on_tensorflow
def test_the_committee_is_loaded_by_every_name_and_tells_its_spread():
    name = "ethylammonium_nitrate"
    assert type(kff.ForceField.from_preset(name)) is type(kff.Ensemble.from_preset(name)) is kff.Ensemble
    nitrate = Atoms("NO3", [[0, 0, 0], [1.25, 0, 0], [-0.62, 1.08, 0], [-0.62, -1.08, 0]])
    nitrate.calc = kff.Calculator(f"preset:{name}")
    nitrate.get_forces()
    spread, model = nitrate.calc.results["forces_std"], nitrate.calc.force_field
    assert spread.shape == (4,) and spread.min() > 0 and nitrate.calc.results["energy_std"] > 0
    nitrate.calc = kff.Calculator(model, calibrated=True)
    nitrate.get_forces()
    expected = model.calibrated("forces", spread, [2, 3, 3, 3])
    np.testing.assert_allclose(nitrate.calc.results["forces_std"], expected, rtol=1e-5)
