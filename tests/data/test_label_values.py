import numpy as np
import pytest
from ase.build import bulk

from keras_ff.data.label_values import checked_label
from keras_ff.data.units import VASP, StressConvention


def test_a_convention_is_that_of_stresses_and_not_of_virials():
    atoms = bulk("Si")
    np.testing.assert_allclose(checked_label("stress", "stress", np.ones(6), atoms, VASP), VASP.apply(np.ones(6)))
    with pytest.raises(ValueError, match="'virial' is a virial, in eV"):
        checked_label("stress", "virial", np.eye(3), atoms, VASP)


def test_an_order_is_that_of_six_numbers():
    atoms, order = bulk("Si"), StressConvention.named(order="xy yz xz")
    matrix = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    np.testing.assert_array_equal(checked_label("stress", "stress", matrix, atoms, order), np.arange(1.0, 7.0))
    np.testing.assert_array_equal(
        checked_label("stress", "stress", np.array([1, 2, 3, 6, 4, 5]), atoms, order), np.arange(1.0, 7.0)
    )


def test_rounding_makes_no_stress_asymmetric():
    matrix = np.eye(3)
    matrix[0, 1] = 5e-4
    assert checked_label("stress", "stress", matrix, bulk("Si"), StressConvention())[5] == pytest.approx(2.5e-4)
