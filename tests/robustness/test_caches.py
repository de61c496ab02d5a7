"""Damaged caches of structures: each is refused with a sentence that names the file, or gives the same structures."""

import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from damage import beginnings, flipped

from keras_ff.data import CachedStructures, write_cache
from keras_ff.data.label_search import Labels
from keras_ff.files.lock import InUseError

FLIPS, CUTS = 45, 12


def structures():
    rng = np.random.default_rng(0)
    result = [bulk("Si") * (2, 1, 1), molecule("SiH4"), Atoms("Si", cell=[5, 5, 5], pbc=True)]
    for atoms in result[:2]:
        labels = {"energy": -float(len(atoms)), "forces": rng.normal(size=(len(atoms), 3))}
        atoms.calc = Labels(atoms, **labels, **({"stress": rng.normal(size=6)} if atoms.pbc.all() else {}))
    return result


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("caches") / "good.h5"
    write_cache(structures(), path, 3.0)
    return path


def content(path):
    """All that a data set takes from a cache, as text."""
    cache = CachedStructures(path)
    survey = {name: value.tolist() for name, value in cache.survey().items()}
    records = [{name: np.asarray(value).tolist() for name, value in cache.record(i).items()} for i in range(len(cache))]
    return json.dumps([cache.cutoff, survey, records, cache.cells().tolist(), [len(atoms) for atoms in cache]])


def check(path, known):
    """The content is as known, or the error is a sentence of ours."""
    try:
        assert content(path) == known
    except ValueError as error:
        assert str(path) in str(error) and "write_cache" in str(error), error
        return str(error)
    return None


def test_flipped_bits_and_truncated_files(good, tmp_path):
    known, whole = content(good), good.read_bytes()
    rng = np.random.default_rng(16)
    path, refused = tmp_path / "damaged.h5", 0
    # Most of the file is padding and free space: half of the flips hit its used beginning.
    ends = [len(whole), 6000]
    for turn in range(FLIPS):
        path.write_bytes(flipped(whole, 1 + turn % 3, rng, ends[turn % 2]))
        refused += check(path, known) is not None
    for part in beginnings(whole, CUTS, rng):
        path.write_bytes(part)
        assert check(path, known) is not None
    assert refused > 3


def replace(file, name, values):
    del file[name]
    file[name] = values


def set_value(name, index, value):
    def change(file):
        file[name][index] = value

    return change


def external(file):
    values = file["floats"][:]
    del file["floats"]
    file.create_dataset("floats", values.shape, values.dtype, external=[(os.devnull, 0, values.nbytes)])


def virtual(file):
    layout = h5py.VirtualLayout((len(file["energy"]),), "f8")
    layout[:] = h5py.VirtualSource(file["energy"])
    del file["energy"]
    file.create_virtual_dataset("energy", layout)


def soft(file):
    file.move("energy", "elsewhere")
    file["energy"] = h5py.SoftLink("/elsewhere")


def linked(file):
    del file["integers"]
    file["integers"] = h5py.ExternalLink("other.h5", "integers")


CHANGES = {
    "cutoff nan": lambda file: file.attrs.update(cutoff=np.nan),
    "cutoff negative": lambda file: file.attrs.update(cutoff=-1.0),
    "cutoff other": lambda file: file.attrs.update(cutoff=4.0),
    "cutoff word": lambda file: file.attrs.update(cutoff="five"),
    "cutoff missing": lambda file: file.attrs.pop("cutoff"),
    "version word": lambda file: file.attrs.update(keras_ff_cache="two"),
    "nan position": set_value("floats", 10, np.nan),
    "infinite energy": set_value("energy", 0, np.inf),
    "neighbor beyond": set_value("integers", 9, 1000),
    "negative neighbor": set_value("integers", 9, -1),
    "other number of neighbors": set_value("integers", 4, 7),
    "other element": set_value("integers", 0, 99),
    "offsets": set_value("offsets", (1, 0), 20),
    "negative offsets": set_value("offsets", (1, 0), -4),
    "large offsets": set_value("offsets", (3, 3), 10**9),
    "fewer neighbors": set_value("n_neighbors", 0, 0),
    "compositions": set_value("compositions", (0, 0), 9),
    "short floats": lambda file: replace(file, "floats", file["floats"][:-3]),
    "short energies": lambda file: replace(file, "energy", file["energy"][:-1]),
    "long stress": lambda file: replace(file, "stress", np.zeros((3, 9))),
    "float32": lambda file: replace(file, "floats", file["floats"][:].astype("float32")),
    "words": lambda file: replace(file, "energy", ["a", "b", "c"]),
    "integers for energies": lambda file: replace(file, "energy", [1, 2, 3]),
    "scalar": lambda file: replace(file, "offsets", 3),
    "empty": lambda file: replace(file, "offsets", h5py.Empty("i8")),
    "missing": lambda file: file.pop("pbc"),
    "group": lambda file: (file.pop("pbc"), file.create_group("pbc")),
    "external data": external,
    "external link": linked,
    "soft link": soft,
    "virtual": virtual,
    "negative weight": set_value("weights", (0, 0), -1.0),
    "types of numbers": lambda file: replace(file, "types", np.zeros(3)),
    "huge": lambda file: (file.pop("energy"), file.create_dataset("energy", (2**40,), "f8", chunks=(1024,))),
}


@pytest.mark.parametrize("signed", [True, False], ids=["with checksum", "without"])
def test_changed_files(good, tmp_path, signed):
    known, path = content(good), tmp_path / "changed.h5"
    for name, change in CHANGES.items():
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            change(file)
            if not signed:
                file.attrs.pop("checksum")
        # Only a checksum knows another cutoff.
        refused = check(path, known) if signed or name != "cutoff other" else True
        assert refused, name


def test_a_cache_without_a_checksum_is_read(good, tmp_path):
    known, path = content(good), tmp_path / "old.h5"
    with h5py.File(good) as new, h5py.File(path, "w") as old:
        old.attrs.update({name: value for name, value in new.attrs.items() if name != "checksum"})
        for name in new:
            old[name] = new[name][:]
    assert content(path) == known


def test_two_processes_do_not_write_the_same_cache(tmp_path):
    program = (
        "import sys; from ase.build import bulk; from keras_ff.data import write_cache\n"
        "def slow():\n    yield bulk('Si')\n    print('writing', flush=True)\n    sys.stdin.read()\n"
        "write_cache(slow(), sys.argv[1], 3.0)"
    )
    path = tmp_path / "data.h5"
    words = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(InUseError, match=f"data.h5 is in use by process {other.pid}"):
            write_cache([bulk("Si")], path, 3.0)
        other.communicate()
    assert len(CachedStructures(path)) == 1 and os.listdir(tmp_path) == ["data.h5"]
