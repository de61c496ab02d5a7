"""Functions that take interactions smoothly to zero at the cutoff."""

from __future__ import annotations

import numpy as np
from keras import ops


def cosine_cutoff(distances, cutoff: float):
    """Cutoff function: half a cosine wave, from 1 at distance 0 to 0 at `cutoff`.

    The value and its first derivative are continuous at `cutoff`. The second
    derivative jumps there, and so do force constants.

    Args:
        distances: Any shape, in Å.
        cutoff: Radius in Å from which the result is 0.

    Returns:
        Weights between 0 and 1, in the shape of `distances`.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> np.array(kff.layers.cosine_cutoff(np.array([0.0, 2.5, 5.0, 6.0]), 5.0)).round(6).tolist()
        [1.0, 0.5, 0.0, 0.0]

    Reference:
        Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007), eq. 4.
    """
    x = ops.minimum(distances / cutoff, 1.0)
    return 0.5 + 0.5 * ops.cos(np.pi * x)


def polynomial_cutoff(distances, cutoff: float, onset: float = 0.0):
    """Cutoff function: the polynomial of degree 5 from 1 at `onset` to 0 at `cutoff`.

    The value and its first two derivatives are continuous everywhere, so that
    force constants are too.

    Args:
        distances: Any shape, in Å.
        cutoff: Radius in Å from which the result is 0.
        onset: Radius in Å up to which the result is 1.

    Returns:
        Weights between 0 and 1, in the shape of `distances`.

    Example:
        >>> import numpy as np
        >>> import keras_ff as kff
        >>> np.array(kff.layers.polynomial_cutoff(np.array([0.0, 2.5, 5.0, 6.0]), 5.0)).round(6).tolist()
        [1.0, 0.5, 0.0, 0.0]

    Reference:
        Ebert et al., "smootherstep", in Texturing and Modeling (2003), p. 30.
    """
    x = ops.clip((distances - onset) / (cutoff - onset), 0.0, 1.0)
    return 1.0 - x * x * x * (10.0 + x * (6.0 * x - 15.0))
