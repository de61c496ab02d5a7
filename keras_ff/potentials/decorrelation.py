"""Decorrelation of the features of atoms, which prepares them for a network."""

from __future__ import annotations

import numpy as np

# Principal components with less than this fraction of the largest variance are rounding errors of float32.
SMALLEST_VARIANCE = 1e-7

# Features whose deviations are less than this fraction of their size are all the same, apart from rounding errors: those of the
# atoms of a perfect crystal, or of isolated atoms.
SMALLEST_SPREAD = 1e-6


def decorrelation(features: np.ndarray, groups: list[slice], others: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean of features, and the matrix that turns them into principal components for a network.

    Descriptors of an atom are strongly correlated, and a network learns directions
    of small variance slowly. The network gets the principal components of their
    covariance, each divided by the square root of its standard deviation. That is half of
    the way to equal deviations: all of it would amplify noise. On copper this
    saved about two thirds of the training. Features that are the same for all atoms are only divided by their size.

    Args:
        features: Descriptors of atoms of the training set, `(samples, features)`, NumPy.
        groups: Slices of the features that have similar sizes.
        others: Number of further inputs of the network, which stay as they are.

    Returns:
        Tuple of the mean `(features,)` and the matrix `(features + others, features + others)` that multiplies centered features.

    Example:
        >>> import numpy as np
        >>> from keras_ff.potentials.decorrelation import decorrelation
        >>> mean, matrix = decorrelation(np.array([[0.0], [4.0]]), groups=[slice(0, 1)])
        >>> mean.tolist(), matrix.tolist()
        ([2.0], [[0.5]])
    """
    mean = features.mean(axis=0)
    centered = features - mean
    units = np.ones(features.shape[1])
    for group in groups:
        size, spread = (np.sqrt(np.mean(values[:, group] ** 2)) for values in (features, centered))
        units[group] = spread if spread > SMALLEST_SPREAD * size else size or 1.0
    variances, components = np.linalg.eigh(np.cov(centered / units, rowvar=False, bias=True).reshape(len(units), len(units)))
    matrix = np.eye(len(units) + others)
    if variances[-1] < SMALLEST_SPREAD:
        matrix[: len(units), : len(units)] /= units[:, None]
        return mean, matrix
    variances = np.maximum(variances, SMALLEST_VARIANCE * variances[-1])
    matrix[: len(units), : len(units)] = components * (variances * variances.mean()) ** -0.25 / units[:, None]
    return mean, matrix


def projection_of_twins(projection: np.ndarray, matrix: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Matrix of `decorrelation` for the features of more elements, extended from that of the elements that are known.

    Its first components are those of the given matrix, with each new element replaced by its twin, a known element; each new
    feature follows by itself, in units of its size. A network with weights 0 for the latter sees no difference between an element
    and its twin until it is trained.

    Args:
        projection: Matrix of the known elements, `(features + others, features + others)`.
        matrix: `(new features, features)`, see `Descriptor.with_twins`.
        kept: Indices of the old features among the new ones, `(features,)`.

    Returns:
        Array `(new features + others, new features + others)`.
    """
    new, old = matrix.shape
    others = len(projection) - old
    replaced = np.zeros((new + others, old + others))
    replaced[:new, :old], replaced[new:, old:] = matrix, np.eye(others)
    extended = np.zeros((new + others, new + others))
    components = np.r_[:old, new : new + others]
    extended[:, components] = replaced @ projection
    # The size by which `decorrelation` divides each feature, computed from all components together.
    core = projection[:old, :old]
    sizes = np.sqrt(np.diag(np.linalg.pinv(core @ core.T)))
    added = np.setdiff1d(np.arange(new), kept)
    extended[added, np.arange(old, new)] = 1.0 / (matrix[added] @ sizes)
    return extended
