"""Moduli against pymatgen and closed formulas."""

import numpy as np
import pytest

from keras_ff.properties import averaged_moduli, cubic, youngs_modulus


def test_moduli_are_those_of_pymatgen():
    elasticity = pytest.importorskip("pymatgen.analysis.elasticity")
    generator = np.random.default_rng(0)
    root = generator.normal(size=(6, 6))
    constants = 30.0 * root @ root.T + 50.0 * np.eye(6)
    tensor = elasticity.ElasticTensor.from_voigt(constants)
    moduli = averaged_moduli(constants)
    for average in ("voigt", "reuss"):
        expected = getattr(tensor, f"k_{average}"), getattr(tensor, f"g_{average}")
        assert (moduli[average]["bulk"], moduli[average]["shear"]) == pytest.approx(expected)
    assert moduli["hill"]["young"] == pytest.approx(1e-9 * tensor.y_mod)
    assert moduli["hill"]["poisson"] == pytest.approx(tensor.homogeneous_poisson)
    for direction in generator.normal(size=(5, 3)):
        unit = direction / np.linalg.norm(direction)
        strain = np.einsum("ijkl,i,j,k,l", tensor.compliance_tensor, unit, unit, unit, unit)
        assert youngs_modulus(constants, [direction]) == pytest.approx([1 / strain])


def test_an_isotropic_solid_has_one_modulus():
    lame, shear = 60.0, 40.0
    constants = cubic(lame + 2 * shear, lame, shear)
    moduli = averaged_moduli(constants)
    for average in moduli.values():
        assert average == pytest.approx({"bulk": lame + 2 * shear / 3, "shear": shear, "young": 104.0, "poisson": 0.3})
    assert youngs_modulus(constants, [[1, 0, 0], [1, 2, 3], [0, -1, 1]]) == pytest.approx(104.0)
