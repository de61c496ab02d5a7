"""The laws of the weights of a potential: derivatives by them, and their way to the disk and back."""

import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from keras import ops

from keras_ff import backend
from keras_ff.models import load
from keras_ff.stateless import with_weights
from keras_ff.testing.law import LawResult, Worst
from keras_ff.testing.potential_laws import FIVE_POINTS

STEP = 1e-4


def parameter_gradient(probe, tolerance=1e-6):
    """The derivatives of a loss of energy and forces by the trainable weights are finite and those of five-point differences.

    The batch holds the structure, a structure with an isolated atom and two atoms
    exactly at the cutoff, and padding.
    """
    name = "parameter gradient"
    weights = _trainable(probe)
    if not weights:
        return Worst("The potential has no trainable weights.").result(name, tolerance)
    derivatives, batch = _derivatives(probe), _hard_batch(probe, coincident=False)
    direction = _direction(probe, weights)
    _, gradient, _ = derivatives(weights, direction, batch)
    worst = Worst("All derivatives are finite.")
    _finite(worst, probe, gradient, "The gradient by")
    if worst.deviation == 0.0:
        losses = [
            derivatives([w + steps * STEP * d for w, d in zip(weights, direction)], direction, batch)[0] for steps, _ in FIVE_POINTS
        ]
        expected = np.dot(losses, [weight for _, weight in FIVE_POINTS]) / STEP
        parts = [float(np.sum(g * d)) for g, d in zip(gradient, direction)]
        # The parts go along as the scale: their sum may nearly vanish.
        worst.compare("parameter gradient", [sum(parts), *parts], [expected, *parts], " along a random direction")
    return worst.result(name, tolerance)


def parameter_curvature(probe, tolerance=0.0):
    """The second derivatives of energy and forces by the trainable weights are finite, in the same batch."""
    weights = _trainable(probe)
    worst = Worst("All second derivatives are finite." if weights else "The potential has no trainable weights.")
    if weights:
        _, _, products = _derivatives(probe)(weights, _direction(probe, weights), _hard_batch(probe, coincident=False))
        _finite(worst, probe, products, "The Hessian-vector product of")
    return worst.result("second parameter derivatives", tolerance)


def coincident_atoms(probe, tolerance=1e-9):
    """Two atoms at the same place do not spoil the parameter gradient of the other structures of a batch."""
    name = "gradient beside coincident atoms"
    weights = _trainable(probe)
    if not weights:
        return Worst("The potential has no trainable weights.").result(name, tolerance)
    direction = _direction(probe, weights)
    _, clean, _ = _derivatives(probe)(weights, direction, _hard_batch(probe, coincident=False))
    _, beside, _ = _derivatives(probe)(weights, direction, _hard_batch(probe, coincident=True))
    worst = Worst()
    _finite(worst, probe, beside, "The gradient by")
    if worst.deviation == 0.0:
        for index, (a, b) in enumerate(zip(beside, clean)):
            worst.compare("parameter gradient", a, b, f" by {probe.model.trainable_weights[index].path}")
    return worst.result(name, tolerance)


def saving(probe, tolerance=1e-12):
    """A saved and loaded model has the same configuration, bit by bit the same weights, and the same energies and forces."""
    name = "saving and loading"
    with tempfile.TemporaryDirectory() as folder, probe.float64():
        path = Path(folder) / "model.keras"
        try:
            probe.model.save(path)
            copy = load(path)
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            return LawResult(name, np.nan, tolerance, f"{type(error).__name__}: {error}")
    before, after = probe.model.get_config(), copy.get_config()
    if before != after:
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        return LawResult(name, np.nan, tolerance, f"The configuration differs in {keys}: {before} became {after}.")
    for old, new in zip(probe.model.weights, copy.weights, strict=True):
        if not np.array_equal(ops.convert_to_numpy(old), ops.convert_to_numpy(new)):
            return LawResult(name, np.nan, tolerance, f"The weight {old.path} is not the same after loading.")
    batch = probe.batch([probe.structure])
    before, after = probe.outputs(batch), probe.outputs(batch, copy)
    worst = Worst()
    worst.compare("energy", after["energies"][0], before["energies"][0], probe.place())
    worst.compare("forces", after["forces"][0], before["forces"][0], probe.place())
    return worst.result(name, tolerance)


def _trainable(probe):
    return [ops.convert_to_numpy(weight) for weight in probe.model.trainable_weights]


def _direction(probe, weights):
    """A step of all weights, each in proportion to its size."""
    rng = np.random.default_rng(0)
    count = sum(weight.size for weight in weights)
    return [rng.normal(size=weight.shape) * (np.abs(weight).mean() if weight.any() else 1.0) / np.sqrt(count) for weight in weights]


def _derivatives(probe):
    """Compiled function from weights, direction and batch to loss, gradient and Hessian-vector product of the energy."""
    if "derivatives" in probe._functions:
        return probe._functions["derivatives"]
    model = probe.model
    trainable = {id(weight) for weight in model.trainable_weights}

    def outputs(values, batch):
        values = iter(values)
        values = [next(values) if id(weight) in trainable else weight.value for weight in model.weights]
        return with_weights(model, values, model.atomic, batch)

    def selected(batch, x):
        # The last structure does not count, whatever its energy.
        first = ops.arange(ops.shape(x)[0]) < ops.shape(x)[0] - 1
        return ops.sum(ops.where(ops.reshape(first, (-1,) + (1,) * (len(x.shape) - 1)), x, 0.0))

    def energy(values, batch):
        return selected(batch, outputs(values, batch)["energies"])

    def loss(values, batch):
        found = outputs(values, batch)
        return selected(batch, found["energies"]) + 0.5 * selected(batch, found["forces"] ** 2)

    def derivatives(values, direction, batch):
        value, gradient = backend.value_and_grad(loss)(values, batch)
        return value, gradient, backend.hvp(lambda v: energy(v, batch), values, direction)

    compiled = backend.jit(derivatives)

    def function(values, direction, batch):
        with probe.float64():
            value, gradient, products = compiled(values, direction, batch)
        return (
            float(value),
            [ops.convert_to_numpy(g) for g in gradient],
            [ops.convert_to_numpy(p) for p in products],
        )

    probe._functions["derivatives"] = function
    return function


def _hard_batch(probe, coincident):
    """The structure, one of edge cases, padding; and last one that has no part in the loss: coincident atoms or padding."""
    atoms, cutoff = probe.structure, probe.cutoff
    first, last = probe.species[0], probe.species[-1]
    edges = Atoms([first, last, first], [[0, 0, 0], [cutoff, 0, 0], [0, 0, 5 * cutoff]])
    together = Atoms([first, last, first], [[0, 0, 0], [0, 0, 0], [0.5 * cutoff, 0, 0]])
    tight = probe.batch([atoms])["neighbors"].shape
    shape = (4, max(tight[1], 3) + 1, max(tight[2], 2) + 1)
    batch = probe.batch([atoms, edges], shape)
    # Listed, though exactly at the cutoff.
    batch["neighbors"][1, 0, 0], batch["neighbors"][1, 1, 0] = 1, 0
    if coincident:
        # vesin may leave out pairs at distance zero.
        extra = probe.batch([together], (1, *shape[1:]))
        extra["neighbors"][0, :3] = -1
        extra["neighbors"][0, :3, :2] = [[1, 2], [0, 2], [0, 1]]
        extra["shifts"][0] = 0.0
        for name, value in batch.items():
            value[3] = extra[name][0]
    return batch


def _finite(worst, probe, arrays, what):
    for weight, array in zip(probe.model.trainable_weights, arrays):
        bad = int(np.size(array) - np.isfinite(array).sum())
        if bad:
            worst.deviation = np.nan
            worst.detail = f"{what} {weight.path} has {bad} of {np.size(array)} numbers that are not finite."
            return
