"""Checks of an artifact before its code is run: damaged descriptions, and files that lie elsewhere."""

import json
import re

import pytest

from keras_ff.files import checksum_of
from keras_ff.interfaces import description as descriptions
from keras_ff.interfaces.description import DESCRIPTION, read_description, write_description

TENSORS = {name: f"serving_default_{name}:0" for name in descriptions.INPUTS}
TENSORS |= {"energies": "StatefulPartitionedCall:0", "gradient": "StatefulPartitionedCall:1"}


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of an artifact, none of which is a program."""
    folder = tmp_path / "silicon"
    (folder / "saved_model" / "variables").mkdir(parents=True)
    names = ("saved_model/saved_model.pb", "saved_model/variables/variables.index", "calculator.py")
    for name in names:
        (folder / name).write_text(name)
    content = {
        "format": descriptions.FORMAT,
        "kind": "saved_model",
        "species": ["Si", "O"],
        "cutoff": 3.77118,
        "dtype": "float64",
        "units": descriptions.EXPORTED_UNITS,
        "inputs": descriptions.INPUTS,
        "outputs": descriptions.OUTPUTS,
        "versions": {"keras_ff": "0.1.0"},
        "files": {name: checksum_of(folder / name) for name in names},
        "tensors": TENSORS,
    }
    write_description(folder, content)
    return folder


def content_of(folder):
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))


def test_what_is_written_is_read(folder):
    content = read_description(folder)
    assert content["cutoff"] == 3.77118 and re.fullmatch("[0-9a-f]{64}", content["checksum"])
    # Hidden files are no part of it.
    (folder / "saved_model" / ".DS_Store").touch()
    assert read_description(folder) == content


def test_a_description_without_a_checksum_is_read_with_a_warning(folder):
    content = content_of(folder)
    del content["checksum"]
    (folder / DESCRIPTION).write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="before it had a checksum of its own"):
        assert read_description(folder) == content
    # The first of them have no names of tensors either.
    del content["tensors"]
    (folder / DESCRIPTION).write_text(json.dumps(content))
    with pytest.warns(UserWarning):
        assert read_description(folder) == content


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.77118", "3.87118"),
        ('"Si"', '"Ge"'),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:1"),
        ("float64", "float32"),
        ('"Å"', '"nm"'),
        ("\n", "\r\n"),
        ("0.1.0", "0.1.1"),
        ('"checksum": "', '"checksum": "0'),
        ("}\n", ""),
        ("Å", "\udcff"),
        ('{\n  "format"', "[" * 100_000 + '{\n  "format"'),
    ],
)
def test_any_change_of_the_file_is_seen(folder, old, new):
    text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    assert old in text
    (folder / DESCRIPTION).write_bytes(text.replace(old, new).encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"artifact.json is not as it was written: the artifact is damaged. Export it again\.$"):
        read_description(folder)


@pytest.mark.filterwarnings("ignore:.*checksum of its own")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "has format 99, and this code reads up to 1"),
        ({"format": True}, "the format True"),
        ({"format": "1"}, "the format '1'"),
        ({"kind": "onnx"}, "the kind 'onnx'"),
        ({"kind": ["saved_model"]}, "the kind"),
        ({"cutoff": 0.0}, "the cutoff 0.0, which is not between 0 and 100 Å"),
        ({"cutoff": -5.0}, "the cutoff -5.0"),
        ({"cutoff": float("nan")}, "the cutoff nan"),
        ({"cutoff": 1e9}, "the cutoff 1000000000.0"),
        ({"cutoff": True}, "the cutoff True"),
        ({"cutoff": [5.0]}, "the cutoff"),
        ({"dtype": "float16"}, "the dtype 'float16'"),
        ({"units": {"length": "nm"}}, "the units"),
        ({"species": []}, r"the species \[\], which are not different elements"),
        ({"species": "Si"}, "the species 'Si'"),
        ({"species": ["Si", "Si"]}, "which are not different elements"),
        ({"species": ["Si", "X"]}, "which are not different elements"),
        ({"species": ["Si", "Qq"]}, "which are not different elements"),
        ({"species": [["Si"], 14]}, "which are not different elements"),
        ({"inputs": ["vectors"]}, "other inputs or outputs"),
        ({"outputs": None}, "other inputs or outputs"),
        ({"files": {}}, "no list of its files"),
        ({"files": ["saved_model/saved_model.pb"]}, "no list of its files"),
        ({"tensors": {}}, "names of tensors that are none"),
        ({"tensors": [1]}, "names of tensors that are none"),
        ({"tensors": {**TENSORS, "mask": "serving_default_mask:-1"}}, "names of tensors that are none"),
        ({"tensors": {**TENSORS, "mask": "serving_default_mask:99999999999999999999"}}, "names of tensors that are none"),
        ({"tensors": {**TENSORS, "energies": TENSORS["gradient"]}}, "a tensor that is there twice"),
    ],
)
def test_what_cannot_be_is_refused_with_and_without_a_checksum(folder, change, message):
    content = {**content_of(folder), **change}
    del content["checksum"]
    (folder / DESCRIPTION).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_description(folder)
    write_description(folder, content)
    with pytest.raises(ValueError, match=message):
        read_description(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "saved_model/../../secret", "a\\b", "a\0b", "", "a//b", "é"])
def test_no_name_leaves_the_folder(folder, name):
    (folder.parent / "secret").write_text("secret")
    content = content_of(folder)
    content["files"][name] = checksum_of(folder.parent / "secret")
    write_description(folder, content)
    with pytest.raises(ValueError, match="has a name of a file that leaves the folder"):
        read_description(folder)


@pytest.mark.parametrize("name", ["calculator.py", "saved_model/variables", "saved_model"])
def test_no_link_leaves_the_folder(folder, name):
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")
    with pytest.raises(ValueError, match="is a link that leads out of the folder"):
        read_description(folder)


def test_files_are_those_that_were_written(folder):
    (folder / "saved_model" / "saved_model.cpb").touch()
    with pytest.raises(ValueError, match="saved_model.cpb is no part of the artifact: remove it"):
        read_description(folder)
    (folder / "saved_model" / "saved_model.cpb").unlink()
    (folder / "saved_model" / "saved_model.pb").write_text("half")
    with pytest.raises(ValueError, match="saved_model.pb is not as it was written: the artifact is damaged"):
        read_description(folder)
    (folder / "saved_model" / "saved_model.pb").unlink()
    with pytest.raises(ValueError, match="saved_model.pb is missing: the artifact is damaged"):
        read_description(folder)
    (folder / DESCRIPTION).write_text("[]")
    with pytest.raises(ValueError, match="is not as it was written"):
        read_description(folder)
    (folder / DESCRIPTION).unlink()
    with pytest.raises(ValueError, match="is no artifact"):
        read_description(folder)
