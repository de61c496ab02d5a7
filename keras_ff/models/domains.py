"""Comparison of the knots of splines with the range of the data."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_ff.models.mapping import mapped
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.with_splines import WithSplines

if TYPE_CHECKING:
    from keras_ff.data.dataset import Dataset
    from keras_ff.models.force_field import ForceField


@dataclasses.dataclass(frozen=True)
class Domain:
    """Range of the knots of a spline and of the arguments that data have, in Å for functions of a distance.

    Attributes:
        first: Position of the first knot.
        last: Position of the last knot.
        smallest: Smallest argument; infinity if there is none.
        largest: Largest argument; minus infinity if there is none.
        outside: Fraction of the arguments before the first or beyond the last knot, where the spline is extrapolated. Arguments
            beyond the last knot of a spline that is 0 there do not count.
    """

    first: float
    last: float
    smallest: float
    largest: float
    outside: float


def spline_domains(model: ForceField, dataset: Dataset) -> dict[str, Domain]:
    """Ranges of the knots of all splines of a model, and of the arguments that a data set has.

    `ForceField.adapt` and `fit_reference_energies` call it for its warnings.

        kff.models.spline_domains(model, data)["rho"].largest

    Args:
        model: `ForceField`; splines are in `SplineMEAM`, `PairSpline`, `SplineNetwork` and `ElementNetworks`.
        dataset: `keras_ff.data.Dataset`.

    Returns:
        Dict from the names of the splines to `Domain`; empty for a model without splines.

    Warns:
        UserWarning: For each spline with arguments outside its knots.
    """
    terms = terms_with(model.potential, WithSplines)
    if not terms:
        return {}
    splines = {}

    def summary(batch, labels):
        neighborhood, structures = model.neighborhood(batch), ops.shape(batch["species"])[0]
        rows = {}
        for term in terms:
            for name, (spline, x, exists) in term.spline_arguments(neighborhood.within(term.cutoff)).items():
                splines[name] = spline
                x, exists = (ops.reshape(values, (structures, -1)) for values in (x, exists))
                # A rounding error beyond the last knot is nothing.
                slack = 1e-5 * spline.spacing
                below, above = (ops.logical_and(exists, side) for side in (x < spline.first - slack, x > spline.last + slack))
                ends = [ops.min(ops.where(exists, x, np.inf), axis=1), ops.max(ops.where(exists, x, -np.inf), axis=1)]
                counts = [ops.sum(ops.cast(which, x.dtype), axis=1) for which in (exists, below, above)]
                rows[name] = ops.stack([*ends, *counts], axis=1)
        return rows

    rows = [row for _, row in mapped(model, summary, dataset, (), "splines")]
    domains = {}
    for name, spline in splines.items():
        low, high, count, below, above = np.transpose([row[name].astype("float64") for row in rows])
        outside = below.sum() + (0.0 if _has_vanished(spline) else above.sum())
        fraction = float(outside / max(count.sum(), 1))
        domain = domains[name] = Domain(spline.first, spline.last, float(low.min()), float(high.max()), fraction)
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
