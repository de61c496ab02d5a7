"""Model files of formats 1 and 2 load, and give the energies and forces that they gave when they were written."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import keras_ff as kff

FOLDER = Path(__file__).parent
KNOWN = json.loads((FOLDER / "files_of_format_2" / "results.json").read_text())
FILES = [path.relative_to(FOLDER) for number in (1, 2) for path in sorted((FOLDER / f"files_of_format_{number}").glob("*.keras"))]
# Reading does not depend on the backend: TensorFlow computes with one of each format, a network, and a committee.
QUICK = ("files_of_format_1/stillinger_weber", "files_of_format_2/neuralil", "files_of_format_2/deep_ensemble")
MARKED = [
    pytest.param(path, marks=() if path.with_suffix("").as_posix() in QUICK else pytest.mark.slow_on_tensorflow) for path in FILES
]

pytestmark = pytest.mark.usefixtures("float64")


def format_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))["config"]["format"]


@pytest.mark.parametrize("path", MARKED, ids=str)
def test_old_files_give_the_same_numbers(path):
    """The weights, written in float32, are used in float64."""
    model = kff.load(FOLDER / path, dtype="float64")
    assert format_of(FOLDER / path) == int(path.parts[0][-1])
    structure = dict(KNOWN["structure"])
    if model.species == ["Si"]:
        structure["symbols"] = ["Si"] * len(structure["symbols"])
    data = kff.data.Dataset([Atoms(**structure, pbc=True)], model, batch_size=1)
    found = model.predict(data, verbose=0)
    for name, values in KNOWN["results"][path.stem].items():
        np.testing.assert_allclose(found[name][0].ravel(), values, rtol=1e-11, atol=1e-11)


def test_what_is_frozen_is_read_from_old_files():
    model = kff.load(FOLDER / "files_of_format_2" / "neuralil.keras")
    assert not model.potential.slope.trainable and model.potential.intercept.trainable
    assert kff.load(FOLDER / "files_of_format_1" / "neuralil.keras").potential.slope.trainable


@pytest.mark.parametrize("name", ["committee_of_networks", "deep_ensemble", "committee"])
def test_old_files_are_written_anew_without_loss(name, tmp_path):
    shutil.copy(FOLDER / "files_of_format_2" / f"{name}.keras", tmp_path / "old.keras")
    old = kff.load(tmp_path / "old.keras")
    old.save(tmp_path / "new.keras")
    new = kff.load(tmp_path / "new.keras")
    assert new.get_config() == old.get_config()
    for mine, theirs in zip(new.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
