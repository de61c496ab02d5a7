"""Reference energies that the settings of a run name."""

import json

import ase.io
import pytest
from ase import Atoms

import keras_ff as kff
from keras_ff_tools.run.references import open_combinations, told, with_reference_energies
from keras_ff_tools.run.settings import Settings


def settings(source):
    return Settings(train="data.xyz", reference_energies=source)


def test_a_file_becomes_numbers(tmp_path):
    (tmp_path / "energies.json").write_text(json.dumps({"H": -1.1, "No": -2}))
    (tmp_path / "energies.yaml").write_text("H: -1.1\nNo: -2  # nobelium")
    atoms = [Atoms("H", info={"energy": -1.1}), Atoms("H", info={"energy": -0.9}), Atoms("No", info={"energy": -2.0})]
    ase.io.write(tmp_path / "atoms.xyz", [*atoms, Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info={"energy": -6.8})])
    for name in ("energies.json", "energies.yaml", "atoms.xyz"):
        assert with_reference_energies(settings(str(tmp_path / name))).reference_energies == {"H": -1.1, "No": -2.0}
    for word in ("fit", "isolated", None):
        assert with_reference_energies(settings(word)).reference_energies == word
    assert settings("{'H': -1.1}").reference_energies == {"H": -1.1}


def test_other_files_are_refused(tmp_path):
    (tmp_path / "energies.yaml").write_text("- H")
    ase.io.write(tmp_path / "atoms.xyz", Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], info={"energy": -6.8}))
    for name, text in (
        ("energies.yaml", "lines such as `O: -1.9`"),
        ("atoms.xyz", "no isolated atom"),
        ("none", "There is no file"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=text):
            with_reference_energies(settings(str(tmp_path / name)))
    with pytest.raises(ValueError, match="keeps its reference energies.*--adapt"):
        Settings(train="data.xyz", start="model.keras", reference_energies="fit")


def test_a_model_tells_its_energies_and_what_is_open():
    model = kff.ForceField(kff.potentials.ZBL(["H", "O"]))
    assert told(model) == "H 0 eV, O 0 eV" and open_combinations(model) == ""
    model.references = {"sources": {"H": "isolated atom", "O": "fitted"}, "undetermined": ["1 H - 2 O"]}
    assert told(model) == "H 0 eV (isolated atom), O 0 eV (fitted)" and "H and O (open: 1 H - 2 O)" in open_combinations(model)
