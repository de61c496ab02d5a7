"""Data of another model, or without the labels that a loss asks for, are refused before anything is computed from them."""

import numpy as np
import pytest
from ase import Atoms
from small_data import copper

import keras_ff as kff
from keras_ff.data import Batcher, Dataset
from keras_ff.models import fit_linear
from keras_ff.potentials import BKS, RepulsiveMorse


@pytest.fixture(scope="module")
def structures():
    return copper()


@pytest.fixture(scope="module")
def model():
    model = kff.ForceField(RepulsiveMorse(["Cu", "Au"], cutoff=3.5))
    model.compile("adam", loss={"forces": "mse"})
    return model


@pytest.mark.parametrize(
    "attributes, words",
    [
        (dict(species=["Au", "Cu"], cutoff=3.5), r"the species \['Au', 'Cu'\], the model \['Cu', 'Au'\]"),
        (dict(species=["Cu"], cutoff=3.5), r"the species \['Cu'\]"),
        (dict(species=["Cu", "Au"], cutoff=3.0), "a cutoff of 3 Å, the model 3.5 Å"),
    ],
)
def test_data_of_another_model_are_refused_by_every_method(model, structures, attributes, words):
    data = Dataset(structures, Batcher(**attributes))
    methods = [
        model.fit, model.evaluate, model.predict, model.adapt, model.fit_reference_energies,
        lambda data: model.map(lambda batch, labels: {}, data),
        lambda data: fit_linear(model, data, []), lambda data: model.fit(Dataset(structures, model), validation_data=data),
    ]  # fmt: skip
    for method in methods:
        with pytest.raises(ValueError, match=f"made for another model: it has {words}"):
            method(data)


def test_fewer_digits_and_missing_waves_are_refused(structures):
    with pytest.raises(ValueError, match="numbers in float32, the model float64"):
        kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5, dtype="float64")).predict(Dataset(structures, Batcher(["Cu"], 3.5)))
    silica = kff.ForceField(BKS.silica())
    atoms = Atoms("SiO2", [[0, 0, 0], [1.6, 0, 0], [0, 1.6, 0]], cell=[9, 9, 9], pbc=True)
    with pytest.raises(ValueError, match="waves up to 0 /Å"):
        silica.predict(Dataset([atoms], Batcher(silica.species, silica.cutoff)))


def test_neighbors_beyond_the_cutoff_are_allowed(model, structures):
    outputs = model.predict(Dataset(structures[:2], Batcher(["Cu", "Au"], cutoff=4.0), shuffle=False), verbose=0)
    expected = model.predict(structures[:2], verbose=0)
    np.testing.assert_allclose(outputs["energy"], expected["energy"], rtol=1e-6)


def test_structures_files_and_lists_are_predicted_whatever_labels_they_have(model, structures, tmp_path):
    from ase.io import write
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = [atoms.copy() for atoms in structures[:2]]
    expected = model.predict(Dataset(bare, model, shuffle=False), verbose=0)
    of_pymatgen = [AseAtomsAdaptor.get_structure(atoms) for atoms in bare]
    bare[1].info["energy"] = "none"
    write(tmp_path / "two.xyz", structures[:2])
    for given in (bare, tmp_path / "two.xyz", str(tmp_path / "two.xyz"), of_pymatgen):
        found = model.predict(given, verbose=0)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=2e-5, err_msg=name)
    np.testing.assert_allclose(model.predict(bare[0], verbose=0)["energy"], expected["energy"][:1], rtol=1e-6)


def test_other_things_are_refused_in_words(model, structures):
    with pytest.raises(TypeError, match=r"Dataset\(keras_ff.data.read\(source\), model.*Received builtins.list"):
        model.fit(structures)
    with pytest.raises(TypeError, match="Received numpy.ndarray"):
        model.fit(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(TypeError, match=r"model.predict\(structures\)"):
        model(structures[0])
    with pytest.raises(TypeError, match="leave out batch_size, class_weight"):
        model.fit(Dataset(structures, model), batch_size=2, class_weight={0: 1.0})


def test_a_loss_without_a_label_is_an_error_in_training_and_a_warning_in_measurements(model, structures):
    bare = Dataset([atoms.copy() for atoms in structures], model, max_shapes=1)
    with pytest.raises(ValueError, match="None of the .* structures has a label 'forces'"):
        model.fit(bare, verbose=0)
    with pytest.warns(UserWarning, match="has a label for forces: the loss of forces is 0 and says nothing"):
        assert model.evaluate(bare, verbose=0) == 0.0
