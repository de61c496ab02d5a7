"""What models in float64 compute in a fresh process, with float32 as its default or after `enable_float64`.

python precision_run.py default|enabled results.npz
"""

import os
import sys

import keras
import numpy as np
from every_potential import POTENTIALS, SPECIES, structure

import keras_ff as kff

# In float32 it is the same number.
RATE = 2.0**-7


def network_and_pairs(dtype):
    """A small one of the potentials that have layers, initial numbers and constants of their own."""
    potentials = kff.potentials
    return potentials.Sum([potentials.NeuralIL(SPECIES, cutoff=3.0, n_max=1, dtype=dtype), potentials.ZBL(SPECIES, dtype=dtype)])


stillinger_weber = POTENTIALS["StillingerWeber"]


def predict(model, atoms):
    batch = kff.data.Dataset([atoms], model, batch_size=1, dtype=model.compute_dtype)[0][0]
    outputs = kff.backend.jit(lambda batch: model(batch), layer=model)(batch)
    return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def labelled(atoms, seed):
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = atoms.copy()
    atoms.rattle(0.05, seed=seed)
    atoms.calc = SinglePointCalculator(atoms, energy=-30.0 + 0.1 * seed, forces=0.1 * np.cos(np.arange(24.0)).reshape(8, 3))
    return atoms


def step_of_training(atoms):
    """Logs and weights after one step, with a loss of this library, one of Keras, and one by name."""
    model = kff.ForceField(stillinger_weber("float64"))
    data = kff.data.Dataset([labelled(atoms, seed) for seed in (1, 2)], model, batch_size=2, shuffle=False, dtype="float64")
    model.compile(
        optimizer=keras.optimizers.Adam(RATE),
        loss={"energy_per_atom": kff.losses.LogCosh(p=10.0), "forces": kff.losses.MSE(), "energy": "mse"},
        loss_weights={"energy_per_atom": 0.3, "forces": 0.7, "energy": 0.1},
        metrics={**kff.metrics.default_metrics(["forces"]), "energy": [keras.metrics.MeanSquaredError()]},
    )
    history = model.fit(data, epochs=1, verbose=0)
    assert {variable.dtype for variable in model.metrics_variables} == {"float64"}
    assert {variable.dtype for variable in model.optimizer.variables if "int" not in variable.dtype} <= {"float64", "float32"}
    logs = {f"log {name}": np.array(values) for name, values in history.history.items()}
    logs |= {f"evaluated {name}": np.array(value) for name, value in model.evaluate(data, verbose=0, return_dict=True).items()}
    return logs | {f"weight {weight.name}": keras.ops.convert_to_numpy(weight) for weight in model.weights}


def main(mode, file):
    if mode == "enabled":
        kff.enable_float64()
    defaults = keras.config.floatx(), keras.config.dtype_policy().name
    crystal, their_crystal = structure(network_and_pairs("float32")), structure(stillinger_weber("float32"))
    # A model in float32, before and after.
    before = predict(kff.ForceField(stillinger_weber("float32")), their_crystal)
    model = kff.ForceField(network_and_pairs("float64"))
    assert {weight.dtype for weight in model.weights} == {model.compute_dtype} == {"float64"}
    found = predict(model, crystal)
    assert {value.dtype for value in found.values()} == {np.dtype("float64")}
    results = {f"Sum {output}": value for output, value in found.items()}
    folder = os.path.dirname(file)
    model.save(os.path.join(folder, f"{mode}.keras"))
    loaded = kff.load(os.path.join(folder, f"{mode}.keras"))
    network = kff.ForceField(network_and_pairs("float32"))
    single, double = kff.astype(loaded, "float32"), kff.astype(network, "float64")
    for copy, dtype in ((loaded, "float64"), (single, "float32"), (network, "float32"), (double, "float64")):
        assert {weight.dtype for weight in copy.weights} == {copy.compute_dtype} == {dtype}
    if mode == "default":
        results |= {f"loaded {output}": value for output, value in predict(loaded, crystal).items()}
    results |= step_of_training(their_crystal)
    after = kff.ForceField(stillinger_weber("float32"))
    assert {weight.dtype for weight in after.weights} == {"float32"}
    for name, value in predict(after, their_crystal).items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, before[name])
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == defaults
    np.savez(file, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
