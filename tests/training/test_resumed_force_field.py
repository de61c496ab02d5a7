import keras
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from toy_training import restarts, weights

from keras_ff.data import Dataset
from keras_ff.losses import ForceNorm, LogCosh
from keras_ff.models import ForceField
from keras_ff.potentials import NeuralIL
from keras_ff.training import BestModel, EvaluateAverage, RunState, StopOnNaN, default_metrics, one_cycle


@pytest.fixture(scope="module")
def structures():
    found = []
    for seed in range(8):
        atoms = bulk("Cu", cubic=seed % 2 == 0) * ((1, 1, 1) if seed % 2 == 0 else (2, 1, 1))
        atoms.rattle(0.08, seed=seed)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        found.append(atoms)
    return found


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def adapted(structures):
    """Compiled model and its data."""
    model = ForceField(NeuralIL(species=["Cu"], cutoff=3.5, n_max=1, seed=1))
    data = Dataset(structures, model, batch_size=2, max_shapes=2)
    model.adapt(data)
    model.compile(
        optimizer=keras.optimizers.Adam(one_cycle(peak=5e-3, steps=4 * len(data)), use_ema=True, ema_momentum=0.9),
        loss={"energy_per_atom": LogCosh(p=1 / 0.020), "forces": ForceNorm(LogCosh(p=1 / 0.200))},
        loss_weights={"energy_per_atom": 0.5, "forces": 0.5},
        metrics=default_metrics(),
    )
    return model, data


def train(model, data, folder, *extra):
    """Weights and history."""
    callbacks = [EvaluateAverage(), StopOnNaN(), BestModel(folder / "best.keras", monitor="val_forces_mae")]
    state = RunState(folder / "state", callbacks)
    try:
        model.fit(data, validation_data=data, epochs=4, verbose=0, callbacks=[*callbacks, state, *extra])
    except KeyboardInterrupt:
        return None
    return weights(model), model.history.history


@pytest.mark.slow
def test_an_interrupted_neuralil_ends_as_the_uninterrupted_one(structures, tmp_path):
    model, data = adapted(structures)
    again = restarts(model)
    whole, history = train(model, data, tmp_path / "whole")
    assert train(again(), data, tmp_path / "parts", Interrupt()) is None
    # A model of its own, as in a process of its own.
    resumed, its_history = train(*adapted(structures), tmp_path / "parts")
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))
    assert repr(its_history) == repr(history)
    forces = history["forces_mae"]
    assert forces[-1] < forces[0]
