"""Memory of a training step, estimated before the first one."""

import math

# Numbers that a training step holds for each feature of a pair. Measured with NeuralIL on JAX: 150 to 290 for each pair.
SWEEPS = 4

# Bytes that the compilation of the step takes, measured likewise.
COMPILATION = 300e6

# Features of a pair where the model does not say.
FEATURES_PER_PAIR = 64


def estimate_memory(dataset, model=None, features_per_pair=None):
    """Bytes of memory that a training step on the largest batch of `dataset` takes, to within a factor of two or so.

        COMPILATION  +  largest S A K x (features_per_pair x SWEEPS + 4) x bytes of a float  +  4 x parameters x bytes of a float

    The 4 in the second term are the vector of a pair and its index, in the third a weight, its gradient and two moments of Adam.

    Args:
        dataset: Anything with `shapes`, a list of (S, A, K), and `dtype`.
        model: A Keras model, whose parameters are counted. Its attribute `features_per_pair`, or that of its `potential`, is used
            where there is one.
        features_per_pair: Numbers that the model computes for each pair; overrides the model.
    """
    for owner in (model, getattr(model, "potential", None)):
        features_per_pair = features_per_pair or getattr(owner, "features_per_pair", None)
    features_per_pair = features_per_pair or FEATURES_PER_PAIR
    pairs = max(math.prod(shape) for shape in dataset.shapes)
    parameters = model.count_params() if getattr(model, "built", False) else 0
    return COMPILATION + (pairs * (features_per_pair * SWEEPS + 4) + 4 * parameters) * dataset.dtype.itemsize
