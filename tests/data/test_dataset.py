import pickle
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.data import Batcher, Dataset, labels, neighbor_list

SILICON = Path(__file__).parent / "files" / "silicon.xyz"
MODEL = Batcher(["Ge", "Si"], cutoff=5.0)


def mixed_sizes():
    """Structures whose numbers of atoms and of neighbors both vary, in all combinations."""
    structures = []
    for repeat in (1, 2, 3):
        for scale in (0.95, 1.2):
            for _ in range(5):
                atoms = bulk("Si", cubic=True) * (repeat, 1, 1)
                atoms.set_cell(atoms.cell[:] * scale, scale_atoms=True)
                atoms.calc = SinglePointCalculator(atoms, energy=-2.0 * len(atoms))
                structures.append(atoms)
    return structures


def test_a_batch_holds_the_structures_and_their_labels(silicon):
    data = Dataset(silicon, MODEL, batch_size=4, dtype="float64")
    seen = []
    for index in range(len(data)):
        inputs, targets = data[index]
        for place, number in enumerate(data.indices(index)):
            row = {name: value[place] for name, value in inputs.items()}
            if number < 0:
                assert (row["species"] == -1).all() and (row["neighbors"] == -1).all() and not row["cell"].any()
                assert all(np.isnan(value[place]).all() for value in targets.values())
                continue
            seen.append(number)
            atoms, n = silicon[number], len(silicon[number])
            np.testing.assert_array_equal(row["positions"][:n], atoms.positions)
            np.testing.assert_array_equal(row["cell"], atoms.cell[:])
            assert (row["species"][:n] == 1).all() and (row["species"][n:] == -1).all() and not row["positions"][n:].any()
            i, j, S = neighbor_list(atoms, MODEL.cutoff)
            r = np.sort(np.linalg.norm(atoms.positions[j] + S @ atoms.cell[:] - atoms.positions[i], axis=-1))
            rows, columns = np.nonzero(row["neighbors"] >= 0)
            to = row["neighbors"][rows, columns]
            vectors = row["positions"][to] + row["shifts"][rows, columns] @ row["cell"] - row["positions"][rows]
            np.testing.assert_allclose(np.sort(np.linalg.norm(vectors, axis=-1)), r, atol=1e-12)
            found = labels(atoms)
            assert targets["energy"][place, 0] == found["energy"]
            assert targets["energy_per_atom"][place, 0] == pytest.approx(found["energy"] / n)
            np.testing.assert_array_equal(targets["forces"][place, :n], found["forces"])
            assert np.isnan(targets["forces"][place, n:]).all()
            np.testing.assert_array_equal(targets["stress"][place], found["stress"])
    assert sorted(seen) == list(range(len(silicon)))


def test_dtypes_and_shapes(silicon):
    data = Dataset(silicon, MODEL, batch_size=4)
    for inputs, targets in data:
        S, A, K = inputs["neighbors"].shape
        assert (S, A, K) in data.shapes
        assert inputs["shifts"].shape == (S, A, K, 3) and targets["stress"].shape == (S, 6)
        for name, value in {**inputs, **targets}.items():
            assert value.dtype == (np.int32 if name in ("species", "neighbors") else np.dtype(keras.config.floatx())), name


def test_missing_labels_are_nan_and_counted(silicon):
    bare = [atoms.copy() for atoms in silicon[:2]]
    data = Dataset(bare + silicon[2:4], MODEL, batch_size=4)
    assert data.labels_found == {"energy": 2, "forces": 2, "stress": 2}
    data.require_labels("energy", "forces")
    assert np.isnan(Dataset(bare, MODEL)[0][1]["energy"]).all()
    with pytest.raises(ValueError, match=r"None of the 2 structures has a label 'forces'.*forces_key"):
        Dataset(bare, MODEL).require_labels("forces")
    with pytest.raises(ValueError, match="Labels are"):
        data.require_labels("dipole")


def test_labels_in_info_are_found_as_well(silicon):
    atoms = silicon[0].copy()
    atoms.info["REF_energy"] = -5.0
    assert Dataset([atoms], MODEL)[0][1]["energy"][0, 0] == -5.0


def test_a_slab_or_molecule_has_no_stress_and_no_cell_where_it_does_not_repeat():
    slab = bulk("Si", cubic=True)
    slab.pbc = [True, True, False]
    slab.calc = SinglePointCalculator(slab, energy=0.0, stress=np.ones(6))
    water = molecule("H2O")
    data = Dataset([slab, water], Batcher(["Si", "O", "H"], cutoff=3.0), batch_size=2, shuffle=False)
    inputs, targets = data[0]
    assert inputs["cell"][0, 2].tolist() == [0, 0, 0] and not inputs["cell"][1].any()
    assert np.isnan(targets["stress"]).all() and data.labels_found["stress"] == 0
    assert inputs["species"][1, :3].tolist() == [1, 2, 2]


def test_an_isolated_atom():
    inputs, _ = Dataset([Atoms("Si")], MODEL, batch_size=1)[0]
    assert (inputs["neighbors"] == -1).all() and inputs["species"].tolist() == [[1]]


def test_atoms_far_from_the_cell_keep_their_digits():
    atoms = bulk("Si", cubic=True)
    far = atoms.copy()
    far.positions += np.outer(np.arange(8) * 1000, [1, -2, 3]) @ far.cell[:]
    near_inputs, far_inputs = (Dataset([one], MODEL, batch_size=1, dtype="float32")[0][0] for one in (atoms, far))

    def distances(inputs):
        vectors = (
            inputs["positions"][0][inputs["neighbors"][0]]
            + inputs["shifts"][0] @ inputs["cell"][0]
            - inputs["positions"][0][:, None]
        )
        return np.sort(np.linalg.norm(vectors, axis=-1), axis=-1)

    np.testing.assert_allclose(distances(far_inputs), distances(near_inputs), atol=5e-6)


def test_the_order_is_a_function_of_seed_and_epoch(silicon):
    def order(data):
        return [data.indices(index).tolist() for index in range(len(data))]

    first, second = Dataset(silicon, MODEL, batch_size=4, seed=3), Dataset(silicon, MODEL, batch_size=4, seed=3)
    first.epoch = second.epoch = 4
    assert order(first) == order(second)
    second.on_epoch_begin()
    second.on_epoch_end()
    assert second.epoch == 5 and order(first) != order(second)
    second.on_epoch_end()
    assert second.epoch == 5
    fixed = Dataset(silicon, MODEL, batch_size=4, shuffle=False)
    start = order(fixed)
    fixed.epoch = 7
    assert order(fixed) == start


def test_memory_that_is_short_changes_nothing(silicon):
    plenty, none = Dataset(silicon, MODEL, batch_size=4), Dataset(silicon, MODEL, batch_size=4, max_memory=0)
    assert "made anew" in none.report() and "made anew" not in plenty.report()
    for index in range(len(plenty)):
        for one, other in zip(plenty[index], none[index]):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])


def test_shapes_of_another_data_set(silicon):
    train = Dataset(silicon, MODEL, batch_size=4)
    test = Dataset(silicon[:3], MODEL, batch_size=4, shapes=train.shapes)
    assert set(test.shapes) <= set(train.shapes)
    with pytest.raises(ValueError, match="Raise one of them"):
        Dataset(silicon, MODEL, batch_size=4, shapes=[(4, 10, 10)])


def test_the_report_names_what_matters(silicon):
    report = Dataset(silicon, MODEL, batch_size=4).report()
    for words in ("23 (12 to 64 atoms)", "Ge 0, Si", "energy 23, forces 23, stress 23", "padding", "% of the pairs"):
        assert words in report


def test_padding_waste_is_what_the_batches_show(silicon):
    data = Dataset(silicon, MODEL, batch_size=4)
    neighbors = np.concatenate([inputs["neighbors"].reshape(-1) for inputs, _ in data])
    assert data.padding_waste == pytest.approx(np.mean(neighbors < 0))


def test_compositions_and_energies(silicon):
    data = Dataset(silicon, MODEL)
    assert data.compositions.tolist() == [[0, len(atoms)] for atoms in silicon]
    assert data.energies.tolist() == [labels(atoms)["energy"] for atoms in silicon]


def test_it_can_be_pickled(silicon):
    data = Dataset(silicon[:3], MODEL, batch_size=2)
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy[0][0]["positions"], data[0][0]["positions"])


def test_bad_input_is_refused_at_the_door(silicon):
    with pytest.raises(ValueError, match="empty"):
        Dataset([], MODEL)
    with pytest.raises(ValueError, match=r"Structure 1 \(ClNa\): elements that the model does not know: \['Cl', 'Na'\]"):
        Dataset([silicon[0], bulk("NaCl", "rocksalt", 5.6)], MODEL)
    with pytest.raises(TypeError, match="keras_ff.data.read"):
        Dataset(["train.xyz"], MODEL)
    with pytest.raises(FileNotFoundError, match="write_cache"):
        Dataset("nowhere.h5", MODEL)
    with pytest.raises(ValueError, match="cutoff"):
        Dataset(silicon, Batcher(["Si"], cutoff=-1.0))
    with pytest.raises(TypeError, match="for a ForceField.*Received a dict"):
        Dataset(silicon, {"species": ["Si"], "cutoff": 5.0})
    with pytest.raises(ValueError, match="batch_size"):
        Dataset(silicon, MODEL, batch_size=0)
    assert Dataset(silicon[:1], SimpleNamespace(species=["Si"], cutoff=4.0)).dtype == np.float32
    broken = silicon[0].copy()
    broken.positions[3] = np.nan
    with pytest.raises(ValueError, match=r"Structure 1 \(Si63\): The position of atom 3"):
        Dataset([silicon[0], broken], MODEL)
    broken = silicon[0].copy()
    broken.info["energy"] = np.inf
    with pytest.raises(ValueError, match=r"Structure 0 \(Si63\): 'energy' has a value that is not finite"):
        Dataset([broken], MODEL)


class Count(keras.Model):
    """Energy proportional to the number of atoms; the least that `fit` needs."""

    def __init__(self):
        super().__init__()
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor")

    def call(self, inputs):
        atoms = keras.ops.cast(inputs["species"] >= 0, self.factor.dtype)
        pairs = keras.ops.cast(inputs["neighbors"] >= 0, self.factor.dtype)
        energy = self.factor * keras.ops.sum(atoms * keras.ops.ones_like(keras.ops.sum(pairs, -1)), -1, keepdims=True)
        stress = keras.ops.zeros_like(keras.ops.reshape(inputs["cell"], (-1, 9))[:, :6])
        return {"energy": energy, "energy_per_atom": energy, "forces": inputs["positions"] * 0.0, "stress": stress}


def known_squares(label, prediction):
    known = keras.ops.logical_not(keras.ops.isnan(label))
    return keras.ops.where(known, (keras.ops.where(known, label, 0.0) - prediction) ** 2, 0.0)


class SetEpoch(keras.callbacks.Callback):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.epoch = epoch


class Recorded(Dataset):
    """Remembers which epoch each batch was taken from."""

    def __getitem__(self, index):
        self.__dict__.setdefault("taken", []).append((self.epoch, index))
        return super().__getitem__(index)


def test_fit_with_several_shapes_ends_and_learns():
    data = Dataset(mixed_sizes(), MODEL, batch_size=2)
    assert len(data.shapes) >= 3
    assert len({shape[1] for shape in data.shapes}) > 1 and len({shape[2] for shape in data.shapes}) > 1
    model = Count()
    model.compile(optimizer=keras.optimizers.SGD(5e-4), loss={"energy": known_squares})
    history = model.fit(data, validation_data=Dataset(mixed_sizes(), MODEL, batch_size=3), epochs=6, verbose=0, shuffle=False)
    assert history.history["val_loss"][-1] < 1e-3
    assert float(model.factor) == pytest.approx(-2.0, abs=0.01)


def test_fit_takes_the_order_of_the_epoch_it_is_in():
    data = Recorded(mixed_sizes(), MODEL, batch_size=2)
    model = Count()
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss={"energy": known_squares})
    model.fit(data, epochs=7, initial_epoch=5, verbose=0, shuffle=False, callbacks=[SetEpoch(data)])
    for epoch in (5, 6):
        indices = [index for taken, index in data.taken if taken == epoch]
        # TensorFlow may look at the start of an epoch again; a whole pass in order must be there.
        assert set(range(len(data))) <= set(indices) and indices[: len(data)] == list(range(len(data)))


def test_stresses_of_slabs_are_set_aside_with_a_word():
    slab = Atoms("Si2", [[0, 0, 0], [1.4, 1.4, 1.4]], cell=[5.4, 5.4, 25], pbc=[True, True, False])
    slab.calc = SinglePointCalculator(slab, energy=-10.0, forces=np.zeros((2, 3)), stress=np.ones(6))
    data = Dataset([slab] * 4, MODEL)
    assert data.labels_found["stress"] == 0 and data.stresses_set_aside == 4
    assert "4 set aside: not periodic in three directions" in data.report()
    with pytest.warns(UserWarning, match="The stresses of 4 structures are set aside"):
        data.require_labels("stress")
