"""What a model takes from data before it is trained; fine-tuning has tests of its own."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import ZBL, ElementNetworks, NeuralIL, RepulsiveMorse, SplineNetwork, Sum

pytestmark = pytest.mark.usefixtures("float64")


def neuralil():
    return NeuralIL(["Cu"], cutoff=4.0, n_max=2)


def predict(model, structures):
    data = Dataset(structures, model, shuffle=False, batch_size=len(structures), max_shapes=1)
    return model.predict(data, verbose=0)


@pytest.fixture(scope="module")
def structures():
    return copper()


def test_adapt_sets_reference_energies_and_scales(structures):
    model = kff.ForceField(neuralil())
    model.adapt(Dataset(structures, model, max_shapes=1))
    energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in structures])
    assert ops.convert_to_numpy(model.reference_energies)[0] == pytest.approx(energies.mean(), rel=1e-10)
    forces = np.concatenate([atoms.get_forces() for atoms in structures])
    scale = float(ops.convert_to_numpy(model.potential.energy_scale))
    assert scale == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-10)


@pytest.mark.slow_on_tensorflow
def test_adapt_takes_fixed_terms_off_first(structures):
    model = kff.ForceField(Sum([neuralil(), RepulsiveMorse(["Cu"], cutoff=3.5)]))
    fixed = predict(kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5)), structures)
    model.adapt(Dataset(structures, model, max_shapes=1))
    energies = np.array([atoms.get_potential_energy() for atoms in structures]) - fixed["energy"][:, 0]
    assert ops.convert_to_numpy(model.reference_energies)[0] == pytest.approx(energies.mean() / 4, rel=1e-9)


def test_adapt_leaves_a_classical_potential_alone(structures):
    model = kff.ForceField(ZBL(["Cu"]))
    model.adapt(Dataset(structures, model, max_shapes=1))
    assert ops.convert_to_numpy(model.reference_energies).tolist() == [0.0]


@pytest.mark.slow_on_tensorflow
def test_descriptors_come_in_the_order_of_the_structures(structures):
    model = kff.ForceField(neuralil())
    shuffled, alone = (model.describe(Dataset(some, model, batch_size=3, max_shapes=1)) for some in (structures, structures[1:2]))
    assert [len(rows) for rows in shuffled] == [len(atoms) for atoms in structures]
    assert shuffled[0].shape[1] == model.potential.descriptor.n_features
    np.testing.assert_allclose(shuffled[1], alone[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"\['ZBL'\] have no descriptors"):
        kff.ForceField(ZBL(["Cu"])).describe(Dataset(structures, model))


def test_adapt_without_labels_says_so():
    model = kff.ForceField(neuralil())
    with pytest.raises(ValueError, match="neither energies nor forces"):
        model.adapt(Dataset([bulk("Cu")], model))


@pytest.mark.parametrize(
    "kind", [NeuralIL, *(pytest.param(one, marks=pytest.mark.slow_on_tensorflow) for one in (SplineNetwork, ElementNetworks))]
)
def test_isolated_atoms_or_a_perfect_crystal_alone_give_a_finite_model(kind, structures):
    """Descriptors that do not vary have no statistics; those of isolated atoms leave the model as it was."""
    potential = neuralil() if kind is NeuralIL else kind(["Cu"])
    atom, crystal = Atoms("Cu", cell=[20, 20, 20], pbc=True), bulk("Cu", cubic=True)
    atom.info["energy"], crystal.info["energy"] = -0.5, -14.0
    model = kff.ForceField(potential)
    before = [ops.convert_to_numpy(weight) for weight in potential.weights]
    with pytest.warns(UserWarning, match="No atom of the data set has a neighbor"):
        model.adapt(Dataset([atom], model))
    assert ops.convert_to_numpy(model.reference_energies).tolist() == [-0.5]
    for weight, value in zip(potential.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)
    model.adapt(Dataset([crystal], model))
    assert ops.convert_to_numpy(model.reference_energies).tolist() == [-3.5]
    rattled = predict(model, structures[:2])
    assert np.isfinite(rattled["forces"]).all() and np.abs(rattled["forces"]).max() < 1e3


def test_compositions_that_do_not_determine_reference_energies_are_named():
    water, hydrogen = Atoms("H2O", [[0, 0, 0], [0.9, 0, 0], [0, 0.9, 0]]), Atoms("H2", [[0, 0, 0], [0.8, 0, 0]])
    water.info["energy"], hydrogen.info["energy"] = -14.0, -6.0
    model = kff.ForceField(ZBL(["H", "O", "Cu"]))
    with pytest.warns(UserWarning, match=r"between the atoms of H and O \(open: 1 H - 2 O\)"):
        model.fit_reference_energies(Dataset([water], model))
    assert model.references == {"sources": {"H": "fitted", "O": "fitted"}, "undetermined": ["1 H - 2 O"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit_reference_energies(Dataset([water, hydrogen], model))
    assert model.references["undetermined"] == []


def test_isolated_atoms_are_the_references_and_a_network_takes_up_the_rest(structures, tmp_path):
    atom = Atoms("Cu", cell=[12, 12, 12], pbc=True, info={"energy": -0.25})
    model = kff.ForceField(neuralil())
    data = Dataset([*structures, atom], model)
    for _ in range(2):
        model.adapt(data)
        assert ops.convert_to_numpy(model.reference_energies).tolist() == [-0.25]
        errors = predict(model, structures)["energy"][:, 0] - [atoms.get_potential_energy() for atoms in structures]
        assert abs(errors.sum()) < 1e-6, "the energy of bonds is in the network, in the mean"
    assert model.references == {"sources": {"Cu": "isolated atom"}, "undetermined": []}
    model.save(tmp_path / "model.keras")
    assert kff.load(tmp_path / "model.keras").references == model.references
    model.adapt(data, reference_energies={"Cu": -0.5})
    assert ops.convert_to_numpy(model.reference_energies).tolist() == [-0.5] and model.references["sources"] == {"Cu": "given"}
    with pytest.raises(ValueError, match="no isolated atom of Cu"):
        model.adapt(Dataset(structures, model), reference_energies="isolated")


def test_isolated_atoms_give_a_classical_potential_its_zero_if_asked(structures):
    atom = Atoms("Cu", info={"energy": -0.25})
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.reference_energies.assign([7.0])
    model.fit_reference_energies(Dataset([*structures, atom], model), "isolated")
    assert ops.convert_to_numpy(model.reference_energies).tolist() == pytest.approx([-0.25], abs=1e-12)
