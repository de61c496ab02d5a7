"""The role of potentials with splines, which data may leave behind."""

import abc


class WithSplines(abc.ABC):
    """Role of a potential whose functions are splines: see `keras_ff.models.spline_domains`."""

    @abc.abstractmethod
    def spline_arguments(self, neighborhood):
        """Arguments that the splines have in a `Neighborhood`.

        Returns:
            Dict from the name of each function to a tuple: the `CubicSpline`, its arguments `(atoms, ...)`, and a boolean array of
            the same shape, which says which of these exist.
        """
