"""Least squares for the linear parts of networks: weights are found again, of a committee too; what has none is refused."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff.potentials import NeuralIL, StillingerWeber, Sum

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def labelled():
    """Structures with energies, forces and stresses of Stillinger-Weber and a network that was not fitted."""
    kff.enable_float64()
    model = kff.ForceField(Sum([network(units=(3,)), StillingerWeber.silicon()]))
    rng, part = np.random.default_rng(0), model.potential.parts[0]
    for weight in part.linear_weights:
        weight.assign(rng.normal(size=weight.shape))
    model.reference_energies.assign([-3.0])
    structures = []
    for seed in range(4):
        atoms = bulk("Si", a=5.43 * rng.uniform(0.95, 1.04))
        atoms.rattle(0.1, seed=seed)
        atoms.calc = kff.Calculator(model)
        values = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
        atoms.calc = SinglePointCalculator(atoms, **values)
        structures.append(atoms)
    return structures


def network(**options):
    return NeuralIL(["Si"], cutoff=3.5, n_max=1, **options)


@pytest.mark.slow_on_tensorflow
def test_energies_forces_and_stresses_are_found_again(labelled):
    model = kff.ForceField(Sum([network(units=(3,)), StillingerWeber.silicon()]))
    data = kff.data.Dataset(labelled, model, batch_size=4, max_shapes=1)
    model.fit_linear(data, stress_error=0.01, ridge=1e-14, verbose=0)
    found = model.predict(data, verbose=0)
    # Of some eV and eV/Å. Features that no scale was adapted for, and the squares of normal equations, lose digits.
    for name, tolerance in {"energy": 1e-3, "forces": 1e-3, "stress": 1e-4}.items():
        labels = [atoms.calc.results[name] for atoms in labelled]
        np.testing.assert_allclose(np.reshape(found[name], np.shape(labels)), labels, atol=tolerance)


@pytest.mark.slow_on_tensorflow
def test_members_share_the_change(labelled):
    model = kff.Ensemble(network(units=(3,), members=2))
    data = kff.data.Dataset(labelled, model, batch_size=4, max_shapes=1)
    before = [np.array(weight) for weight in model.potential.get_weights()]
    errors = []
    model.compile(loss={"forces": "mse"}, metrics=kff.training.default_metrics(["forces"]))
    for fit in (False, True):
        if fit:
            model.fit_linear(data, verbose=0)
        errors.append(model.evaluate(data, verbose=0, return_dict=True)["forces_mae"])
    kernel = model.potential.network.linear.kernel
    assert errors[1] < 0.7 * errors[0]
    np.testing.assert_array_equal(kernel[0], kernel[1])
    assert sum(not np.array_equal(a, b) for a, b in zip(before, model.potential.get_weights())) == 1


def test_a_potential_without_a_linear_part_is_refused(labelled):
    model = kff.ForceField(StillingerWeber.silicon())
    with pytest.raises(ValueError, match=r"\['StillingerWeber'\] have no network with a linear part"):
        model.fit_linear(kff.data.Dataset(labelled, model))
