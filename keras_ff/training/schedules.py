"""Learning rate over a run."""

import keras


def one_cycle(peak, steps, warmup=0.1, start=0.04, final=0.001):
    """A learning rate that rises to `peak` in a line and falls in half a cosine wave.

    This is `keras.optimizers.schedules.CosineDecay`, told by the length of the
    run and where its peak is.

    Args:
        peak: Highest learning rate.
        steps: Training steps of the whole run: epochs times `len(dataset)`.
        warmup: Part of the steps in which the learning rate rises.
        start: Learning rate of the first step, as a part of `peak`.
        final: Learning rate at the end, as a part of `peak`.

    Returns:
        A schedule to pass as `learning_rate` to a Keras optimizer.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> schedule = one_cycle(peak=1e-3, steps=1000)
        >>> [f"{float(schedule(step)):.1e}" for step in (0, 100, 1000)]
        ['4.0e-05', '1.0e-03', '1.0e-06']
    """
    if not peak > 0:
        raise ValueError(f"Expected a positive peak of the learning rate. Received peak={peak}.")
    if not (isinstance(steps, int) and steps > 0):
        raise ValueError(f"Expected the number of training steps, epochs * len(dataset). Received steps={steps}.")
    for name, part in (("warmup", warmup), ("start", start), ("final", final)):
        if not 0 <= part < 1:
            raise ValueError(f"Expected {name} to be a part, from 0 to less than 1. Received {name}={part}.")
    rising = round(warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=float(peak * start),
        decay_steps=max(steps - rising, 1),
        alpha=final,
        warmup_target=float(peak),
        warmup_steps=rising,
    )
