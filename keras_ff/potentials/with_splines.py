"""The role of potentials with splines, whose knots the data may exceed."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_ff.geometry import Neighborhood


class WithSplines(abc.ABC):
    """Role of a potential whose functions are splines, so that `keras_ff.models.domains` can compare knots and data.

    A subclass inherits from `Potential` too, as `SplineMEAM` and `PairSpline` do, and writes `spline_arguments`.

    Example:
        >>> import keras_ff as kff
        >>> isinstance(kff.potentials.PairSpline(["Si"]), kff.potentials.WithSplines)
        True
    """

    @abc.abstractmethod
    def spline_arguments(self, neighborhood: Neighborhood):
        """Return the arguments at which the splines are evaluated.

        Args:
            neighborhood: The `Neighborhood` of the atoms.

        Returns:
            Dict from the name of each function to a tuple: the `CubicSpline`, its arguments `(atoms, ...)`, and a boolean tensor
            of the same shape, False for arguments that are padding.
        """
