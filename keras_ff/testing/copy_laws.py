"""The laws of a model's copies: on the disk and back, in float32, with more elements. Each takes a `Probe`."""

import inspect
import tempfile
from pathlib import Path

import keras
import numpy as np
from ase.data import chemical_symbols
from keras import ops

from keras_ff.models import load
from keras_ff.potentials import ZBL
from keras_ff.potentials.base import terms_with
from keras_ff.testing.law import LawResult, Worst

# How often rounding errors are drawn at random to learn what they do to energies and forces.
DRAWS = 6


def saving(probe, tolerance=1e-12):
    """A saved and loaded model has the constructor arguments, weights, configuration and energies of the one that was saved.

    The model is taken as it was given, in its own dtype. Its energies are compared where the compiler does not interfere.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest energy or force, or to 1 eV and 1 eV/Å.

    Returns:
        `LawResult`.
    """
    name = "saving and loading"
    with tempfile.TemporaryDirectory() as folder, probe.precision(probe.dtype):
        path = Path(folder) / "model.keras"
        try:
            probe.given.save(path)
            copy = load(path)
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            return LawResult(name, np.nan, tolerance, f"{type(error).__name__}: {error}")
    if difference := _difference(probe.given, copy):
        return LawResult(name, np.nan, tolerance, difference)
    before, after = probe.uncompiled_hard_batch(), probe.uncompiled(probe.hard_batch(), copy)
    worst = Worst()
    worst.compare("energy", after["energy"], before["energy"], _of_structure)
    if "forces" in before:
        worst.compare("forces", after["forces"], before["forces"], lambda index: f" of atom {index[1]} of structure {index[0]}")
    return worst.result(name, tolerance)


def single_precision(probe, tolerance=32.0):
    """Energies and forces in float32 differ from those in float64 by no more than what rounding explains.

    How much that is depends on the potential: a stiff one, or a trained network whose weights cancel each other, makes more of
    a rounding error. So positions, cell and weights are rounded at random in float64, several times, and what that does to
    energies and forces, with the rounding of these numbers themselves, is the unit of the deviation.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, in these units. A potential adds up a few hundred rounded terms; those of this
            library, trained ones among them, stay below 10. TF32 or half precision anywhere exceed 1000.

    Returns:
        `LawResult`.
    """
    name = "float32 against float64"
    batch = probe.batch([probe.structure], probe.shape)
    # The same numbers in both precisions.
    batch = {key: value.astype("float32").astype("float64") if value.dtype.kind == "f" else value for key, value in batch.items()}
    found, expected = probe.outputs(batch, probe.single), probe.outputs(batch)
    n = len(probe.structure)
    worst = Worst()
    errors = _rounding_errors(probe, batch, expected)
    for key, quantity, unit in (("energies", "energy", "eV"), ("forces", "forces", "eV/Å")):
        error = errors[key]
        size = np.abs(found[key][0, :n] - expected[key][0, :n])
        deviation = float(size.max() / error) if np.isfinite(size).all() else np.nan
        if not deviation <= worst.deviation:
            index = np.unravel_index(int(np.where(np.isfinite(size), size, np.inf).argmax()), size.shape)
            worst.deviation = deviation
            worst.detail = (
                f"{quantity.capitalize()}{probe.label()(index)}: {found[key][0][index]:.8g} {unit} in float32 against "
                f"{expected[key][0][index]:.8g} {unit}, a difference of {size[index]:.1e} where rounding explains {error:.1e}."
            )
    return worst.result(name, tolerance)


def new_elements(probe, tolerance=1e-9):
    """A model that learned a new element with `with_species` has the old energies, and those of the twin for the new element.

    With a `ZBL` term the old energies alone are compared: it gives the new element its own charge, not that of the twin.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest energy, or to 1 eV.

    Returns:
        `LawResult`, or None if the potential takes no new elements.
    """
    twin = probe.structure.symbols[0]
    new = next(symbol for symbol in chemical_symbols[1:] if symbol not in probe.species)
    with probe.float64():
        try:
            larger = probe.model.with_species({new: twin})
        except NotImplementedError:
            return None
    batch = probe.hard_batch()
    with_twins = {**batch, "species": batch["species"].copy()}
    twins = np.argwhere(batch["species"] == probe.species.index(twin))[::2]
    with_twins["species"][tuple(twins.T)] = larger.species.index(new)
    before = probe.uncompiled_hard_batch(probe.model)["energy"]
    worst, cases = Worst(), [(batch, ""), (with_twins, f" with {new} for {twin}")]
    for changed, what in cases[:1] if terms_with(probe.model.potential, ZBL) else cases:
        worst.compare("energy", probe.energies(changed, larger), before, lambda index: _of_structure(index) + what)  # noqa: B023
    return worst.result("new elements", tolerance)


def _of_structure(index):
    return f" of structure {index[0]}"


def _rounding_errors(probe, batch, expected):
    """Sizes of the errors of energies and forces, in their units, where inputs, weights and outputs are rounded to float32."""
    eps = float(np.finfo("float32").eps)
    rng = np.random.default_rng(0)
    n = len(probe.structure)
    exact = {key: expected[key][0, :n] for key in ("energies", "forces")}
    length = max(np.abs(batch["positions"]).max(), np.abs(batch["cell"]).max())
    weights = [ops.convert_to_numpy(weight) for weight in probe.model.weights]
    squares = dict.fromkeys(exact, 0.0)
    for _ in range(DRAWS):
        rounded = dict(batch)
        for geometry in ("positions", "cell"):
            # What is 0 stays 0: the cell of a molecule.
            rounded[geometry] = batch[geometry] + eps * length * rng.normal(size=batch[geometry].shape) * (batch[geometry] != 0)
        # A weight that is 0 is often the logarithm of a factor: it counts like the others of its array, or like 1.
        sizes = [np.where(w != 0, np.abs(w), np.abs(w).mean() if w.any() else 1.0) for w in weights]
        values = [w + eps * size * rng.normal(size=w.shape) for w, size in zip(weights, sizes)]
        found = probe.outputs(rounded, values=values)
        for key, value in exact.items():
            squares[key] = squares[key] + (found[key][0, :n] - value) ** 2
    return {key: float(np.sqrt(squares[key] / DRAWS).max() + eps * max(1.0, np.abs(value).max())) for key, value in exact.items()}


def _difference(model, copy):
    """What differs between two models, in words; None if they have the same layers, arguments, weights and configuration."""
    before, after = model.get_config(), copy.get_config()
    if before != after:
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        return f"The configuration differs in {keys}: {before} became {after}."
    old, new = _layers(model.potential), _layers(copy.potential)
    if [type(layer) for layer in old] != [type(layer) for layer in new]:
        return f"The layers differ: {[type(layer).__name__ for layer in old]} became {[type(layer).__name__ for layer in new]}."
    for one, other in zip(old, new):
        for name in inspect.signature(type(one).__init__).parameters:
            value, again = vars(one).get(name), vars(other).get(name)
            if not _same(value, again):
                return f"{type(one).__name__} had {name}={value!r} and has {again!r} after loading. Does get_config return it?"
        if one.compute_dtype != other.compute_dtype:
            return f"{type(one).__name__} computed in {one.compute_dtype}, and in {other.compute_dtype} after loading."
    for one, other in zip(model.weights, copy.weights, strict=True):
        values = [ops.convert_to_numpy(weight) for weight in (one, other)]
        if one.dtype != other.dtype or not np.array_equal(*values, equal_nan=values[0].dtype.kind == "f"):
            return f"The weight {one.path} is not the same after loading."
        if one.trainable != other.trainable:
            return f"The weight {one.path} had trainable={one.trainable} and has {other.trainable} after loading."
    return None


def _layers(value, seen=None):
    """A layer and all layers in its attributes, in their order."""
    seen = set() if seen is None else seen
    if isinstance(value, (list, tuple)):
        return [layer for item in value for layer in _layers(item, seen)]
    if isinstance(value, dict):
        return _layers(list(value.values()), seen)
    if not isinstance(value, keras.layers.Layer) or id(value) in seen:
        return []
    seen.add(id(value))
    # Keras has lists of its own under names with an underscore.
    return [value, *_layers([item for name, item in vars(value).items() if not name.startswith("_")], seen)]


def _same(one, other):
    """Whether two arguments are equal; layers and other objects, which are compared elsewhere or cannot be, count as equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, (str, bool, int, float, type(None))) or isinstance(other, (str, bool, int, float, type(None))):
        return one == other
    return True
