"""A small model of silicon after some training."""

from pathlib import Path

import keras
from ase.build import bulk

import keras_ff as kff
from keras_ff.potentials import ZBL, NeuralIL, Sum

ROOT = Path(__file__).parents[2]


def trained(epochs):
    data = kff.data.read(ROOT / "tutorials" / "data" / "Si_train.xyz.gz")[:24]
    model = kff.ForceField(Sum([NeuralIL(["Si"], cutoff=4.0, n_max=2), ZBL(["Si"])]))
    batches = kff.data.Dataset(data, model, batch_size=8, max_shapes=1)
    model.adapt(batches)
    loss = {"energy_per_atom": kff.losses.LogCosh(p=50.0), "forces": kff.losses.LogCosh(p=10.0)}
    model.compile(keras.optimizers.Adam(3e-3), loss=loss, jit_compile=True)
    model.fit(batches, epochs=epochs, verbose=0)
    return model, bulk("Si", cubic=True)
