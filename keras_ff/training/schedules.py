"""Learning rates over a training run."""

import math

import keras

from keras_ff.arguments import positive, whole

# Learning rate at the first and the last step, as fractions of the peak, and the fraction of the run in which it rises.
START, FINAL, WARMUP = 0.04, 0.001, 0.1


def one_cycle_rate(peak: float, done: float, warmup: float = WARMUP, start: float = START, final: float = FINAL) -> float:
    """Learning rate of one cycle at a moment of the run, for callbacks that set it; `one_cycle` is the schedule.

    Args:
        peak: Highest learning rate.
        done: Fraction of the run that is over.
        warmup: Fraction of the run in which the learning rate rises.
        start: Learning rate at the beginning, as a fraction of `peak`.
        final: Learning rate at the end, as a fraction of `peak`.

    Returns:
        The learning rate.

    Example:
        >>> [f"{one_cycle_rate(1e-3, done):.1e}" for done in (0.0, 0.1, 1.0)]
        ['4.0e-05', '1.0e-03', '1.0e-06']
    """
    if done < warmup:
        return peak * (start + (1 - start) * done / warmup)
    fall = (done - warmup) / max(1.0 - warmup, 1e-9)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(fall, 1.0))))


def one_cycle(
    peak: float, steps: int, warmup: float = WARMUP, start: float = START, final: float = FINAL
) -> keras.optimizers.schedules.CosineDecay:
    """One-cycle schedule: a learning rate that rises linearly to `peak` and then falls along half a cosine wave.

    It is a `keras.optimizers.schedules.CosineDecay`, given by the length of the
    run and its peak.

    Args:
        peak: Highest learning rate.
        steps: Number of training steps of the whole run: epochs times `len(dataset)`.
        warmup: Fraction of the steps in which the learning rate rises.
        start: Learning rate of the first step, as a fraction of `peak`.
        final: Learning rate at the end, as a fraction of `peak`.

    Returns:
        Schedule to pass as `learning_rate` to a Keras optimizer.

    Raises:
        ValueError: If `peak` or `steps` is not positive, or a fraction is not between 0 and 1.

    Reference:
        Smith and Topin, arXiv 1708.07120 (2018).

    Example:
        >>> import keras_ff as kff
        >>> schedule = kff.training.one_cycle(peak=1e-3, steps=1000)
        >>> [f"{float(schedule(step)):.1e}" for step in (0, 100, 1000)]
        ['4.0e-05', '1.0e-03', '1.0e-06']
    """
    peak, steps = positive("peak", peak), whole("steps", steps, 1)
    for name, fraction in (("warmup", warmup), ("start", start), ("final", final)):
        if not 0 <= fraction < 1:
            raise ValueError(f"Expected {name} to be a fraction, from 0 to less than 1. Received {name}={fraction}.")
    rising = round(warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=float(peak * start),
        decay_steps=max(steps - rising, 1),
        alpha=final,
        warmup_target=float(peak),
        warmup_steps=rising,
    )
