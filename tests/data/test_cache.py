import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase.build import molecule

from keras_ff.data import Batcher, CachedStructures, Dataset, iread, labels, read, split, write_cache

SILICON = Path(__file__).parent / "files" / "silicon.xyz"
MODEL = Batcher(["Si"], cutoff=5.0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_cache(iread(SILICON), tmp_path_factory.mktemp("cache") / "silicon.h5", MODEL.cutoff, MODEL.species)


def test_structures_and_labels_survive(cache):
    original = read(SILICON)
    assert len(cache) == len(original)
    for one, other in zip(cache, original):
        np.testing.assert_array_equal(one.positions, other.positions)
        assert (one.numbers == other.numbers).all() and one.pbc.all()
        for kind, value in labels(one).items():
            np.testing.assert_array_equal(value, labels(other)[kind])
    assert len(cache[2:5]) == 3 and isinstance(cache[2:5], CachedStructures)
    with pytest.raises(IndexError):
        cache[len(cache)]


@pytest.mark.parametrize("max_memory", [0, 2**30])
def test_batches_are_those_of_the_structures_in_memory(cache, max_memory):
    from_file = Dataset(str(cache.path), MODEL, batch_size=4, max_memory=max_memory)
    in_memory = Dataset(read(SILICON), MODEL, batch_size=4)
    from_file.epoch = in_memory.epoch = 2
    assert len(from_file) == len(in_memory)
    for index in range(len(from_file)):
        for one, other in zip(from_file[index], in_memory[index]):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


def test_missing_labels_and_molecules(tmp_path):
    water = molecule("H2O", info={"energy": -14.0})
    (back,) = write_cache([water], tmp_path / "water.h5", 3.0)
    found = labels(back)
    assert found["energy"] == -14.0 and np.isnan(found["forces"]).all() and not back.pbc.any()


def test_parts_stay_in_the_file(cache):
    train, test = split(cache, (0.8, 0.2))
    assert isinstance(train, CachedStructures) and len(train) + len(test) == len(cache)
    data = Dataset(test, MODEL, batch_size=2)
    assert sorted(data.energies) == sorted(labels(atoms)["energy"] for atoms in test)


def test_it_can_be_pickled(cache):
    cache.record(0)
    copy = pickle.loads(pickle.dumps(cache))
    np.testing.assert_array_equal(copy[0].positions, cache[0].positions)


def test_a_cache_for_another_cutoff_or_model_is_refused(cache):
    with pytest.raises(ValueError, match="cutoff of 5 Å, the model has 4 Å"):
        Dataset(cache.path, Batcher(["Si"], cutoff=4.0))
    with pytest.raises(ValueError, match=r"does not know: \['Si'\]"):
        Dataset(cache.path, Batcher(["Ge"], cutoff=5.0))


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(cache, tmp_path):
    path = tmp_path / "s.h5"
    write_cache(read(SILICON, ":2"), path, 5.0)

    def interrupted():
        yield read(SILICON, 0)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cache(interrupted(), path, 5.0)
    with pytest.raises(ValueError, match="There is no structure"):
        write_cache([], path, 5.0)
    with pytest.raises(ValueError, match=r"elements that the model does not know: .*species="):
        write_cache(read(SILICON, ":1"), path, 5.0, species=["Ge"])
    assert len(CachedStructures(path)) == 2 and os.listdir(tmp_path) == ["s.h5"]


def test_files_that_are_no_cache(tmp_path, cache):
    with pytest.raises(FileNotFoundError, match="write_cache"):
        CachedStructures(tmp_path / "nowhere.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(ValueError, match="text.h5 is truncated or was not made"):
        CachedStructures(tmp_path / "text.h5")
    (tmp_path / "half.h5").write_bytes(cache.path.read_bytes()[: cache.path.stat().st_size // 2])
    with pytest.raises(ValueError, match="half.h5 is truncated"):
        CachedStructures(tmp_path / "half.h5")
    with h5py.File(tmp_path / "new.h5", "w") as file:
        file.attrs.update(keras_ff_cache=99, cutoff=5.0)
        for name in ("offsets", "energy", "stress", "has_forces", "pbc"):
            file[name] = [0]
    with pytest.raises(ValueError, match="version 99"):
        CachedStructures(tmp_path / "new.h5")
