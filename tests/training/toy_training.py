"""A small model and data with the inputs, outputs and labels of a force field."""

import functools

import keras
import numpy as np
from keras import ops

from keras_ff.losses import ForceNorm, LogCosh
from keras_ff.training import default_metrics, one_cycle

STRUCTURES, ATOMS = 4, 3


class ToyModel(keras.Model):
    """Energies and forces by a dense network of each position; dropout needs random seeds."""

    def __init__(self, dropout=0.2, **kwargs):
        super().__init__(**kwargs)
        self.dropout_rate = dropout
        self.hidden = keras.layers.Dense(8, activation="swish", kernel_initializer=Fixed(1))
        self.dropout = keras.layers.Dropout(dropout, seed=7)
        self.readout = keras.layers.Dense(4, kernel_initializer=Fixed(2))

    def build(self, input_shape=None):
        self.hidden.build((None, None, 3))
        self.dropout.build((None, None, 8))
        self.readout.build((None, None, 8))
        self.built = True

    def call(self, batch, training=False):
        present = ops.cast(batch["species"] >= 0, "float32")[..., None]
        x = self.readout(self.dropout(self.hidden(batch["positions"]), training=training)) * present
        energy = ops.sum(x[..., 3], axis=1, keepdims=True)
        atoms = ops.maximum(ops.sum(present, axis=1), 1.0)
        return {
            "energy": energy,
            "energy_per_atom": energy / atoms,
            "forces": x[..., :3],
            "stress": ops.concatenate([energy] * 6, axis=-1),
        }

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout_rate}


class Fixed(keras.initializers.Initializer):
    """The same numbers on each backend."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        return ops.convert_to_tensor(np.random.default_rng(self.seed).normal(0.0, 0.3, shape), dtype=dtype)

    def get_config(self):
        return {"seed": self.seed}


class ToyData(keras.utils.PyDataset):
    """Batches in an order that is a function of the epoch alone."""

    def __init__(self, batches=5, seed=0, shuffle=True):
        super().__init__()
        rng = np.random.default_rng(seed)
        count = batches * STRUCTURES
        positions = rng.normal(size=(count, ATOMS, 3)).astype("float32")
        species = np.zeros((count, ATOMS), "int32")
        species[::3, -1] = -1
        forces = np.where(species[..., None] >= 0, np.sin(3 * positions), np.nan).astype("float32")
        energy = np.nansum(positions[..., :1] ** 2, axis=1).astype("float32")
        energy[1::4] = np.nan
        self.inputs = {"positions": positions, "species": species}
        self.labels = {
            "energy": energy,
            "energy_per_atom": energy / np.sum(species >= 0, axis=1, keepdims=True).astype("float32"),
            "forces": forces,
            "stress": np.full((count, 6), np.nan, "float32"),
        }
        self.shuffle = shuffle
        self.epoch = 0
        self.seen = []

    def __len__(self):
        return len(self.inputs["positions"]) // STRUCTURES

    def __getitem__(self, index):
        order = np.arange(len(self) * STRUCTURES)
        if self.shuffle:
            order = np.random.default_rng([3, self.epoch]).permutation(order)
        self.seen.append((self.epoch, index))
        chosen = order[index * STRUCTURES : (index + 1) * STRUCTURES]
        return {k: v[chosen] for k, v in self.inputs.items()}, {k: v[chosen] for k, v in self.labels.items()}


def compiled(steps=100, rate=None, model=None, average=True, labels=("energy_per_atom", "forces"), **kwargs):
    """A built and compiled `ToyModel` that measures its errors of `labels`; `toy` is the same for a fraction of the time."""
    model = model or ToyModel()
    model.build()
    model.compile(
        optimizer=keras.optimizers.Adam(rate or one_cycle(peak=0.02, steps=steps), use_ema=average, ema_momentum=0.9),
        loss={"energy_per_atom": LogCosh(p=5.0), "forces": ForceNorm(LogCosh(p=2.0))},
        loss_weights={"energy_per_atom": 0.5, "forces": 0.5},
        metrics=default_metrics(labels),
        **kwargs,
    )
    return model


def restarts(model):
    """Function that returns a compiled model as it is now, whatever it has learned since; Keras keeps its traced steps."""
    model.optimizer.build(model.trainable_variables)
    start = [(variable, _array(variable)) for variable in (*model.variables, *model.optimizer.variables)]

    def again():
        for variable, value in start:
            variable.assign(value)
        model.stop_training = False
        # `fit` that is interrupted leaves the one of its validation data behind.
        model._eval_epoch_iterator = None
        return model

    return again


@functools.cache
def _toy(**options):
    return restarts(compiled(**options))


def toy(**options):
    """The model of `compiled(**options)` as it is made: one object, put back to its start."""
    return _toy(**options)()


def weights(model):
    return [_array(variable) for variable in model.trainable_variables]


def _array(variable):
    return ops.convert_to_numpy(ops.convert_to_tensor(variable)).copy()
