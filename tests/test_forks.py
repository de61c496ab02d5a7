"""Processes that cannot compute say so instead of waiting for ever."""

import multiprocessing
import sys

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend, forks
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NVE, Dynamics

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no forks"),
    # What JAX says of every fork, rightly.
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]


def silicon(seed=0):
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def energy(calculator, seed=0):
    atoms = silicon(seed)
    atoms.calc = calculator
    return atoms.get_potential_energy()


def in_a_fork(functions):
    """What functions of a dict return or raise in a child of this process; an error if one of them never ends."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def child():
        for name, function in functions.items():
            try:
                answers.put((name, function()))
            except Exception as error:
                answers.put((name, error))

    process = context.Process(target=child)
    process.start()
    process.join(60.0)
    if process.is_alive():
        process.kill()
    found = {}
    while not answers.empty():
        name, found[name] = answers.get()
    assert list(found) == list(functions), f"no answer from {[name for name in functions if name not in found][0]}"
    return found


def test_every_way_to_compute_in_a_fork_is_an_error_that_says_what_to_do(tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    model.save(tmp_path / "silicon.keras")
    data = kff.data.Dataset([silicon(seed) for seed in range(6)], model, batch_size=1, shuffle=False)
    calculator, dynamics = kff.Calculator(model), Dynamics(model, silicon(), NVE())
    energy(calculator)
    # Two in a row, so that a thread makes the third.
    first = [data[index][0]["positions"] for index in range(2)]
    found = in_a_fork(
        {
            "calculator": lambda: energy(calculator, 1),
            "new calculator": lambda: energy(kff.Calculator(model)),
            "new potential": StillingerWeber.silicon,
            "load": lambda: kff.load(tmp_path / "silicon.keras"),
            "astype": lambda: kff.astype(model, "float64"),
            "call": lambda: model(data[0][0]),
            "atomic": lambda: model.atomic(data[0][0]),
            "potential": lambda: model.potential(None),
            "predict": lambda: model.predict(data, verbose=0),
            "compile": lambda: model.compile("adam", loss={"forces": "mse"}),
            "dynamics": lambda: dynamics.run(1),
            "relax": lambda: kff.properties.relax(model, silicon()),
            "gradient": lambda: backend.grad(lambda x: x * x)(3.0),
            "artifact": lambda: ArtifactCalculator(tmp_path),
        }
    )
    assert {name: type(error) for name, error in found.items()} == dict.fromkeys(found, RuntimeError)
    assert all('get_context("spawn")' in str(error) for error in found.values())
    # Batches are NumPy's.
    again = in_a_fork({"data": lambda: [data[index][0]["positions"] for index in range(6)]})["data"]
    np.testing.assert_array_equal(again, [*first, *(data[index][0]["positions"] for index in range(2, 6))])


def test_a_fork_of_a_process_that_has_not_computed_can_compute(monkeypatch):
    monkeypatch.setattr(forks, "_forked", None)
    monkeypatch.setattr(forks, "_is_running", lambda: False)
    assert in_a_fork({"check": forks.check_process}) == {"check": None}
