"""Weights of structures and labels: names, errors, what a data set makes of them, caches."""

import numpy as np
import pytest
from ase import Atoms

from keras_ff.data import Batcher, Dataset, label_weights, read, read_with_report, unweighted, weigh_types, write_cache

MODEL = Batcher(["Si", "H"], cutoff=4.0)


def dimers(*infos):
    """Dimers with labels, of 2, 4, 2, 4, .. atoms."""
    structures = []
    for number, info in enumerate(infos):
        atoms = Atoms("Si2", [[0, 0, 0], [0, 0, 2.2 + 0.1 * number]], cell=[12, 12, 12], pbc=True)
        atoms = atoms.repeat((1 + number % 2, 1, 1))
        atoms.info = {"energy": -3.0 - number, **info}
        atoms.arrays["forces"] = np.full((len(atoms), 3), 0.1 * number)
        structures.append(atoms)
    return structures


@pytest.mark.parametrize(
    ("info", "weights"),
    [
        ({}, (1, 1, 1, 1)),
        ({"config_weight": 2}, (2, 1, 1, 1)),
        ({"weight": 0.5, "config_energy_weight": 3}, (0.5, 3, 1, 1)),
        ({"energy_weight": 3.0, "forces_weight": 0.0, "virial_weight": 2}, (1, 3, 0, 2)),
        ({"eweight": 100, "fweight": 1, "vweight": 1e-8}, (1, 100, 1, 1e-8)),
        ({"config_stress_weight": 2.0, "config_virials_weight": 2.0, "config_weight": None}, (1, 1, 1, 2)),
        ({"key_value_pairs": {"config_weight": 4.0}}, (4, 1, 1, 1)),
    ],
)
def test_weights_are_found_under_the_names_of_other_programs(info, weights):
    assert tuple(label_weights(Atoms("H", info=info)).values()) == weights


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "heavy", True, [1.0, 2.0], "1_000"])
def test_a_weight_that_is_no_weight_is_an_error_that_names_the_structure(value):
    structures = dimers({}, {"config_energy_weight": value})
    with pytest.raises(ValueError, match=r"Structure 1 \(Si4\): 'config_energy_weight' is .* 0 or more. Received config_energy_w"):
        Dataset(structures, MODEL)
    with pytest.raises(ValueError, match="Structure 1: 'config_energy_weight'"):
        read(structures)


def test_two_names_of_a_weight_may_not_differ():
    with pytest.raises(ValueError, match="name the same weight, and differ"):
        label_weights(Atoms("H", info={"config_stress_weight": 1.0, "config_virials_weight": 0.0}))


def test_a_structure_of_weight_2_has_twice_the_share_of_another_and_the_mean_over_labels_is_1():
    data = Dataset(
        dimers({"config_weight": 2.0, "config_energy_weight": 5.0}, {}, {"config_weight": 0.5}),
        MODEL,
        3,
        shuffle=False,
        max_shapes=1,
    )
    _, labels, weights = data[0]
    order = np.argsort(data.indices(0))
    energy, forces = (weights[name][order, 0].astype("float64") for name in ("energy_per_atom", "forces"))
    np.testing.assert_allclose(energy, np.array([10.0, 1.0, 0.5]) / (3.5 / 3), rtol=1e-6)
    np.testing.assert_allclose(forces, np.array([2.0, 1.0, 0.5]) / (9.0 / 8), rtol=1e-6)
    assert set(weights) == set(labels) and weights["stress"].shape == (3, 1)
    assert data.weights_found == {"structures": 2, "smallest": 0.5, "largest": 10.0}
    assert "weights     2 structures with other weights than 1, from 0.5 to 10" in data.report()


def test_without_weights_a_batch_is_what_it_was():
    assert len(Dataset(dimers({}, {}), MODEL)[0]) == 2
    assert len(Dataset(dimers({"config_weight": 1.0}, {"config_weight": 1.0}), MODEL)[0]) == 2


def test_a_label_of_weight_0_is_missing_and_a_structure_of_weight_0_is_left_out():
    structures = dimers({"config_weight": 0.0}, {"forces_weight": 0.0}, {}, {"eweight": 0, "fweight": 0, "vweight": 0})
    with pytest.warns(UserWarning, match="2 of 4 structures have the weight 0 and are left out of the data set: 0, 3"):
        data = Dataset(structures, MODEL, batch_size=2, shuffle=False, max_shapes=1)
    assert len(data.structures) == 2 and data.left_out == [0, 3]
    assert data.labels_found == {"energy": 2, "forces": 1, "stress": 0}
    assert "2 more with the weight 0 left out" in data.report()
    alone = Dataset([structures[2]], MODEL, batch_size=2, shapes=[shape[1:] for shape in data.shapes])
    row = int(np.flatnonzero(data.indices(0) == 1)[0])
    np.testing.assert_array_equal(data[0][1]["forces"][row], alone[0][1]["forces"][0])
    assert np.isnan(data[0][1]["forces"][1 - row]).all() and np.isfinite(data[0][1]["energy"]).all()
    with pytest.raises(ValueError, match="empty"), pytest.warns(UserWarning, match="1 of 1"):
        Dataset(structures[:1], MODEL)
    assert len(Dataset(unweighted(structures), MODEL).structures) == 4


def test_types_have_weights_and_a_type_that_no_structure_has_is_an_error():
    structures = dimers({"config_type": "dimer", "config_weight": 2.0}, {}, {"config_type": "bulk"})
    weighed = weigh_types(structures, {"Default": 3, "dimer": 0.25})
    assert [label_weights(atoms)["structure"] for atoms in weighed] == [0.5, 3.0, 1.0]
    assert structures[0].info["config_weight"] == 2.0
    with pytest.raises(ValueError, match=r"types \['dimmer'\].* are \['Default', 'bulk', 'dimer'\]"):
        weigh_types(structures, {"dimmer": 0.1})
    with pytest.raises(ValueError, match="factor of dimer"):
        weigh_types(structures, {"dimer": -1.0})


def test_the_report_of_read_counts_them():
    structures, report = read_with_report(dimers({"config_weight": 2.0}, {"fweight": 0.5}, {}))
    assert report.weights == {"structures": 2, "smallest": 0.5, "largest": 2.0}
    assert "weights     2 structures have other weights than 1, from 0.5 to 2" in str(report)
    assert label_weights(structures[0])["structure"] == 2.0


def test_a_cache_has_the_weights_types_and_labels_of_its_structures(tmp_path):
    structures = dimers({"config_weight": 2.0, "config_type": "dimer"}, {"fweight": 0.0}, {"config_weight": 0.0}, {})
    cache = write_cache(structures, tmp_path / "dimers.h5", MODEL.cutoff)
    assert [label_weights(atoms) for atoms in cache] == [label_weights(atoms) for atoms in structures]
    assert cache.types == ["dimer", "Default", "Default", "Default"] and cache[0].info["config_type"] == "dimer"
    assert np.isfinite(cache[1].get_forces()).all() and cache[2].get_potential_energy() == -5.0
    weighed = weigh_types(cache.subset([0, 1, 2]), {"dimer": 3.0})
    assert weighed.weights[:, 0].tolist() == [6.0, 1.0, 0.0] and cache.weights[:, 0].tolist() == [2.0, 1.0, 0.0, 1.0]
    with pytest.warns(UserWarning, match="1 of 4"):
        from_file, in_memory = (Dataset(some, MODEL, batch_size=3, max_shapes=1) for some in (cache, structures))
    assert from_file.labels_found == in_memory.labels_found == {"energy": 3, "forces": 2, "stress": 0}
    for one, other in zip(from_file[0], in_memory[0], strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
