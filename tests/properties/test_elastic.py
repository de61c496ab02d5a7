"""Elastic constants against LAMMPS, their derivatives, and structures that are not relaxed."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.potentials import EDIP, StillingerWeber
from keras_ff.properties import CohesiveEnergy, DefectEnergy, ElasticConstants, cubic, mandel, relax

pytestmark = pytest.mark.usefixtures("float64")

# Made with LAMMPS 22 July 2025 by four-point differences of the stress at zero stress: lattice constant in Å, cohesive energy in
# eV; C11, C12, C44 with the atoms relaxed, C44 with the atoms clamped, in GPa; unrelaxed vacancy in 64 atoms, in eV.
REFERENCE = {
    "sw": (5.430949778405213, 4.336599999917263, 151.424490667, 76.422090049, 56.449340834, 109.756490324, 4.336599999917155),
    "edip": (5.430497764748558, 4.649953816460917, 171.990090348, 64.715270456, 72.751820823, 112.392922842, 3.4646707863485062),
}
POTENTIALS = {"sw": StillingerWeber.silicon, "edip": EDIP.silicon}


@pytest.mark.parametrize("name", ["sw", pytest.param("edip", marks=pytest.mark.slow)])
def test_silicon_is_that_of_lammps(name):
    a0, cohesive, c11, c12, c44, clamped, vacancy = REFERENCE[name]
    model = kff.ForceField(POTENTIALS[name]())
    crystal = relax(model, bulk("Si", a=5.5))
    assert crystal.cell.lengths() * 2**0.5 == pytest.approx(a0, abs=1e-9)
    constants = ElasticConstants(model, crystal)()
    # The differences of the reference are good to six digits or more.
    assert constants[[0, 0, 3], [0, 1, 3]] == pytest.approx([c11, c12, c44], abs=1e-6)
    assert constants == pytest.approx(constants.T, abs=1e-9)
    assert ElasticConstants(model, crystal, relaxed=False)()[3, 3] == pytest.approx(clamped, abs=1e-6)
    assert CohesiveEnergy(model, crystal)() == pytest.approx(cohesive, abs=1e-9)
    cubic = bulk("Si", a=a0, cubic=True) * 2
    with_vacancy = cubic.copy()
    del with_vacancy[0]
    assert DefectEnergy(model, with_vacancy, cubic)() == pytest.approx(vacancy, abs=1e-9)


@pytest.mark.slow_on_tensorflow
def test_any_cell_has_the_same_constants(silicon_model):
    small, large = (ElasticConstants(silicon_model, bulk("Si", a=5.43, cubic=cubic))() for cubic in (False, True))
    assert small == pytest.approx(large, abs=1e-8)


@pytest.mark.slow_on_tensorflow
def test_gradient_is_that_of_the_paper():
    """Start gradient of the elastic experiment of Gangan et al. (2025), there with 64 atoms."""
    potential = StillingerWeber.silicon(train=["epsilon", "lam"])
    potential.set_parameters(epsilon=2.16826)
    # 2 C44, as the others in the orthonormal basis.
    target = cubic(153.21414, 56.7969, 149.66528)
    elastic = ElasticConstants(kff.ForceField(potential), bulk("Si", a=5.431))
    traced = []

    def distance(C):
        traced.append(C)
        return ops.sqrt(ops.sum((mandel(C) - target) ** 2))

    _, gradient = elastic.gradient(distance)
    # Weights are logarithms of the parameters.
    assert [float(gradient[0].ravel()[0] / 2.16826), float(gradient[1].ravel()[0] / 21.0)] == pytest.approx(
        [-24.7050303, -7.5055908], rel=1e-6
    )
    count = len(traced)
    np.testing.assert_array_equal(elastic.gradient(distance)[1], gradient)
    assert len(traced) == count
    # What is trained may change in between.
    elastic.model.trainable_weights[0].trainable = False
    (alone,) = elastic.gradient(distance)[1]
    assert alone == pytest.approx(gradient[1], rel=1e-12) and len(traced) > count


@pytest.mark.slow_on_tensorflow
def test_a_saddle_is_told(silicon_model):
    """Face-centered cubic silicon holds by symmetry alone."""
    with pytest.warns(UserWarning, match="Si4 is relaxed but not stable: .* stiffness of -17"):
        relax(silicon_model, bulk("Si", "fcc", a=4.1, cubic=True))


def test_what_is_not_at_rest_is_told(silicon_model):
    model = silicon_model
    atoms = bulk("Si")
    atoms.positions[0] += [0.1, 0.0, 0.0]
    with pytest.warns(UserWarning, match="Si2 is not relaxed: a force component is"):
        ElasticConstants(model, atoms)
    with pytest.raises(ValueError, match="not relaxed within 1 steps"):
        relax(model, atoms, steps=1)
    atoms.pbc = False
    with pytest.raises(ValueError, match="no crystal"):
        ElasticConstants(model, atoms)
    with pytest.raises(ValueError, match="free is one of"):
        ElasticConstants(model, bulk("Si"), free="all")
    with pytest.raises(ValueError, match="does not know.*'C'"):
        ElasticConstants(model, bulk("SiC", "zincblende", a=4.36))
