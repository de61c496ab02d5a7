"""Predictions for the structures of a data set."""

import numpy as np
import pytest
from ase import Atoms
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


def neuralil():
    return NeuralIL(["Cu"], cutoff=4.0, n_max=2)


@pytest.fixture(scope="module")
def structures():
    return copper()


def test_predictions_of_batches_of_several_shapes_come_in_the_order_of_the_structures(structures):
    model = kff.ForceField(neuralil())
    mixed = [structures[0], Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]]), structures[1] * (2, 1, 1), structures[2], Atoms("Cu")]
    data = Dataset(mixed, model, batch_size=2, max_shapes=3)
    assert len(data.shapes) > 1
    outputs = model.predict(data, verbose=0)
    assert outputs["forces"].shape == (5, 8, 3)
    calculator = kff.Calculator(model)
    for place, atoms in enumerate(mixed):
        atoms = atoms.copy()
        atoms.calc = calculator
        assert outputs["energy"][place, 0] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(outputs["forces"][place, : len(atoms)], atoms.get_forces(), rtol=0, atol=1e-10)
        assert not outputs["forces"][place, len(atoms) :].any()
    with pytest.raises(TypeError, match="steps"):
        model.predict(data, steps=2)
