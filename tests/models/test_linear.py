"""Least squares: weights are found again, regularizers count, what is not linear is refused."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.layers import SplineFilters
from keras_ff.models import fit_linear
from keras_ff.potentials import PairSpline, SplineNetwork, Sum

pytestmark = pytest.mark.usefixtures("float64")


def linear_model(roughness=0.0):
    filters = SplineFilters(3.6, pairs=0, triplets=(1, 3), triplet_cutoff=3.0, knots=(6, 5))
    phi = PairSpline(["Si"], cutoff=3.9, shortest=2.0, knots=6, roughness=roughness)
    model = kff.ForceField(Sum([SplineNetwork(["Si"], filters=filters, units=(), embedding=0), phi]))
    return model, [phi.phi.values, model.potential.parts[0].network.linear.kernel]


@pytest.fixture(scope="module")
def labelled():
    """Structures with labels of a linear model whose weights are random."""
    rng = np.random.default_rng(0)
    kff.enable_float64()
    model, weights = linear_model()
    for weight in weights:
        weight.assign(rng.normal(size=weight.shape))
    model.reference_energies.assign([-3.0])
    calculator, structures = kff.Calculator(model), []
    for seed in range(6):
        atoms = bulk("Si", a=5.43 * rng.uniform(0.93, 1.04), cubic=True)
        atoms.rattle(0.15, seed=seed)
        atoms.calc = calculator
        atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy(), forces=atoms.get_forces())
        structures.append(atoms)
    return structures


@pytest.mark.slow_on_tensorflow
def test_a_structure_of_weight_2_counts_as_two(labelled):
    rng, fitted = np.random.default_rng(1), []
    noisy = [atoms.copy() for atoms in labelled[:3]]
    for atoms, one in zip(noisy, labelled):
        forces = one.get_forces() + rng.normal(scale=0.1, size=(len(one), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=one.get_potential_energy(), forces=forces)
    heavy = noisy[0].copy()
    heavy.calc, heavy.info["config_weight"] = noisy[0].calc, 2.0
    for structures in ([noisy[0], *noisy], [heavy, *noisy[1:]]):
        model, weights = linear_model()
        fit_linear(model, kff.data.Dataset(structures, model, batch_size=4, shapes=[(8, 40)]), weights, verbose=0)
        fitted.append(np.concatenate([ops.convert_to_numpy(weight).ravel() for weight in weights]))
        target = kff.fitting.DataTarget(structures, model)
        fitted.append(float(backend.jit(target.loss, layer=model)(target.inputs())))
    np.testing.assert_allclose(fitted[2], fitted[0], rtol=1e-7)
    assert fitted[3] == pytest.approx(fitted[1], rel=1e-7)


@pytest.mark.slow_on_tensorflow
def test_energies_and_forces_are_found_again(labelled):
    model, weights = linear_model()
    data = kff.data.Dataset(labelled, model, batch_size=3, max_shapes=1)
    model.compile(loss={"forces": "mse"}, metrics=kff.training.default_metrics(["energy_per_atom", "forces"]))
    before = model.evaluate(data, verbose=0, return_dict=True)
    fit_linear(model, data, weights, ridge=1e-12, verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)
    assert before["energy_per_atom_mae"] > 1 and before["forces_mae"] > 0.1
    assert after["energy_per_atom_mae"] < 1e-7 and after["forces_mae"] < 1e-6


@pytest.mark.slow_on_tensorflow
def test_the_solution_is_the_minimum_also_with_a_regularizer(labelled):
    """At a minimum, a step of any weight in any direction costs something."""
    model, weights = linear_model(roughness=1e-2)
    data = kff.data.Dataset(labelled, model, batch_size=6, shuffle=False)
    fit_linear(model, data, weights, ridge=0.0, verbose=0)
    batch, labels = data[0]
    compiled = backend.jit(lambda batch: model(batch), layer=model)

    def objective():
        outputs = {name: ops.convert_to_numpy(value) for name, value in compiled(batch).items()}
        energy = np.nanmean(((outputs["energy_per_atom"] - labels["energy_per_atom"]) / 0.01) ** 2)
        return energy + np.nanmean(((outputs["forces"] - labels["forces"]) / 0.1) ** 2) + float(sum(model.losses))

    lowest = objective()
    assert lowest > 1e-3
    for weight in [*weights, model.reference_energies]:
        value = ops.convert_to_numpy(weight).copy()
        step = 1e-3 * np.random.default_rng(1).normal(size=value.shape)
        weight.assign(value + step)
        up = objective()
        weight.assign(value - step)
        down = objective()
        weight.assign(value)
        assert up > lowest and down > lowest
        assert abs(up - down) < 1e-3 * (up + down - 2 * lowest)


@pytest.mark.slow_on_tensorflow
def test_weights_that_multiply_each_other_are_refused_and_kept(labelled):
    model, weights = linear_model()
    data = kff.data.Dataset(labelled, model, batch_size=6)
    both = [weights[1], model.potential.parts[0].filters.g.coefficients]
    weights[1].assign(np.ones(weights[1].shape))
    before = [ops.convert_to_numpy(weight) for weight in model.weights]
    with pytest.raises(ValueError, match="not linear in the weights.*kernel.*linear embedding"):
        fit_linear(model, data, both, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@pytest.mark.slow_on_tensorflow
def test_what_cannot_be_fitted(labelled):
    model, weights = linear_model()
    with pytest.raises(ValueError, match="has no weights"):
        fit_linear(model, kff.data.Dataset(labelled, model), [keras.Variable(0.0)], verbose=0)
    with pytest.raises(ValueError, match="neither energies nor forces"):
        fit_linear(model, kff.data.Dataset([bulk("Si")], model), weights, verbose=0)
