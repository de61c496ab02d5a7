"""Structures made by gradient, and frames of the model's own dynamics."""

import numpy as np
import pytest
from ase import units
from ase.constraints import FixAtoms
from small_data import copper

import keras_ff as kff
from keras_ff.active import UncertaintyBias, adversarial, explore, exploring
from keras_ff.data import Dataset
from keras_ff.potentials import NeuralIL

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def model():
    kff.enable_float64()
    model = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2))
    model.adapt(Dataset(copper(6), model, max_shapes=1))
    return model


def test_forces_and_stress_of_the_bias_are_its_derivatives(model):
    atoms = copper(1, seed=3)[0]
    atoms.calc = UncertaintyBias(model, 2000.0)
    forces, stress, calculator = atoms.get_forces(), atoms.get_stress(voigt=False), atoms.calc
    np.testing.assert_allclose(calculator.results["strain_derivatives"], stress * atoms.get_volume(), rtol=1e-10, atol=1e-12)

    def energy(displacement, strain):
        moved = atoms.copy()
        moved.positions += displacement
        moved.set_cell(moved.cell @ (np.eye(3) + strain), scale_atoms=True)
        moved.calc = calculator
        return moved.get_potential_energy()

    rng, h = np.random.default_rng(0), 1e-4
    way = rng.normal(size=atoms.positions.shape)
    slope = (energy(h * way, 0.0) - energy(-h * way, 0.0)) / (2 * h)
    np.testing.assert_allclose(-np.sum(forces * way), slope, rtol=1e-5, atol=1e-8)
    strain = rng.normal(size=(3, 3))
    strain = strain + strain.T
    slope = (energy(0.0, h * strain) - energy(0.0, -h * strain)) / (2 * h)
    np.testing.assert_allclose(np.sum(stress * strain) * atoms.get_volume(), slope, rtol=1e-5, atol=1e-8)
    # Another temperature: the same compiled function.
    cold = atoms.copy()
    calculator.calculate(atoms)
    spread = np.sqrt(np.mean(calculator.results["forces_std"] ** 2))
    cold.calc = UncertaintyBias(model, 500.0)
    difference = calculator.results["energy"] - cold.get_potential_energy()
    assert difference == pytest.approx(-len(atoms) * units.kB * 1500.0 * np.log(spread), rel=1e-8)
    assert len([function for function, *_ in vars(model)["_compiled"] if function.__name__ == "_biased"]) == 1


@pytest.mark.slow_on_tensorflow
def test_the_gradient_finds_more_uncertain_structures_than_chance_at_the_same_energy(model):
    atoms = copper(1, seed=3)[0]
    found = adversarial(model, atoms, temperature=3000.0, steps=20)
    before, after = found.info["uncertainty"]
    assert after > 1.2 * before
    moved = found.positions - atoms.positions
    rng, calculator, spreads = np.random.default_rng(1), kff.Calculator(model), []
    for _ in range(5):
        other = atoms.copy()
        way = rng.normal(size=moved.shape)
        other.positions += way * np.linalg.norm(moved) / np.linalg.norm(way)
        other.calc = calculator
        other.get_forces()
        spreads.append(np.sqrt(np.mean(other.calc.results["forces_std"] ** 2)))
    assert after > max(spreads)


@pytest.mark.slow_on_tensorflow
def test_atoms_do_not_come_closer_than_asked(model):
    atoms = copper(1, seed=3)[0]
    with pytest.raises(ValueError, match="closer than 1.5 of the sum of their covalent radii at the start"):
        adversarial(model, atoms, closest=1.5)
    kept = adversarial(model, atoms, temperature=1e5, steps=20, closest=0.72)
    distances = kept.get_all_distances(mic=True)[np.triu_indices(len(kept), 1)]
    assert distances.min() >= 0.72 * 2 * 1.32


@pytest.mark.slow_on_tensorflow
def test_dynamics_end_where_the_members_disagree(model):
    atoms = copper(1)[0]
    frames = explore(model, [atoms], 300.0, steps=10, every=5)
    assert len(frames) == 2 and frames[0].calc is None
    assert len(explore(model, [atoms, atoms], 300.0, steps=10, every=5, limit=0.0)) == 2, "one frame of each"


def test_bad_input_is_named(model):
    single = kff.ForceField(NeuralIL(["Cu"], cutoff=3.5, n_max=1))
    for refused in (lambda: adversarial(single, copper(1)[0]), lambda: explore(single, copper(1), 300.0, 10)):
        with pytest.raises(ValueError, match="Ensemble. Received a ForceField"):
            refused()
    with pytest.raises(ValueError, match="temperature is a positive number"):
        UncertaintyBias(model, 0.0)


@pytest.mark.slow_on_tensorflow
def test_constraints_are_honored_and_a_lost_simulation_keeps_its_frames(model, monkeypatch):
    atoms = copper(1)[0]
    atoms.set_constraint(FixAtoms([0, 1]))
    moved = [adversarial(model, atoms, steps=2, closest=0.5), *explore(model, [atoms], 300.0, steps=10, every=5)]
    assert len(moved) == 3
    for one in moved:
        np.testing.assert_array_equal(one.positions[:2], atoms.positions[:2])
        assert (one.positions[2:] != atoms.positions[2:]).all()

    class Collapsing(exploring.Langevin):
        """Two atoms meet after five steps."""

        def run(self, steps):
            if self.nsteps:
                self.atoms.positions[1] = self.atoms.positions[0]
            return super().run(steps)

    monkeypatch.setattr(exploring, "Langevin", Collapsing)
    with pytest.warns(UserWarning, match="simulation of Cu4 is lost after step 5: Cu4: Atom 0 and atom 1 .* frames until then"):
        assert len(explore(model, copper(1), 300.0, steps=20, every=5)) == 1
    for arguments in ({"timestep": 0.0}, {"temperature": -1.0}, {"steps": -1}, {"every": 0}):
        with pytest.raises(ValueError, match="is a (positive|whole) number"):
            explore(model, [atoms], **{"temperature": 300.0, "steps": 10, **arguments})
