"""The same structure has the same energy, forces and stress through every door, wherever in space it lies."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

import keras_ff as kff
from keras_ff import backend
from keras_ff.data import Dataset
from keras_ff.data.batches import structure_batch
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import relax
from keras_ff.properties.energies import EnergyPerAtom
from keras_ff.simulation import NVE, Dynamics, Rollout

SHIFT = np.array([1.0, -0.7, 0.4])


def rattled(atoms, seed):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=seed)
    return atoms


def structures():
    """One of each kind, by name."""
    crystal = bulk("Cu", cubic=True)
    slab = fcc111("Cu", (1, 1, 3), vacuum=6.0)
    slab.pbc = [True, True, False]
    wire = bulk("Cu", cubic=True)
    wire.pbc = [False, False, True]
    left = crystal.copy()
    left.set_cell(crystal.cell.array * [1, 1, -1])
    skewed = crystal.copy()
    cell = crystal.cell.array.copy()
    cell[2] += 7 * cell[0] - 5 * cell[1]
    skewed.set_cell(cell)
    cluster = Atoms("Cu5", np.random.default_rng(3).normal(scale=2.0, size=(5, 3)))
    boxed = cluster.copy()
    boxed.set_cell([15.0, 16.0, 17.0])
    found = {"crystal": crystal, "slab": slab, "wire": wire, "left-handed": left, "skewed": skewed, "molecule": cluster}
    found |= {"molecule in a box": boxed, "one atom": bulk("Cu", a=3.4), "an isolated atom": Atoms("Cu")}
    found = {name: rattled(atoms, seed) for seed, (name, atoms) in enumerate(found.items())}
    for name, shift in (("1e3 Å away", 1e3), ("1e5 Å away", 1e5)):
        for base in ("crystal", "slab", "wire", "molecule"):
            away = found[base].copy()
            away.positions += shift * SHIFT
            found[f"{base} {name}"] = away
    for name, shifts in (
        ("crystal", [[1000, 0, 0], [0, -1000, 3], [0, 0, 0], [-7, 1000, 1000]]),
        ("slab", [[1000, 0, 0], [0, -1000, 0], [-7, 1000, 0]]),
    ):
        unwrapped = found[name].copy()
        unwrapped.positions += np.array(shifts) @ unwrapped.cell.array
        found[f"{name} unwrapped by 1,000 cells"] = unwrapped
    return found


@pytest.fixture(scope="module")
def model():
    kff.enable_float64()
    # So soft that rounded positions, 1e5 Å away, are not seen.
    parameters = StillingerWeber.silicon().parameters() | {"epsilon": 1e-3}
    potential = StillingerWeber(["Cu", "Au"], {name: np.asarray(x).item() for name, x in parameters.items()}, dtype="float64")
    model = kff.ForceField(potential, dtype="float64")
    model.reference_energies.assign([-3.0, -2.0])
    return model


@pytest.fixture(scope="module")
def known(model):
    """What `predict` says of each structure."""
    some = structures()
    data = Dataset(list(some.values()), model, batch_size=4, max_shapes=1, shuffle=False)
    found = model.predict(data, verbose=0)
    return {
        name: {
            "energy": found["energy"][index, 0],
            "forces": found["forces"][index, : len(atoms)],
            "stress": found["stress"][index],
        }
        for index, (name, atoms) in enumerate(some.items())
    }


def agrees(known, energy=None, forces=None, stress=None):
    if energy is not None:
        assert energy == pytest.approx(known["energy"], rel=1e-12, abs=1e-12)
    if forces is not None:
        np.testing.assert_allclose(forces, known["forces"], rtol=0, atol=1e-12)
    if stress is not None:
        np.testing.assert_allclose(stress, known["stress"], rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_the_calculator_says_what_predict_says(model, known):
    calculator = kff.Calculator(model)
    for name, atoms in structures().items():
        calculator.calculate(atoms)
        agrees(known[name], calculator.results["energy"], calculator.results["forces"], calculator.results.get("stress"))
        # One rule for the stress: three periodic directions.
        assert ("stress" in calculator.results) == atoms.pbc.all() == np.isfinite(known[name]["stress"]).all()


@pytest.mark.usefixtures("float64")
def test_the_artifact_says_what_predict_says(model, known, exported):
    calculator = ArtifactCalculator(exported(model.potential, reference_energies=[-3.0, -2.0]))
    for name, atoms in structures().items():
        calculator.calculate(atoms)
        agrees(known[name], calculator.results["energy"], calculator.results["forces"], calculator.results.get("stress"))
        assert ("stress" in calculator.results) == atoms.pbc.all()


@pytest.mark.usefixtures("float64")
def test_simulations_and_properties_say_what_predict_says(model, known):
    name = "slab unwrapped by 1,000 cells"
    atoms = structures()[name]
    atoms.set_velocities(np.full((len(atoms), 3), 1e-9))
    dynamics = Dynamics(model, atoms, NVE(), timestep=1e-6)
    frame = dynamics.run(1, every=1, verbose=0)[0]
    agrees(known[name], frame.get_potential_energy())
    np.testing.assert_allclose(frame.positions, atoms.positions, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(frame.cell, atoms.cell)
    np.testing.assert_array_equal(dynamics.atoms.cell, atoms.cell)
    agrees(known[name], EnergyPerAtom(model, atoms)() * len(atoms))
    rollout = Rollout(model, atoms, steps=1, timestep=1e-6)
    agrees(known[name], float(backend.jit(rollout.frames, layer=model)(rollout.batch)["energy"][0]))


@pytest.mark.parametrize("base", ["crystal", "slab", "wire", "molecule"])
def test_single_precision_is_as_good_far_away_as_near_the_origin(base):
    model = kff.ForceField(StillingerWeber.silicon(dtype="float32"), dtype="float32")
    calculator = kff.Calculator(model)
    atoms = {
        "crystal": bulk("Si", cubic=True),
        "slab": bulk("Si", cubic=True),
        "wire": bulk("Si", cubic=True),
        "molecule": Atoms("Si8", bulk("Si", cubic=True).positions),
    }[base]
    atoms.pbc = {"crystal": True, "slab": [True, True, False], "wire": [True, False, False], "molecule": False}[base]
    atoms.rattle(0.1, seed=0)
    calculator.calculate(atoms)
    energy, forces = calculator.results["energy"], calculator.results["forces"]
    for shift in (1e3, 1e5):
        away = atoms.copy()
        away.positions += shift * SHIFT
        calculator.calculate(away)
        assert calculator.results["energy"] == pytest.approx(energy, abs=2e-5)
        np.testing.assert_allclose(calculator.results["forces"], forces, rtol=0, atol=5e-5)
        # Dynamics start from the same arrays.
        np.testing.assert_array_equal(structure_batch(model, away)["positions"][0], Dynamics(model, away, NVE())._lists.place(away))


@pytest.mark.slow_on_tensorflow
@pytest.mark.usefixtures("float64")
def test_a_slab_keeps_its_cell_and_a_molecule_is_refused_in_words():
    model = kff.ForceField(StillingerWeber.silicon(dtype="float64"), dtype="float64")
    slab = bulk("Si", cubic=True)
    slab.center(vacuum=8.0, axis=2)
    slab.pbc = [True, True, False]
    slab.rattle(0.02, seed=0)
    with pytest.raises(ValueError, match="cannot relax: a stress needs three periodic directions"):
        relax(model, slab, cell=True)
    relaxed = relax(model, slab)
    np.testing.assert_array_equal(relaxed.cell, slab.cell)
    assert (relaxed.pbc == slab.pbc).all()
    with pytest.raises(ValueError, match="cell=False"):
        relax(model, Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), cell=True)
    pair = relax(model, Atoms("Si2", [[1e3, 0, 0], [1e3, 0, 2.3]]))
    assert pair.positions[0, 0] == pytest.approx(1e3, abs=1e-6)
