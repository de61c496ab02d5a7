"""The ASE calculator: the same numbers as `predict`, few searches, few compilations."""

import functools
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet

import keras_ff as kff
from keras_ff import backend
from keras_ff.data import Dataset, placement
from keras_ff.potentials import NeuralIL, RepulsiveMorse

pytestmark = pytest.mark.usefixtures("float64")


CUTOFF = 4.45


@pytest.fixture(scope="module")
def alloys():
    """Calculator of a network for two elements."""
    kff.enable_float64()
    model = kff.ForceField(NeuralIL(["Cu", "Au"], cutoff=4.0, n_max=2))
    model.reference_energies.assign([-3.0, -2.0])
    return kff.Calculator(model)


@functools.cache
def repulsive():
    """One model for all tests: what is compiled for one serves the others."""
    return kff.ForceField(RepulsiveMorse(["Cu"], cutoff=4.0))


def copper(**options):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=0)
    return atoms


@pytest.fixture
def searches(monkeypatch):
    """Counts the neighbor searches of calculators."""
    found = []

    def counted(*args):
        found.append(args)
        return original(*args)

    original = placement.pairs_within
    monkeypatch.setattr(placement, "pairs_within", counted)
    return found


def shapes_of(calculator):
    """Shapes of the batches that reach the compiled function: one compilation each."""
    shapes, function = set(), calculator._function

    def counted(batch):
        shapes.add(batch["neighbors"].shape)
        return function(batch)

    calculator._function = counted
    return shapes


def predict(model, atoms):
    return {name: value[0] for name, value in model.predict(Dataset([atoms], model, batch_size=1), verbose=0).items()}


@pytest.mark.slow_on_tensorflow
def test_numbers_are_those_of_predict(alloys):
    atoms = copper()
    atoms.symbols[1] = "Au"
    expected = predict(alloys.force_field, atoms)
    atoms.calc = alloys
    assert atoms.get_potential_energy() == pytest.approx(expected["energy"][0], rel=1e-13)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_forces(), expected["forces"], atol=1e-13)
    np.testing.assert_allclose(atoms.get_stress(), expected["stress"], atol=1e-14)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), rel=1e-14)


@pytest.mark.parametrize("kind", ["slab", "molecule", "atom", "small cell"])
def test_any_periodicity(kind):
    model = repulsive()
    atoms = {
        "slab": lambda: fcc111("Cu", (1, 1, 3), vacuum=6.0),
        "molecule": lambda: Atoms("Cu3", [[0, 0, 0], [2.0, 0, 0], [0, 2.0, 0.5]]),
        "atom": lambda: Atoms("Cu"),
        "small cell": lambda: bulk("Cu", a=3.4),
    }[kind]()
    atoms.calc = kff.Calculator(model)
    expected = predict(model, atoms)
    assert atoms.get_potential_energy() == pytest.approx(expected["energy"][0], abs=1e-13)
    np.testing.assert_allclose(atoms.get_forces(), expected["forces"], atol=1e-13)
    if atoms.pbc.all():
        np.testing.assert_allclose(atoms.get_stress(), expected["stress"], atol=1e-14)


def test_neighbors_are_searched_when_an_atom_has_moved_half_of_the_skin(searches):
    atoms = copper()
    atoms.calc = kff.Calculator(repulsive(), skin=0.5)
    atoms.get_potential_energy()
    for _ in range(4):
        atoms.positions[0, 0] += 0.05
        atoms.get_potential_energy()
    assert len(searches) == 1
    atoms.positions[0, 0] += 0.06
    atoms.get_potential_energy()
    assert len(searches) == 2
    # A cell that changes a little is no reason, as at constant pressure; one that changes much is.
    for growth, count in ((1.001, 2), (0.999, 2), (0.85, 3)):
        atoms.set_cell(atoms.cell * growth, scale_atoms=True)
        atoms.get_potential_energy()
        assert len(searches) == count


@pytest.mark.slow_on_tensorflow
def test_an_old_list_holds_for_any_deformation_that_it_is_kept_for(searches):
    """Sheared, stretched and squeezed cells give what a new search gives, whether the list is kept or not."""
    model, random, kept = repulsive(), np.random.default_rng(0), 0
    atoms = copper() * (2, 1, 1)
    atoms.calc = kff.Calculator(model, skin=0.6)
    fresh = kff.Calculator(model, skin=0.0)
    atoms.get_potential_energy()
    for size in np.linspace(0.005, 0.3, 20):
        deformed = atoms.copy()
        deformed.set_cell(atoms.cell.array @ (np.eye(3) + random.uniform(-size, size, (3, 3))), scale_atoms=True)
        deformed.rattle(0.02, rng=random)
        deformed.calc, before = atoms.calc, len(searches)
        energy, forces = deformed.get_potential_energy(), deformed.get_forces()
        kept += len(searches) == before
        deformed.calc = fresh
        assert energy == pytest.approx(deformed.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(forces, deformed.get_forces(), atol=1e-12)
    assert 3 <= kept <= 17


@pytest.mark.slow_on_tensorflow
def test_a_run_at_constant_pressure_lists_neighbors_as_seldom_as_one_at_constant_volume(searches):
    from ase.md.nptberendsen import NPTBerendsen

    counts = []
    for npt in (False, True):
        atoms = bulk("Cu", a=3.5, cubic=True) * (2, 2, 2)
        atoms.calc = kff.Calculator(kff.ForceField(RepulsiveMorse(["Cu"], stiffness=1.0, bond_length=2.5, cutoff=4.5)))
        MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=np.random.default_rng(0))
        pressure = -atoms.get_stress()[:3].mean()
        options = dict(temperature_K=600, pressure_au=pressure, compressibility_au=0.01, taut=100 * units.fs, taup=500 * units.fs)
        dynamics = NPTBerendsen(atoms, units.fs, **options) if npt else VelocityVerlet(atoms, units.fs)
        before = len(searches)
        dynamics.run(200)
        counts.append(len(searches) - before)
    assert counts[1] <= counts[0] + 2 <= 20


@pytest.mark.slow_on_tensorflow
def test_few_shapes_serve_clusters_of_8_to_200_atoms():
    calculator = kff.Calculator(repulsive())
    shapes = shapes_of(calculator)
    crystal = bulk("Cu", cubic=True) * 4
    order = np.argsort(np.linalg.norm(crystal.positions - crystal.positions.mean(axis=0), axis=1))
    for count in range(8, 201):
        cluster = crystal[order[:count]]
        cluster.pbc = False
        calculator.calculate(cluster)
        assert len(calculator.results["forces"]) == len(calculator.results["energies"]) == count
    assert len(shapes) <= 6


def test_a_structure_without_atoms_and_an_atom_that_is_there_twice_are_named():
    calculator = kff.Calculator(repulsive())
    with pytest.raises(ValueError, match="has no atoms"):
        calculator.calculate(Atoms(cell=[5, 5, 5], pbc=True))
    twice = copper() + Atoms("Cu", positions=copper().positions[2:3])
    with pytest.raises(ValueError, match="Atom 2 and atom 4 are 0.000 Å apart"):
        calculator.calculate(twice)


def test_an_old_list_gives_the_same_numbers():
    atoms, model = copper(), repulsive()
    atoms.calc = kff.Calculator(model, skin=1.0)
    atoms.get_potential_energy()
    atoms.rattle(0.1, seed=3)
    expected = predict(model, atoms)
    assert atoms.get_potential_energy() == pytest.approx(expected["energy"][0], rel=1e-13)
    np.testing.assert_allclose(atoms.get_forces(), expected["forces"], atol=1e-13)


def test_nothing_is_compiled_as_neighbors_come_and_go():
    # Within 4.5 Å, the shell at 4.43 Å comes and goes.
    atoms = copper() * (2, 2, 1)
    atoms.calc = kff.Calculator(kff.ForceField(RepulsiveMorse(["Cu"], cutoff=CUTOFF)))
    shapes = shapes_of(atoms.calc)
    atoms.get_potential_energy()
    counts = set()
    rng = np.random.default_rng(0)
    start = atoms.positions.copy()
    for _ in range(30):
        atoms.positions = start + rng.normal(scale=0.04, size=start.shape)
        atoms.get_potential_energy()
        counts.add(int(np.bincount(kff.data.neighbor_list(atoms, CUTOFF)[0]).max()))
    assert len(counts) > 1
    assert len(shapes) <= 2


@pytest.mark.slow_on_tensorflow
def test_atoms_may_cross_the_boundary_of_the_cell(alloys):
    atoms = copper()
    atoms.calc = alloys
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.positions += [0.9 * atoms.cell[0, 0], -1.3, 0.2]
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-12)
    atoms.wrap()
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-12)
    atoms.positions[1] += 3 * atoms.cell[1]
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-12)


@pytest.mark.slow_on_tensorflow
def test_other_atoms_may_follow(alloys):
    for symbols in ("Cu4", "Au4", "CuAu3"):
        atoms = copper()
        atoms.symbols = symbols
        atoms.calc = alloys
        assert atoms.get_potential_energy() == pytest.approx(predict(alloys.force_field, atoms)["energy"][0], rel=1e-13)


def test_weights_that_change_are_seen():
    model, atoms = repulsive.__wrapped__(), copper()
    atoms.calc = kff.Calculator(model)
    before = atoms.get_potential_energy()
    model.potential.log_well_depth.assign(model.potential.log_well_depth + np.log(2.0))
    atoms.calc.reset()
    assert atoms.get_potential_energy() == pytest.approx(2 * before, rel=1e-12)


def test_a_calculator_can_be_pickled():
    atoms = copper()
    atoms.calc = kff.Calculator(repulsive(), skin=0.3)
    energy = atoms.get_potential_energy()
    copy = pickle.loads(pickle.dumps(atoms.calc))
    assert copy.skin == 0.3
    other = atoms.copy()
    other.calc = copy
    other.rattle(0.01, seed=1)
    assert other.get_potential_energy() != energy
    other.positions = atoms.positions
    assert other.get_potential_energy() == pytest.approx(energy, rel=1e-13)


def test_an_unknown_element_is_named():
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = kff.Calculator(repulsive())
    with pytest.raises(ValueError, match=r"\['Cl', 'Na'\].*\['Cu'\]"):
        atoms.get_potential_energy()


def test_stress_needs_a_cell():
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2]])
    atoms.calc = kff.Calculator(repulsive())
    atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_molecular_dynamics_conserves_the_energy(searches):
    """The error of velocity Verlet falls with the square of the time step, which only smooth and consistent forces give."""
    calculator = kff.Calculator(kff.ForceField(RepulsiveMorse(["Cu"], stiffness=1.0, bond_length=2.5, cutoff=4.5)))
    spreads = []
    for step, count in ((2.0, 60), (1.0, 120)):
        atoms = bulk("Cu", a=3.5, cubic=True) * (2, 2, 2)
        atoms.calc = calculator
        MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=np.random.default_rng(0))
        md = VelocityVerlet(atoms, step * units.fs)
        energies = []
        md.attach(lambda atoms=atoms, energies=energies: energies.append(atoms.get_total_energy()))
        md.run(count)
        spreads.append(np.ptp(energies) / atoms.get_kinetic_energy())
    assert spreads[1] < 1e-3
    assert spreads[0] / spreads[1] == pytest.approx(4.0, rel=0.1)
    assert 1 <= len(searches) < 60


def rattled(seed):
    # Shells change with the seed.
    atoms = bulk("Cu", cubic=True) * (1 + seed % 2, 1, 1)
    atoms.rattle(0.05, seed=seed)
    return atoms


def results_of(calculator, seed):
    atoms = rattled(seed)
    atoms.calc = calculator
    return [atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()]


def test_threads_may_share_a_calculator():
    calculator = kff.Calculator(repulsive())
    function = calculator._function

    def slow(batch):
        outputs = function(batch)
        # Another thread runs.
        time.sleep(0.001)
        return outputs

    calculator._function = slow
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: results_of(calculator, seed), range(24)))
    calculator._function = function
    for seed, results in enumerate(found):
        for result, expected in zip(results, results_of(calculator, seed)):
            np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-12)


def test_atoms_that_meet_after_the_search_are_named():
    """They were 0.4 Å apart when their neighbors were listed, and the list still holds."""
    pair = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.4]])
    pair.calc = kff.Calculator(repulsive(), skin=2.0)
    pair.get_potential_energy()
    pair.positions[1, 2] = 1e-8
    with pytest.raises(ValueError, match="Cu2: Atom 0 and atom 1 are 0.000 Å apart"):
        pair.get_potential_energy()
    with pytest.raises(ValueError, match="A skin is a thickness in Å"):
        kff.Calculator(repulsive(), skin=-1.0)


@pytest.mark.slow_on_tensorflow
def test_it_takes_potentials_files_and_folders_of_runs(tmp_path):
    model, crystal = repulsive(), copper()
    crystal.calc = kff.Calculator(model)
    expected = crystal.get_potential_energy()
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "copper.keras", tmp_path / "run" / "best.keras"):
        model.save(path)
    for given in (model.potential, tmp_path / "copper.keras", str(tmp_path / "copper.keras"), tmp_path / "run"):
        crystal.calc = kff.Calculator(given)
        assert crystal.get_potential_energy() == expected
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no best.keras"):
        kff.Calculator(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no model file"):
        kff.Calculator(tmp_path / "other.keras")
    with pytest.raises(TypeError, match="Received a NoneType"):
        kff.Calculator(None)


@pytest.mark.slow_on_tensorflow
def test_on_an_accelerator_rows_stay_where_they_are_and_results_are_the_same(monkeypatch, float64):
    """Only positions go there with each call; atoms that meet within the list are named all the same."""
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    atoms = bulk("Si", cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=0)
    moved = atoms.copy()
    moved.rattle(0.03, seed=1)
    strained = moved.copy()
    strained.set_cell(1.01 * moved.cell, scale_atoms=True)
    together = atoms.copy()
    neighbor = int(np.argsort(atoms.get_distances(0, range(16), mic=True))[1])
    together.positions[neighbor] = together.positions[0] + together.get_distance(0, neighbor, mic=True, vector=True) * 1e-7
    results = []
    for accelerated in (False, True):
        monkeypatch.setattr(backend, "accelerated", lambda value=accelerated: value)
        calculator = kff.Calculator(model, skin=3.0)
        lists = []
        for structure in (atoms, moved, strained):
            calculator.calculate(structure)
            lists.append(calculator._record)
            results.append(calculator.results)
        assert lists[0] is lists[2]
        calculator.skin = 10.0
        with pytest.raises(ValueError, match=f"Atom 0 and atom {neighbor} are 0.000 Å apart"):
            calculator.calculate(together)
    for host, own in zip(results[:3], results[3:], strict=True):
        for name, value in host.items():
            np.testing.assert_allclose(own[name], value, rtol=0, atol=1e-10)
