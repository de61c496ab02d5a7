"""The laws of derivatives with respect to weights. Each takes a `Probe` and returns a `LawResult`."""

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.stateless import with_weights
from keras_ff.testing.derivative_laws import FIVE_POINTS
from keras_ff.testing.law import Worst

# Of the weights, each in proportion to its size; and how many steps lead away from a kink.
STEP = 1e-4
KINK = 5


def parameter_gradient(probe, tolerance=1e-6):
    """The gradient of a loss of energy and forces with respect to the trainable weights is finite and that of differences.

    The batch holds the structure, a structure with an isolated atom and two atoms exactly at the cutoff, and padding. The loss may
    have a kink at the weights, as where a range that is trained ends at the cutoff: then the gradient must be right on both sides,
    and near the two at the kink.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest contribution of a weight, or to 1.

    Returns:
        `LawResult`. It holds without trainable weights.
    """
    name = "parameter gradient"
    weights = _trainable(probe)
    if not weights:
        return Worst("The potential has no trainable weights.").result(name, tolerance)
    derivatives, batch = _derivatives(probe), probe.hard_batch()
    direction = _direction(probe, weights)
    _, gradient, _ = derivatives(weights, direction, batch)
    worst = Worst("All derivatives are finite.")
    _finite(worst, probe, gradient, "The gradient with respect to")
    if worst.deviation == 0.0:
        slope, worst = _slope(derivatives, weights, direction, batch)
        if not worst.deviation <= tolerance:
            sides = [_slope(derivatives, weights, direction, batch, steps * KINK) for steps in (-2, -1, 1, 2)]
            worst = max((side for _, side in sides), key=lambda side: np.nan_to_num(side.deviation, nan=np.inf))
            # Extrapolated to the kink. Several weights may have one there, and the gradient that of a side on which all of them are
            # the other way; it cannot be farther off than the slopes are from each other.
            farther, left, right, away = (side for side, _ in sides)
            slopes = 2 * left - farther, 2 * right - away
            slack = abs(slopes[1] - slopes[0]) + 1e-2 * max(1.0, *np.abs(slopes))
            if not min(slopes) - slack <= slope <= max(slopes) + slack:
                worst.fail(f"The loss has the slopes {slopes} on both sides along a random direction. The gradient gives {slope}.")
    return worst.result(name, tolerance)


def _slope(derivatives, weights, direction, batch, distance=0):
    """The slope of the loss along a direction after some steps, and the `Worst` of its comparison with differences."""

    def at(steps):
        return derivatives([w + (distance + steps) * STEP * d for w, d in zip(weights, direction)], direction, batch)

    loss, gradient, _ = at(0)
    expected = np.dot([at(steps)[0] for steps, _ in FIVE_POINTS], [weight for _, weight in FIVE_POINTS]) / STEP
    parts = [float(np.sum(g * d)) for g, d in zip(gradient, direction)]
    worst = Worst()
    # The parts go along as the scale: their sum may nearly vanish. A large loss is rounded, and its differences with it.
    noise = 8 * np.finfo("float64").eps * abs(loss) / STEP
    worst.compare("parameter gradient", [sum(parts), *parts], [expected, *parts], " along a random direction", noise)
    return sum(parts), worst


def parameter_curvature(probe, tolerance=0.0):
    """The second derivatives of the energy with respect to the trainable weights are finite, in the same batch.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`. It holds without trainable weights.
    """
    weights = _trainable(probe)
    worst = Worst("All second derivatives are finite." if weights else "The potential has no trainable weights.")
    if weights:
        _, _, products = _derivatives(probe)(weights, _direction(probe, weights), probe.hard_batch())
        _finite(worst, probe, products, "The Hessian-vector product of")
    return worst.result("second parameter derivatives", tolerance)


def coincident_atoms(probe, tolerance=1e-9):
    """Two atoms at the same position do not spoil the parameter gradient of the other structures of a batch.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest entry of a gradient, or to 1.

    Returns:
        `LawResult`. It holds without trainable weights.
    """
    name = "gradient beside coincident atoms"
    weights = _trainable(probe)
    if not weights:
        return Worst("The potential has no trainable weights.").result(name, tolerance)
    direction = _direction(probe, weights)
    _, clean, _ = _derivatives(probe)(weights, direction, probe.hard_batch())
    _, beside, _ = _derivatives(probe)(weights, direction, probe.hard_batch(coincident=True))
    worst = Worst()
    _finite(worst, probe, beside, "The gradient with respect to")
    if worst.deviation == 0.0:
        for index, (a, b) in enumerate(zip(beside, clean)):
            worst.compare("parameter gradient", a, b, f" with respect to {probe.model.trainable_weights[index].path}")
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

    def computed(function, values, batch):
        values = iter(values)
        values = [next(values) if id(weight) in trainable else weight.value for weight in model.weights]
        return with_weights(model, values, function, batch)

    def selected(batch, x):
        # The last structure does not count, whatever its energy.
        first = ops.arange(ops.shape(x)[0]) < ops.shape(x)[0] - 1
        return ops.sum(ops.where(ops.reshape(first, (-1,) + (1,) * (len(x.shape) - 1)), x, 0.0))

    def energy(values, batch):
        return selected(batch, computed(model.total_energy, values, batch))

    def loss(values, batch):
        found = computed(model.atomic, values, batch)
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


def _finite(worst, probe, arrays, what):
    for weight, array in zip(probe.model.trainable_weights, arrays):
        bad = int(np.size(array) - np.isfinite(array).sum())
        if bad:
            worst.deviation = np.nan
            worst.detail = f"{what} {weight.path} has {bad} of {np.size(array)} numbers that are not finite."
            return
