"""Derivatives of properties that follow the relaxed cell."""

import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import CellLengths, ElasticConstants

pytestmark = pytest.mark.usefixtures("float64")

# Lattice constant of Stillinger-Weber silicon with LAMMPS 22 July 2025, in Å.
LATTICE_CONSTANT = 5.430949778405213


@pytest.mark.slow_on_tensorflow
def test_derivatives_follow_the_structure_at_rest():
    """Scaling of lengths: C goes with sigma^-3 if the lattice constant follows sigma, which is more than the derivative at rest."""
    model = kff.ForceField(StillingerWeber.silicon(train=["sigma"]))
    elastic = ElasticConstants(model, bulk("Si", a=5.43), free="cell")
    value, gradient = elastic.gradient(lambda C: C[0, 0])
    assert gradient[0].ravel()[0] == pytest.approx(-3.0 * value, rel=1e-9)
    length, gradient = CellLengths(model, bulk("Si", a=5.43)).gradient(lambda lengths: lengths[0])
    assert length == pytest.approx(LATTICE_CONSTANT / 2**0.5, abs=1e-9)
    assert gradient[0].ravel()[0] == pytest.approx(length, rel=1e-9)
