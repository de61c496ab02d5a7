"""Whether the knots of splines reach as far as data do."""

import dataclasses
import warnings

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.geometry import Neighborhood


@dataclasses.dataclass(frozen=True)
class Domain:
    """Knots of a spline and the arguments that data give it, in Å for functions of a distance.

    Attributes:
        first: Place of the first knot,
        last: and of the last.
        smallest: Smallest argument,
        largest: and largest; infinities if there is none.
        outside: Part of the arguments before the first or beyond the last knot, where the spline is no function of its own values
            but continues the last ones. Beyond a radial function that has vanished nothing counts.
    """

    first: float
    last: float
    smallest: float
    largest: float
    outside: float


def spline_domains(model, dataset):
    """Knots and data of all splines of a model. `ForceField.adapt` and `fit_reference_energies` look at them too.

    Args:
        model: `ForceField`; splines are in `SplineMEAM`, `PairSpline`, `SplineNetwork` and `ElementNetworks`.
        dataset: `keras_ff.data.Dataset`.

    Returns:
        Dict from the names of the splines to `Domain`.

    Warns:
        For splines with arguments outside their knots.
    """
    terms = [term for term in model.potential.terms() if hasattr(term, "spline_arguments")]
    if not terms:
        return {}
    splines = {}

    def summary(batch):
        neighborhood = Neighborhood(*model.pairs(batch), model.cutoff)
        found = {}
        for term in terms:
            for name, (spline, x, exists) in term.spline_arguments(neighborhood.within(term.cutoff)).items():
                splines[name] = spline
                # A rounding error beyond the last knot is nothing.
                slack = 1e-5 * spline.spacing
                below, above = (ops.logical_and(exists, side) for side in (x < spline.first - slack, x > spline.last + slack))
                found[name] = (
                    ops.min(ops.where(exists, x, np.inf)),
                    ops.max(ops.where(exists, x, -np.inf)),
                    *(ops.sum(ops.cast(which, "float32")) for which in (exists, below, above)),
                )
        return found

    function = backend.jit(summary, layer=model)
    rows = [{name: [float(x) for x in row] for name, row in function(dataset[index][0]).items()} for index in range(len(dataset))]
    domains = {}
    for name, spline in splines.items():
        low, high, count, below, above = np.transpose([row[name] for row in rows])
        outside = below.sum() + (0.0 if _has_vanished(spline) else above.sum())
        share = float(outside / max(count.sum(), 1))
        domain = domains[name] = Domain(spline.first, spline.last, float(low.min()), float(high.max()), share)
        if domain.outside:
            warnings.warn(
                f"{name} has knots from {domain.first:.4g} to {domain.last:.4g}; the data go from {domain.smallest:.4g} to "
                f"{domain.largest:.4g}, and {100 * domain.outside:.2g} % of them lie outside the knots.",
                stacklevel=2,
            )
    return domains


def _has_vanished(spline):
    """Whether the spline is 0 beyond its last knot."""
    values, slopes = spline.numbers()
    return not (spline.is_natural[1] or values[-1].any() or slopes[1].any())
