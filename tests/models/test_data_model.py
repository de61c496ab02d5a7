"""Predictions for the structures of a data set."""

import keras
import numpy as np
import pytest
from ase import Atoms
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import RepulsiveMorse

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def structures():
    return copper()


def test_predictions_of_batches_of_several_shapes_come_in_the_order_of_the_structures(structures):
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=4.0))
    mixed = [structures[0], Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]]), structures[1] * (2, 1, 1), structures[2], Atoms("Cu")]
    data = Dataset(mixed, model, batch_size=2, max_shapes=3)
    assert len(data.shapes) > 1
    outputs = model.predict(data, verbose=0)
    assert outputs["forces"].shape == (5, 8, 3)
    calculator = kff.Calculator(model)
    # The largest first, in whose compiled shape the others fit.
    for place, atoms in sorted(enumerate(mixed), key=lambda item: -len(item[1])):
        atoms = atoms.copy()
        atoms.calc = calculator
        assert outputs["energy"][place, 0] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(outputs["forces"][place, : len(atoms)], atoms.get_forces(), rtol=0, atol=1e-10)
        assert not outputs["forces"][place, len(atoms) :].any()
    with pytest.raises(TypeError, match="steps"):
        model.predict(data, steps=2)


LOSS = {"energy_per_atom": kff.losses.MSE(), "forces": kff.losses.ForceNorm(kff.losses.LogCosh(10.0)), "stress": kff.losses.MAE()}


@pytest.fixture(scope="module")
def step():
    """Function that gives the change of the weights in one epoch of steepest descent from the same start, and the loss."""
    kff.enable_float64()
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.compile(keras.optimizers.SGD(1e-3), LOSS)
    before = [weight.copy() for weight in model.get_weights()]

    def changes(structures, batch_size=8):
        data = Dataset(structures, model, batch_size=batch_size, shapes=[(8, 80)], shuffle=False)
        model.set_weights(before)
        loss = model.fit(data, verbose=0).history["loss"][0]
        assert model.evaluate(data, verbose=0, return_dict=True)["loss"] != loss
        return np.concatenate([np.ravel(now - then) for now, then in zip(model.get_weights(), before, strict=True)]), loss

    return changes


def weighed(atoms, **weights):
    copy = atoms.copy()
    copy.calc, copy.info = atoms.calc, weights
    return copy


@pytest.mark.slow_on_tensorflow
@pytest.mark.filterwarnings("ignore:.*weight 0 and are left out")
def test_a_structure_of_weight_2_is_two_structures_and_one_of_weight_0_is_none(step, structures):
    """To rounding in the gradient of the loss, of structures of several sizes with and without some labels."""
    one, two, three = structures[0], structures[1] * (2, 1, 1), structures[2]
    two.calc = type(one.calc)(two, energy=-1.0)
    doubled, loss = step([one, two, two, three])
    assert np.abs(doubled).max() > 1e-5
    for same in (
        [weighed(one), weighed(two, config_weight=2.0), three],
        [weighed(one, config_weight=0.5), two, weighed(three, weight=0.5)],
        [one, weighed(two, config_weight=2), weighed(structures[3], config_weight=0.0), three],
        [one, two, two, three, weighed(structures[4], energy_weight=0, forces_weight=0, stress_weight=0.0)],
    ):
        found, its_loss = step(same)
        np.testing.assert_allclose(found, doubled, rtol=1e-12, atol=1e-15)
        assert its_loss == pytest.approx(loss, rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*weight 0 and are left out")
def test_a_weight_counts_also_where_a_batch_has_one_structure(step, structures):
    light, heavy = (step([weighed(structures[0], config_weight=weight), structures[1]], batch_size=1)[0] for weight in (0.0, 3.0))
    alone = step([structures[1]], batch_size=1)[0]
    np.testing.assert_allclose(light, alone, rtol=1e-12)
    assert np.abs(heavy - alone).max() > 1e-6


def test_weights_of_labels_multiply_their_losses(step, structures):
    """As in MACE: those of all energies together count against forces."""
    each = [
        step([weighed(one, config_energy_weight=weight, fweight=0.0, vweight=0.0) for one in structures[:2]])[1]
        for weight in (1, 5)
    ]
    assert each[1] == pytest.approx(5 * each[0], rel=1e-12)


def test_a_step_is_traced_once(structures, monkeypatch):
    """Tracing takes seconds: the variables of optimizer, losses and metrics are there before."""
    traced = []

    def call(self, batch, training=False, call=kff.ForceField.call):
        traced.append(training)
        return call(self, batch, training)

    monkeypatch.setattr(kff.ForceField, "call", call)
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.compile("adam", LOSS, metrics=kff.metrics.default_metrics(["forces"]))
    data = Dataset(structures, model, batch_size=2, max_shapes=1)
    model.fit(data, verbose=0)
    assert traced == [True]
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    model.compile("adam", LOSS)
    model.evaluate(data, verbose=0)
    assert traced == [True, False]
