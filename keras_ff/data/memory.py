"""Estimate of the memory that a training step takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Numbers that a training step holds for each feature of a pair. Measured with NeuralIL on JAX: 150 to 290 for each pair.
SWEEPS = 4

# Bytes that the compilation of the step takes, measured in the same way.
COMPILATION = 300e6

# Features of a pair of atoms.
FEATURES_PER_PAIR = 64


def estimate_memory(dataset: Any, model: keras.Model | None = None, features_per_pair: int = FEATURES_PER_PAIR) -> float:
    """Memory in bytes that a training step on the largest batch of a data set takes, to within a factor of about two.

        COMPILATION  +  largest S A K x (features_per_pair x SWEEPS + 4) x bytes of a float  +  4 x parameters x bytes of a float

    The 4 in the second term counts the vector of a pair and its index, that in the third a weight, its gradient and two moments of
    Adam.

    Args:
        dataset: `Dataset`, or another object with `shapes`, a list of (S, A, K), and `dtype`.
        model: Keras model, whose parameters are counted.
        features_per_pair: Numbers that the model computes for each pair of atoms.

    Returns:
        Number of bytes.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> data = kff.data.Dataset([bulk("Si")], model)
        >>> round(kff.data.estimate_memory(data, model) / 1e6)
        300
    """
    pairs = max(math.prod(shape) for shape in dataset.shapes)
    parameters = 0 if model is None else model.count_params()
    return COMPILATION + (pairs * (features_per_pair * SWEEPS + 4) + 4 * parameters) * dataset.dtype.itemsize
