"""Samples of the structures for the members of a committee."""

import numpy as np


def bootstrap_counts(seed, index, members):
    """How often a structure is in the sample of each member, `(members,)`.

    Counts of a bootstrap sample of many structures are independent and of Poisson's distribution with the mean 1. Drawn that way
    they are a function of the seed and of the place of the structure alone, for data sets of any size.

    Args:
        seed: Of the samples.
        index: Place of the structure in its data set.
        members: Number of samples.

    Reference:
        Oza and Russell, Proc. 8th Int. Workshop on Artificial Intelligence and Statistics (2001), section 3.
    """
    return np.random.default_rng([seed, index]).poisson(1.0, members)
