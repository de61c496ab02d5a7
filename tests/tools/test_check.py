"""`keras-ff check`: the table and the exit status, for sound models and for broken ones."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import keras
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import Potential, RepulsiveMorse
from keras_ff.testing.law import LawResult

check = pytest.importorskip("keras_ff_tools.check", reason="the tools are not installed: pip install -e .")


@keras.saving.register_keras_serializable("tests")
class Abrupt(Potential):
    """Jumps at its cutoff."""

    def call(self, neighborhood):
        return ops.sum(ops.exp(-neighborhood.distances) * neighborhood.mask, axis=-1)


@pytest.fixture(autouse=True)
def precision():
    """The checks switch to float64; the next test starts anew."""
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def run(*words):
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    parser.set_defaults(modules=[])
    return check.run(parser.parse_args([str(word) for word in words]))


def save(potential, folder):
    kff.ForceField(potential).save(folder / "model.keras")
    return folder / "model.keras"


@pytest.mark.slow_on_tensorflow
def test_a_sound_model_passes_on_structures_of_a_file(tmp_path, capsys, monkeypatch):
    """tests/models/test_files.py has the other backend."""
    asked = []

    def agree(probe, path, structures, modules):
        asked.append((path, [str(one.symbols) for one in structures], modules))
        return LawResult("agreement with the other", 0.0, 1e-9)

    monkeypatch.setattr(kff.testing, "backends_agree", agree)
    path = save(RepulsiveMorse(["Cu"], cutoff=3.5), tmp_path)
    structures = [bulk("Cu", cubic=True), bulk("Cu", a=3.4), bulk("Cu", a=3.7, cubic=True)]
    ase.io.write(tmp_path / "copper.xyz", structures)
    assert run(path, tmp_path / "copper.xyz", "--frames", 2) == 0
    text = capsys.readouterr().out
    assert "RepulsiveMorse for Cu, cutoff 3.5 Å, float32" in text and "FAIL" not in text
    laws = ["forces are derivatives", "rotation", "padding", "float32 against float64", "parameter gradient", "saving and loading"]
    assert all(law in text for law in laws)
    lines = text.splitlines()
    rows = [index for index, line in enumerate(lines) if " PASS " in line or " note " in line]
    assert all(lines[index + 1].strip() in check.MEANINGS.values() for index in rows) and len(rows) > 15
    assert asked == [(path, ["Cu4", "Cu4"], [])] and "agreement with the other" in text
    assert "Cu4, Cu4;" in text


def test_a_broken_model_fails_with_the_law_and_the_size(tmp_path, capsys, monkeypatch):
    path = save(Abrupt(["Si", "C"], 3.0), tmp_path)
    monkeypatch.setattr(kff.testing, "backends_agree", lambda *args: None)
    assert run(path) == 1
    text = capsys.readouterr().out
    (line,) = [line for line in text.splitlines() if line.startswith("continuity of the energy")]
    assert "FAIL" in line
    assert "as the distance passes 3 Å" in text and "made up: " in text


@pytest.mark.slow_on_tensorflow
def test_a_model_with_infinite_energies_fails(tmp_path, capsys, monkeypatch):
    potential = RepulsiveMorse(["Cu"])
    # Its exponential is infinite. Weights that are not finite themselves are refused when the file is read.
    potential.log_well_depth.assign([1e5])
    monkeypatch.setattr(kff.testing, "backends_agree", lambda *args: None)
    assert run(save(potential, tmp_path)) == 1
    assert "NaN or infinity in energies" in capsys.readouterr().out


def test_each_law_of_a_potential_is_explained():
    files = [path for path in Path(kff.testing.__file__).parent.glob("*_laws.py") if path.name != "layer_laws.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    names = set(re.findall(r'(?:name = |result\(|LawResult\(|_turned\(probe, )"([a-z0-9 ]+)"', text)) | set(check.CONTINUITY)
    assert names | {"agreement", "nothing falls"} == set(check.MEANINGS)


def test_unknown_elements_are_named(tmp_path):
    path = save(RepulsiveMorse(["Cu"]), tmp_path)
    ase.io.write(tmp_path / "gold.xyz", bulk("Au"))
    with pytest.raises(ValueError, match=r"\['Au'\].*\['Cu'\]"):
        run(path, tmp_path / "gold.xyz")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.keras"):
        run(tmp_path / "none.keras")


def test_help_names_the_exit_status():
    root = Path(__file__).parents[2]
    program = "import sys; from keras_ff_tools.main import main; sys.exit(main(['check', '--help']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, env=dict(os.environ))
    assert done.returncode == 0 and "exit status is 1" in done.stdout


@pytest.mark.slow_on_tensorflow
def test_a_jump_that_belongs_to_the_potential_is_a_note(tmp_path, capsys, monkeypatch):
    path = save(Abrupt(["Si", "C"], 3.0), tmp_path)
    monkeypatch.setattr(kff.testing, "backends_agree", lambda *args: None)
    assert run(path, "--smoothness", -1) == 0
    text = capsys.readouterr().out
    (line,) = [line for line in text.splitlines() if line.startswith("continuity of the energy")]
    assert "note" in line and "A note is no failure" in text
