"""Waves: all within the cutoff and no others, and batches that hold them."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

from keras_ff.data import Batcher, Dataset, write_cache
from keras_ff.data.waves import lattice_waves, wave_shape

MODEL = Batcher(["Cu"], cutoff=3.0, wave_cutoff=4.0)
TRICLINIC = np.array([[4.0, 0.3, -0.2], [1.9, 5.1, 0.4], [-0.8, 1.0, 7.0]])


def lengths_of_waves(cell, cutoff, reach=12):
    """Sorted lengths of all waves up to the cutoff, by brute force."""
    numbers = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    k = np.linalg.norm(2 * np.pi * numbers @ np.linalg.inv(cell).T, axis=-1)
    return np.sort(k[(k > 0) & (k <= cutoff)])


@pytest.mark.parametrize("room", [0, 2])
def test_all_waves_within_the_cutoff_count_once(room):
    shape = tuple(np.add(wave_shape(TRICLINIC, 4.0), room))
    waves = lattice_waves(TRICLINIC, 4.0, shape)
    assert waves.shape == shape and waves.dtype == np.int32
    numbers = np.argwhere(waves) - [0, shape[1] // 2, shape[2] // 2]
    k = np.linalg.norm(2 * np.pi * numbers @ np.linalg.inv(TRICLINIC).T, axis=-1)
    found = np.sort(np.repeat(k, waves[waves > 0]))
    np.testing.assert_allclose(found, lengths_of_waves(TRICLINIC, 4.0), rtol=1e-12)


def test_batches_of_different_cells_have_one_shape(tmp_path):
    structures = [bulk("Cu"), bulk("Cu", cubic=True), bulk("Cu") * (1, 1, 3)]
    data = Dataset(structures, MODEL, batch_size=1, shuffle=False)
    batches = [data[index][0]["waves"] for index in range(len(data))]
    assert {batch.shape for batch in batches} == {(1, *data.batcher._wave_shape)}
    sums = [lengths_of_waves(atoms.cell.array, 4.0).size for atoms in structures]
    assert sorted(int(batch.sum()) for batch in batches) == sorted(sums)
    cached = Dataset(write_cache(structures, tmp_path / "copper.h5", 3.0), MODEL, batch_size=1, shuffle=False)
    for index in range(len(data)):
        np.testing.assert_array_equal(cached[index][0]["waves"], batches[index])


def test_padding_structures_have_no_waves():
    inputs, _ = Dataset([bulk("Cu")], MODEL, batch_size=2)[0]
    assert inputs["waves"][0].any() and not inputs["waves"][1].any()


def test_models_without_waves_get_none():
    assert "waves" not in Dataset([bulk("Cu")], Batcher(["Cu"], cutoff=3.0))[0][0]


@pytest.mark.parametrize("atoms", [fcc111("Cu", (1, 1, 3), vacuum=6.0), Atoms("Cu")])
def test_a_structure_that_is_no_crystal_is_named(atoms):
    with pytest.raises(ValueError, match=r"Structure 1 \(Cu.*pbc=\[.*False\].*pbc=True.*DampedShiftedForce"):
        Dataset([bulk("Cu"), atoms], MODEL)
