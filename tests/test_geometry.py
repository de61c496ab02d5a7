"""Neighborhoods and small matrices against NumPy."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops
from second_derivatives import hessian

from keras_ff import backend
from keras_ff.data import dense, neighbor_list
from keras_ff.geometry import Neighborhood, cross, determinant, flat_indices, inverse, pair_vectors

pytestmark = pytest.mark.usefixtures("float64")

RNG = np.random.default_rng(0)
MATRICES = RNG.normal(size=(4, 3, 3))


def array(x):
    return ops.convert_to_numpy(x)


def test_three_by_three_matrices_agree_with_numpy():
    matrices = ops.convert_to_tensor(MATRICES)
    np.testing.assert_allclose(array(determinant(matrices)), np.linalg.det(MATRICES), rtol=1e-12)
    np.testing.assert_allclose(array(inverse(matrices)), np.linalg.inv(MATRICES), rtol=1e-11)
    a, b = MATRICES[:, 0], MATRICES[:, 1]
    np.testing.assert_allclose(array(cross(ops.convert_to_tensor(a), ops.convert_to_tensor(b))), np.cross(a, b), rtol=1e-12)


def test_vectors_are_those_of_ase():
    from ase.neighborlist import neighbor_list as ase_neighbor_list

    atoms = bulk("Si")
    atoms.rattle(0.1, seed=1)
    i, j, shifts = neighbor_list(atoms, 4.0)
    neighbors, shifts = dense(i, j, shifts.astype("float64"), 2, int(np.bincount(i).max()))
    batch = [x[None] for x in (atoms.positions, atoms.cell.array, neighbors, shifts)]
    vectors = array(pair_vectors(*(ops.convert_to_tensor(x) for x in batch)))[0][neighbors >= 0]
    expected = ase_neighbor_list("D", atoms, 4.0)
    assert len(vectors) == len(expected)
    np.testing.assert_allclose(vectors[np.lexsort(vectors.T.round(9))], expected[np.lexsort(expected.T.round(9))], atol=1e-12)


def test_flat_indices_stay_within_their_structure():
    neighbors = ops.convert_to_tensor(np.array([[[1, -1], [0, -1]], [[1, -1], [0, -1]]], dtype="int32"))
    assert array(flat_indices(neighbors)).tolist() == [[[1, 0], [0, 0]], [[3, 2], [2, 2]]]


def neighborhood(vectors, cutoff=3.0):
    vectors = ops.convert_to_tensor(np.asarray(vectors, dtype="float64"))
    shape = tuple(vectors.shape[:2])
    return Neighborhood(
        vectors,
        ops.ones(shape, dtype="bool"),
        ops.convert_to_tensor(np.array([0, -1][: shape[0]], dtype="int32")),
        ops.ones(shape, dtype="int32"),
        cutoff,
    )


def test_neighbors_at_the_cutoff_are_masked_and_stand_there():
    found = neighborhood([[[2.9, 0, 0], [3.0, 0, 0], [0, 5.0, 0]]])
    assert array(found.mask).tolist() == [[1.0, 0.0, 0.0]]
    np.testing.assert_allclose(array(found.distances), [[2.9, 3.0, 3.0]])
    assert array(found.neighbor_species).tolist() == [[1, 0, 0]]


def test_within_a_shorter_cutoff_fewer_are_neighbors():
    found = neighborhood([[[1.0, 0, 0], [2.5, 0, 0]], [[1.0, 0, 0], [2.5, 0, 0]]])
    near = found.within(2.0)
    assert array(near.mask).tolist() == [[1.0, 0.0], [1.0, 0.0]] and near.cutoff == 2.0
    assert array(near.is_atom).tolist() == array(found.is_atom).tolist() == [True, False]
    assert found.within(3.0) is found


def test_distances_have_finite_derivatives_at_contact_and_at_padding():
    vectors = np.array([[[0.0, 0, 0], [3.0, 0, 0], [9.0, 0, 0], [1.0, 0, 0]]])

    def total(vectors):
        return ops.sum(1.0 / (1.0 + neighborhood_distances(vectors)))

    def neighborhood_distances(vectors):
        shape = (1, 4)
        return Neighborhood(
            vectors, ops.ones(shape, dtype="bool"), ops.zeros((1,), dtype="int32"), ops.zeros(shape, dtype="int32"), 3.0
        ).distances

    gradient = array(backend.grad(total)(ops.convert_to_tensor(vectors)))
    assert np.isfinite(gradient).all()
    assert gradient[0, :3].any() == 0 and gradient[0, 3, 0] == pytest.approx(-0.25)
    assert np.isfinite(array(hessian(total, ops.convert_to_tensor(vectors)))).all()


def test_other_vectors_are_masked_anew_and_padding_has_no_derivative():
    """Also where neighbors have come within reach, or left it, since the neighborhood was made."""
    given = ops.convert_to_tensor(np.array([[[1.0, 0, 0], [0, 5.0, 0], [0, 0, 7.0]]]))
    is_neighbor = ops.convert_to_tensor(np.array([[True, True, False]]))
    kinds = ops.zeros((1, 3), dtype="int32")
    start = Neighborhood(given, is_neighbor, kinds[0, :1], kinds, 3.0)
    moved = start.with_vectors(ops.convert_to_tensor(np.array([[[4.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]]])))
    assert array(start.mask).tolist() == [[1.0, 0.0, 0.0]] and array(moved.mask).tolist() == [[0.0, 1.0, 0.0]]

    def total(vectors):
        return ops.sum(ops.exp(1.0 / (0.1 + start.with_vectors(vectors).distances)))

    gradient = array(backend.grad(total)(start.arrays[0]))
    assert gradient[0, 0, 0] < 0 and not gradient[0, 1:].any()
