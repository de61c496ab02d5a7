"""Damaged model files: each is refused with a sentence that names the file, or gives the same model."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from damage import beginnings, flipped

import keras_ff as kff
from keras_ff.potentials import StillingerWeber

FLIPS, CUTS = 50, 12


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "good.keras"
    kff.ForceField(StillingerWeber.silicon(train=["epsilon"])).save(path)
    return path


def content(path):
    model = kff.load(path)
    weights = [keras.ops.convert_to_numpy(weight).tolist() for weight in model.weights]
    parameters = {name: value.tolist() for name, value in model.potential.parameters().items()}
    return json.dumps([model.species, model.cutoff, model.compute_dtype, weights, parameters])


def check(path, known):
    try:
        assert content(path) == known
    except ValueError as error:
        assert str(path) in str(error) and len(str(error)) < 700 and "Traceback" not in str(error), error
        return str(error)
    return None


def test_flipped_bits_and_truncated_files(good, tmp_path):
    known, whole = content(good), good.read_bytes()
    rng = np.random.default_rng(16)
    path, refused = tmp_path / "damaged.keras", 0
    for turn in range(FLIPS):
        path.write_bytes(flipped(whole, 1 + turn % 3, rng))
        refused += check(path, known) is not None
    for part in beginnings(whole, CUTS, rng):
        path.write_bytes(part)
        assert check(path, known) is not None
    assert refused > FLIPS // 2


def rewritten(good, path, config=None, weights=None):
    """A copy with another configuration or other weights, whose checksums are right."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        new.comment = old.comment
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json" and config:
                data = json.dumps(config(json.loads(data))).encode()
            if name == "model.weights.h5" and weights:
                buffer = io.BytesIO(data)
                with h5py.File(buffer, "r+") as file:
                    weights(file)
                data = buffer.getvalue()
            new.writestr(name, data)


def updated(*keys, **values):
    """A function that changes entries of a nested configuration."""

    def change(config):
        inner = config
        for key in keys:
            inner = inner[key]
        inner.update(values)
        return config

    return change


def every(file, change):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        change(file, name)


def filled(value):
    return lambda file: every(file, lambda file, name: file[name].write_direct(np.full(file[name].shape, value, file[name].dtype)))


def replaced(make):
    def change(file, name):
        values = file[name][()]
        del file[name]
        make(file, name, values)

    return lambda file: every(file, change)


CONFIGS = {
    "list": lambda config: [config],
    "null": lambda config: None,
    "text": lambda config: "model",
    "number": lambda config: 3,
    "null inside": updated(config=None),
    "list inside": updated(config=[1]),
    "no potential": updated("config", potential=None),
    "potential list": updated("config", potential=[]),
    "potential text": updated("config", potential="StillingerWeber"),
    "potential without configuration": updated("config", "potential", config=None),
    "other arguments": updated("config", "potential", "config", colour="red"),
    "other dtype": updated("config", dtype="float1024"),
    "other species": updated("config", "potential", "config", species=["Si", "C"]),
    "species number": updated("config", "potential", "config", species=7),
    "negative cutoff": updated("config", "potential", "config", cutoff=-1.0),
    "parameters list": updated("config", "potential", "config", parameters=[1]),
    "format text": updated("config", format="two"),
    "frozen beyond": updated("config", frozen=[99]),
    "foreign class": updated("config", "potential", module="antigravity", class_name="Fly", registered_name="other>Fly"),
    "foreign function": updated(
        "config", "potential", module="os", class_name="function", config="system", registered_name="system"
    ),
    "lambda": updated("config", "potential", class_name="__lambda__", config={"value": "x"}, registered_name=None),
    "other model": updated(class_name="Sequential", registered_name="Sequential"),
    "deep": lambda config: json.loads("[" * 300 + "]" * 300),
}
WEIGHTS = {
    "nan": filled(np.nan),
    "infinite": filled(np.inf),
    "other shape": replaced(lambda file, name, values: file.create_dataset(name, data=np.zeros(7))),
    "words": replaced(lambda file, name, values: file.create_dataset(name, data="text")),
    "missing": replaced(lambda file, name, values: None),
    "group": replaced(lambda file, name, values: file.create_group(name)),
    "external": replaced(
        lambda file, name, values: file.create_dataset(name, values.shape, "f4", external=[("/dev/zero", 0, 4 * values.size)])
    ),
    "external link": replaced(lambda file, name, values: file.__setitem__(name, h5py.ExternalLink("other.h5", "x"))),
}


@pytest.mark.parametrize("kind", ["config", "weights"])
def test_changed_files(good, tmp_path, kind, monkeypatch):
    path = tmp_path / "changed.keras"
    known = content(good)
    monkeypatch.setattr("webbrowser.open", lambda *_: pytest.fail("a foreign module was imported"))
    for name, change in (CONFIGS if kind == "config" else WEIGHTS).items():
        rewritten(good, path, **{kind: change})
        assert check(path, known), name


def test_errors_name_what_is_wrong_and_the_version_that_wrote_the_file(good, tmp_path):
    path = tmp_path / "changed.keras"
    rewritten(good, path, weights=filled(np.nan))
    with pytest.raises(ValueError, match=rf"a weight that is not finite, .* written by keras_ff {kff.__version__} with Keras 3\."):
        kff.load(path)
    rewritten(good, path, config=CONFIGS["foreign class"])
    with pytest.raises(ValueError, match="needs antigravity.Fly, neither of keras nor of keras_ff. If you trust it, import"):
        kff.load(path)
    rewritten(good, path, config=CONFIGS["null"])
    with pytest.raises(ValueError, match=f"its configuration is None. It was written by keras_ff {kff.__version__}"):
        kff.load(path)
    for text in (b"", b"text", b"PK\x05\x06" + bytes(18)):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="changed.keras is not a complete model file"):
            kff.load(path)
