"""Bootstrap samples of the structures of a data set, one for each member of a committee."""

from __future__ import annotations

import numpy as np


def bootstrap_counts(seed: int, index: int, members: int) -> np.ndarray:
    """Numbers of times that a structure occurs in the bootstrap sample of each member of a committee, `(members,)`.

    The counts of a bootstrap sample of many structures are independent and have Poisson's distribution with the mean 1. Drawn
    from that distribution, they depend on the seed and the index of the structure alone, for data sets of any size.

    Args:
        seed: Seed of the samples, a non-negative integer.
        index: Index of the structure in its data set.
        members: Number of members, each with a sample of its own.

    Returns:
        Integers, (members,).

    Example:
        >>> bool(np.array_equal(bootstrap_counts(0, 7, 5), bootstrap_counts(0, 7, 8)[:5]))
        True

    Reference:
        Oza and Russell, Proc. 8th Int. Workshop on Artificial Intelligence and Statistics (2001), section 3.
    """
    return np.random.default_rng([seed, index]).poisson(1.0, members)
