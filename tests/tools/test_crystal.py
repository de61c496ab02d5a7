"""The primitive cell of a crystal; what is read and relaxed is tested with the verbs."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from keras_ff_tools.crystal import primitive


def test_the_primitive_cell_keeps_the_axes_and_isotopes():
    pytest.importorskip("spglib")
    crystal = bulk("Si", cubic=True)
    crystal.rotate(30, "z", rotate_cell=True)
    small, told = primitive(crystal)
    assert len(small) == 2 and "Fd-3m" in told
    # The lattice of the file contains that of the primitive cell.
    whole = crystal.cell.array @ np.linalg.inv(small.cell.array)
    np.testing.assert_allclose(whole, whole.round(), atol=1e-9)
    crystal.set_masses([28.0, 30.0] * 4)
    assert sorted(primitive(crystal)[0].get_masses()) != [28.0, 28.0]


def test_what_has_no_symmetry_or_a_surface_stays_as_it_is():
    pytest.importorskip("spglib")
    slab = Atoms("Si", cell=[3, 3, 20], pbc=[True, True, False])
    assert primitive(slab) == (slab, "")
    crystal = bulk("Si", cubic=True)
    crystal.rattle(0.1, seed=0)
    same, told = primitive(crystal)
    assert len(same) == 8 and "P1" in told
    np.testing.assert_allclose(same.get_all_distances(mic=True), crystal.get_all_distances(mic=True), atol=1e-9)
