"""Features of atoms made ready for a network."""

import numpy as np

# Principal components with less than this fraction of the largest variance are rounding errors of float32.
SMALLEST_VARIANCE = 1e-7


def decorrelation(features, groups, others=0):
    """Statistics that prepare features for a network.

    Descriptors of an atom are strongly correlated, and a network learns directions
    of small variance slowly. Along the principal components of their covariance the
    network sees them divided by the square root of the spread, which is half of the
    way to equal spread: all of it would inflate noise. On copper this
    saved about two thirds of the training.

    Args:
        features: Descriptors of atoms of the training set, `(samples, features)`, NumPy.
        groups: Slices of the features that have similar sizes.
        others: Number of inputs of the network beside the features, which stay as they are.

    Returns:
        Tuple of the mean `(features,)` and the matrix `(features + others, features + others)` that multiplies centered features.
    """
    mean = features.mean(axis=0)
    centered = features - mean
    units = np.ones(features.shape[1])
    for group in groups:
        units[group] = np.sqrt(np.mean(centered[:, group] ** 2)) or 1.0
    variances, components = np.linalg.eigh(np.cov(centered / units, rowvar=False, bias=True).reshape(len(units), len(units)))
    variances = np.maximum(variances, SMALLEST_VARIANCE * max(variances[-1], 1e-300))
    matrix = np.eye(len(units) + others)
    matrix[: len(units), : len(units)] = components * (variances * variances.mean()) ** -0.25 / units[:, None]
    return mean, matrix


def projection_of_twins(projection, matrix, kept):
    """The matrix of `decorrelation` for more features, of which the new ones are those of twins.

    Its first components are those that there were, with twins in the place of the new elements; each new feature follows by itself,
    in units of its size. A network with weights 0 for the latter sees no difference between twins until it is trained.

    Args:
        projection: `(features + others, features + others)`.
        matrix: `(new features, features)`, see `Descriptor.with_twins`.
        kept: Indices of the old features among the new ones, `(features,)`.

    Returns:
        `(new features + others, new features + others)`.
    """
    new, old = matrix.shape
    others = len(projection) - old
    replaced = np.zeros((new + others, old + others))
    replaced[:new, :old], replaced[new:, old:] = matrix, np.eye(others)
    found = np.zeros((new + others, new + others))
    components = np.r_[:old, new : new + others]
    found[:, components] = replaced @ projection
    # What `decorrelation` divides a feature by, as all components together tell it.
    core = projection[:old, :old]
    sizes = np.sqrt(np.diag(np.linalg.pinv(core @ core.T)))
    added = np.setdiff1d(np.arange(new), kept)
    found[added, np.arange(old, new)] = 1.0 / (matrix[added] @ sizes)
    return found
