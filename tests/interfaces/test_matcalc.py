"""matcalc with our calculators: the numbers of our own properties, which are derivatives and no differences."""

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.data import to_structure
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.properties import ElasticConstants, EquationOfState, Phonons, bulk_modulus

matcalc = pytest.importorskip("matcalc", reason="matcalc is not installed: pip install matcalc")
from pymatgen.core import Structure  # noqa: E402

WAVE_VECTORS = [[0, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0.5], [0.5, 0.25, 0.75]]
# Lattice constant at rest, of LAMMPS and of `relax`: see the tests of elastic constants.
A0 = 5.430949778405213
# The stress of the search, in eV/Å³ times the volume, counts as a force.
AT_REST = {"fmax": 1e-6, "optimizer": "BFGS"}


@pytest.fixture(scope="module")
def silicon():
    """Structure of pymatgen at rest."""
    return to_structure(bulk("Si", a=A0))


@pytest.fixture(scope="module")
def constants(silicon_model, silicon):
    return ElasticConstants(silicon_model, silicon)()


@pytest.fixture(scope="module")
def calculator(silicon_model):
    return kff.Calculator(silicon_model)


def test_the_relaxed_structure_is_ours(calculator, silicon):
    start = to_structure(bulk("Si", a=5.45))
    for found in (
        matcalc.RelaxCalc(calculator, **AT_REST).calc(start)["final_structure"],
        start.relax(calculator, **AT_REST),
    ):
        assert isinstance(found, Structure)
        np.testing.assert_allclose(found.lattice.matrix, silicon.lattice.matrix, rtol=0, atol=1e-6)


def test_an_artifact_is_as_good_as_its_model(calculator, silicon_artifact):
    start = to_structure(bulk("Si", a=5.45))
    found, expected = (matcalc.RelaxCalc(one, **AT_REST).calc(start) for one in (ArtifactCalculator(silicon_artifact), calculator))
    assert found["energy"] == pytest.approx(expected["energy"], abs=1e-9)
    np.testing.assert_allclose(found["final_structure"].lattice.matrix, expected["final_structure"].lattice.matrix, atol=1e-9)
    np.testing.assert_allclose(found["stress"], expected["stress"], rtol=0, atol=1e-10)


@pytest.mark.slow_on_tensorflow
def test_elastic_constants_are_ours(calculator, silicon, constants):
    strains = {"norm_strains": (-1e-3, 1e-3), "shear_strains": (-1e-3, 1e-3)}
    # Components that are zero by symmetry fail the linear fit that matcalc judges by.
    elasticity = matcalc.ElasticityCalc(
        calculator, fmax=1e-6, relax_calc_kwargs=AT_REST, relax_deformed_structures=True, units_GPa=True, r2_min=-np.inf, **strains
    )
    found = elasticity.calc(silicon)
    # The error of the differences falls with the square of the strains.
    np.testing.assert_allclose(found["elastic_tensor"].voigt, constants, rtol=0, atol=2e-3)
    assert found["bulk_modulus_vrh"] == pytest.approx(float(bulk_modulus(constants)), abs=2e-3)


@pytest.mark.slow_on_tensorflow
def test_the_equation_of_state_is_ours(silicon_model, calculator, silicon, constants):
    equation = matcalc.EOSCalc(calculator, max_abs_strain=0.01, n_points=7, allow_shape_change=False, **AT_REST)
    found = equation.calc(silicon)
    ours = EquationOfState(silicon_model, silicon, strains=np.linspace(-0.01, 0.01, 7))
    np.testing.assert_allclose(found["eos"]["volumes"], 2 * ours.volumes(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["eos"]["energies"], 2 * ours(), rtol=0, atol=1e-9)
    # The form of Birch and Murnaghan is not that of this potential.
    assert float(found["bulk_modulus_bm"]) == pytest.approx(float(bulk_modulus(constants)), rel=3e-4)


@pytest.mark.slow_on_tensorflow
def test_phonons_are_ours(silicon_model, calculator, silicon):
    phonons = matcalc.PhononCalc(calculator, supercell_matrix=np.diag([3, 3, 3]), relax_structure=False, write_phonon=False)
    phonopy = phonons.calc(silicon)["phonon"]
    phonopy.run_qpoints(WAVE_VECTORS)
    # Displacements of 0.015 Å against derivatives.
    expected = Phonons(silicon_model, silicon, WAVE_VECTORS)()
    np.testing.assert_allclose(phonopy.qpoints.frequencies, expected, rtol=0, atol=2e-3)
