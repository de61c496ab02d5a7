"""A training that diverges: who is named, and what the model is afterwards."""

import keras
import numpy as np
import pytest
from small_data import copper

import keras_ff as kff
from keras_ff.data import Dataset
from keras_ff.potentials import RepulsiveMorse


class Poison(keras.callbacks.Callback):
    """Makes a structure impossible from an epoch on."""

    def __init__(self, data, index, epoch):
        super().__init__()
        self.poisoned, self.index, self.epoch = data, index, epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.poisoned._rows[self.index]["forces"] = self.poisoned._rows[self.index]["forces"] + np.inf
            self.poisoned._rows[self.index]["energy"] = 1e38
        self.before = [weight.copy() for weight in self.model.get_weights()]


def values(model):
    return [keras.ops.convert_to_numpy(variable) for variable in (*model.weights, *model.optimizer.variables)]


def test_the_structures_are_named_and_the_weights_are_those_of_before_the_epoch():
    structures = copper(4)
    structures[2] = structures[2].repeat((2, 1, 1))
    structures[2].info["energy"], structures[2].calc = -1.0, None
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    data = Dataset(structures, model, batch_size=1, max_shapes=1)
    model.compile(keras.optimizers.Adam(1e-3), {"energy_per_atom": kff.losses.MSE()})
    poison = Poison(data, 2, epoch=1)
    with pytest.raises(
        FloatingPointError, match=r"epoch 2\..*structures .*2 \(Cu8\).* The model has the weights of before epoch 2"
    ):
        model.fit(data, epochs=3, verbose=0, callbacks=[poison])
    for before, now in zip(poison.before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, before)
    assert all(np.isfinite(value).all() for value in values(model))
    # The state of the optimizer is good too: the training continues without the structure.
    model.fit(Dataset(structures[:2], model, batch_size=1, max_shapes=1), verbose=0)
    assert all(np.isfinite(value).all() for value in values(model))


@pytest.mark.slow_on_tensorflow
def test_averages_of_weights_are_saved_and_loaded(tmp_path):
    """With an optimizer that averages, `fit`, `evaluate`, `fit` and `save` follow each other on every backend."""
    model = kff.ForceField(RepulsiveMorse(["Cu"], cutoff=3.5))
    data = Dataset(copper(2), model, batch_size=1, max_shapes=1, shuffle=False)
    optimizer = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3)
    model.compile(optimizer, {"forces": kff.losses.MSE()})
    for _ in range(2):
        model.fit(data, epochs=2, verbose=0)
        loss = model.evaluate(data, verbose=0)
    model.save(tmp_path / "averaged.keras")
    loaded = kff.load(tmp_path / "averaged.keras")
    assert loaded.evaluate(data, verbose=0) == loss
    for averaged in (model, loaded):
        for variable, average in zip(averaged.trainable_variables, averaged.optimizer._model_variables_moving_average, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), keras.ops.convert_to_numpy(average))
