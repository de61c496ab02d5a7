"""Trains on two devices and prints what came out: python parallel_run.py [PORT NUMBER], as one process or as one of two."""

import json
import sys

import keras
import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff

STEPS = 20


def structures():
    """Silicon of two sizes, one structure without forces, in a number that fills no batch."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(7):
        atoms = bulk("Si", cubic=number % 3 == 0)
        atoms.rattle(0.1, rng=rng)
        labels = {"energy": rng.normal(-4.0 * len(atoms)), "forces": rng.normal(size=(len(atoms), 3))}
        if number == 1:
            del labels["forces"]
        atoms.calc = SinglePointCalculator(atoms, **labels)
        found.append(atoms)
    return found


def make(batch_size=4):
    model = kff.ForceField(kff.potentials.RepulsiveMorse(["Si"]))
    model.compile(
        keras.optimizers.Adam(1e-2),
        jit_compile=True,
        loss={"energy_per_atom": kff.losses.LogCosh(p=50.0), "forces": kff.losses.ForceNorm(kff.losses.LogCosh(p=5.0))},
        metrics={"forces": [kff.metrics.MeanAbsoluteError()]},
    )
    return model, kff.data.Dataset(structures(), model, batch_size, max_shapes=1)


def train():
    """The log of twenty steps."""
    model, data = make()
    log = model.fit(data, epochs=STEPS // len(data), verbose=0).history
    return {name: [float(value) for value in values] for name, values in log.items()}


def error(function):
    try:
        function()
    except ValueError as found:
        return str(found)


def main():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    outside, data = make()
    with kff.training.data_parallel(devices=2):
        model, odd = make(batch_size=3)
        errors = [error(lambda: model.fit(odd)), error(lambda: outside.evaluate(data))]
        print(json.dumps({"log": train(), "errors": errors}))


def one_of_two(port, number):
    keras.distribution.initialize(f"localhost:{port}", num_processes=2, process_id=number)
    with kff.training.data_parallel():
        print(json.dumps({"log": train()}))


if __name__ == "__main__":
    one_of_two(*map(int, sys.argv[1:])) if sys.argv[1:] else main()
