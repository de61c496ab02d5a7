"""s-MEAM: LAMMPS' numbers, its files, laws."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list
from keras import ops
from lammps_reference import FILES, check_parameter_derivatives, energies_of

import keras_ff as kff
from keras_ff import backend
from keras_ff.layers import CubicSpline
from keras_ff.models import chunks, spline_domains
from keras_ff.potentials import SplineMEAM
from keras_ff.testing import Probe, check_potential, padding, permutation, rotation, saving, supercell

pytestmark = pytest.mark.usefixtures("float64")

FOLDER = FILES / "meam_spline"
NAMES = {"Ti": ("Ti",), "Si_1": ("Si",), "Si_2": ("Si",), "TiO": ("Ti", "O")}
# eV/Å³ in bar: of LAMMPS, and of the conversion of the reference
PRESSURE = 1.6021766208 / 1.6021765


def potential(name, **options):
    return SplineMEAM.from_lammps(FOLDER / f"{name}.meam.spline", NAMES[name], **options)


def structures(name, count=None):
    known = np.load(FOLDER / f"{name}.npz")
    total = sum(key.startswith("energy") for key in known)
    found = [Atoms(known[f"Z_{i}"], known[f"pos_{i}"], cell=known[f"cell_{i}"], pbc=True) for i in range(count or total)]
    return found, [{kind: known[f"{kind}_{i}"] for kind in ("energy", "forces", "stress")} for i in range(len(found))]


ALL, SMALL, LARGE = range(100), range(10), range(10, 100)


# Of two elements, small structures without the room for large ones: empty rows would take most of the time.
@pytest.mark.parametrize(
    "name, sizes",
    [
        ("Ti", ALL),
        pytest.param("Si_1", ALL, marks=pytest.mark.slow_on_tensorflow),
        pytest.param("Si_2", ALL, marks=pytest.mark.slow_on_tensorflow),
        pytest.param("TiO", SMALL, marks=pytest.mark.slow_on_tensorflow),
        pytest.param("TiO", LARGE, marks=pytest.mark.slow),
    ],
)
def test_every_structure_of_lammps(name, sizes):
    atoms, known = structures(name)
    assert len(atoms) >= 93
    chosen = [(one, expected) for one, expected in zip(atoms, known, strict=True) if len(one) in sizes]
    atoms = [one for one, _ in chosen]
    results = Probe(potential(name), min(atoms, key=len), rattle=0.0).evaluate(atoms)
    for (one, expected), found in zip(chosen, results, strict=True):
        assert abs(found["energy"] - expected["energy"]) <= 1e-9 * len(one)
        np.testing.assert_allclose(found["forces"], expected["forces"], rtol=0, atol=1e-8)
        np.testing.assert_allclose(found["stress"], expected["stress"] * PRESSURE, rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
def test_laws():
    # Forces jump in their derivatives where a function ends with a curvature.
    check_potential(potential("Ti", cutoff=5.6), bulk("Ti", "hcp", a=2.95, c=4.68), smoothness=1)


@pytest.mark.slow
def test_symmetries_of_two_elements():
    probe = Probe(potential("TiO"), bulk("TiO", "rocksalt", a=4.2))
    for law in (permutation, rotation, supercell, padding, saving):
        assert law(probe).passed


@pytest.mark.slow_on_jax
def test_parameter_derivatives():
    check_small("Ti")


@pytest.mark.slow_on_tensorflow
def test_parameter_derivatives_of_two_elements():
    check_small("TiO")


def check_small(name):
    atoms, _ = structures(name, 12)
    check_parameter_derivatives(potential(name), [one for one in atoms if len(one) < 10][:2])


class Full(SplineMEAM):
    """All triplets of neighbors within the cutoff."""

    def _inner_columns(self, neighbors):
        return neighbors


def titanium(crowded):
    """A crystal; crowded, with a compressed ball beside it, in which neighbors are nearer than is even."""
    atoms = bulk("Ti", "hcp", a=2.95, c=4.68) * (3, 3, 2)
    if crowded:
        dense = bulk("Ti", "hcp", a=2.4, c=3.8) * (7, 7, 5)
        dense.positions -= dense.positions[np.linalg.norm(dense.positions - dense.positions.mean(axis=0), axis=1).argmin()]
        dense = dense[np.linalg.norm(dense.positions, axis=1) < 4.3]
        dense.positions += (4.0, 4.0, 24.0)
        atoms.cell[2, 2] += 30.0
        atoms += dense
    atoms.rattle(0.1, seed=0)
    return atoms


def most_neighbors(atoms, cutoff):
    return np.bincount(neighbor_list("i", atoms, cutoff)).max()


# On TensorFlow all neighbors enter the triplets anyway.
KINDS = (SplineMEAM, Full) if backend.backend_name() == "jax" else (SplineMEAM,)


@pytest.mark.skipif(len(KINDS) == 1, reason="TensorFlow computes both branches of cond: there all triplets are summed")
@pytest.mark.parametrize("crowded, chunk", [(False, 600), (True, 10_000)])
def test_the_triplets_that_count_are_all_triplets(crowded, chunk, monkeypatch):
    monkeypatch.setitem(chunks.PAIRS, False, chunk)
    atoms, results = titanium(crowded), []
    for kind in KINDS:
        model = kff.ForceField(kind.from_lammps(FOLDER / "Ti.meam.spline", "Ti"))
        columns = most_neighbors(atoms, model.cutoff)
        inner = model.potential._inner_columns(columns)
        assert kind is Full or (inner < 0.6 * columns and crowded == (most_neighbors(atoms, 4.41) > inner))
        batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
        moves = np.random.default_rng(0).normal(size=batch["positions"].shape)

        def energy(positions, batch=batch, model=model):
            # All atoms together: TensorFlow does not compile second derivatives of gathers in a loop.
            return ops.sum(model.atomic_at_once({**batch, "positions": positions})["energies"])

        found = backend.jit(lambda batch, model=model: model(batch), layer=model)(batch)
        bend = backend.jit(lambda x, energy=energy, v=moves: backend.hvp(energy, x, v))(batch["positions"])
        results.append([ops.convert_to_numpy(x) for x in (found["energy"], found["forces"], found["stress"], bend)])
    for compact, full in zip(*results):
        np.testing.assert_allclose(compact, full, rtol=1e-11, atol=1e-11)


@pytest.mark.slow_on_tensorflow
def test_a_function_that_does_not_vanish_reaches_to_the_cutoff():
    known = potential("Ti")
    assert known.functions["f Ti"].vanishes and known.intermediates(48) == 25 * 24 // 2
    values, slopes = known.functions["f Ti"].numbers()
    values[-1] = 0.1
    f = CubicSpline(2.0558017673999966, 4.41, values, slopes)
    other = SplineMEAM("Ti", {**potential("Ti").functions, "f Ti": f})
    assert other.intermediates(48) == 48 * 47 // 2
    far = Atoms("Ti3", 4.8 * np.array([[0, 0, 0], [1, 0, 0], [0.5, 0.8, 0]]))
    energies = [energies_of(one, [far])[0] for one in (known, other)]
    assert abs(energies[0] - energies[1]) > 1e-3


@pytest.mark.slow
def test_training_leaves_the_end_of_f():
    atoms = titanium(False)
    atoms.info["energy"], atoms.arrays["forces"] = -4.0 * len(atoms), np.zeros((len(atoms), 3))
    weights = []
    for kind in KINDS:
        model = kff.ForceField(kind.from_lammps(FOLDER / "Ti.meam.spline", "Ti"))
        model.compile(optimizer="adam", loss={"energy_per_atom": "mse", "forces": "mse"}, jit_compile=True)
        model.fit(kff.data.Dataset([atoms], model, batch_size=1), epochs=2, verbose=0)
        weights.append(model.get_weights())
        values, slopes = model.potential.functions["f Ti"].numbers()
        assert values[-1] == slopes[1] == 0 and slopes[0] != model.potential.functions["f Ti"].start_slopes[0]
    assert any(weight.any() for weight in weights[0])
    for compact, full in zip(weights[0], weights[-1]):
        np.testing.assert_allclose(compact, full, rtol=0, atol=1e-8)


@pytest.mark.slow_on_tensorflow
def test_one_element_of_a_file_of_two():
    both, alone = potential("TiO"), SplineMEAM.from_lammps(FOLDER / "TiO.meam.spline", "Ti")
    assert alone.species == ["Ti"]
    crystal = bulk("Ti", "hcp", a=2.95, c=4.68)
    results = [energies_of(one, [crystal])[0] for one in (both, alone)]
    assert results[0] == pytest.approx(results[1], abs=1e-12)


@pytest.mark.slow_on_tensorflow
def test_untrained_functions_bind_atoms_and_can_be_written(tmp_path):
    first = SplineMEAM.untrained(["Ti", "O"], cutoff=5.0, triplet_cutoff=4.0)
    first.to_lammps(tmp_path / "TiO")
    assert SplineMEAM.from_lammps(tmp_path / "TiO").cutoff == first.cutoff == 5.0
    crystals = [bulk("Ti", "hcp", a=a, c=1.59 * a) for a in (2.6, 2.9, 3.2, 7.5)]
    energies = energies_of(first, crystals)
    # U(0) - U(0) of an atom without neighbors may round differently in its two places.
    assert (energies[:3] < -0.1).all() and abs(energies[3]) < 1e-15
    assert np.isfinite(energies).all()


def test_an_end_that_is_not_0_is_named():
    functions = dict(SplineMEAM.untrained("Ti", cutoff=4.0).functions)
    with pytest.warns(UserWarning, match="phi Ti-Ti has knots from 1 to 3.5 Å and is 1.5 at the cutoff of 4 Å"):
        SplineMEAM("Ti", {**functions, "phi Ti-Ti": CubicSpline(1.0, 3.5, np.ones(6), (0.0, 1.0))}, cutoff=4.0)


@pytest.mark.slow_on_tensorflow
def test_data_outside_the_knots_is_named():
    potential = SplineMEAM.from_lammps(FOLDER / "TiO.meam.spline")
    model = kff.ForceField(potential)
    atoms = bulk("TiO", "rocksalt", a=3.84, cubic=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0)
    with pytest.warns(UserWarning) as found:
        domains = spline_domains(model, kff.data.Dataset([atoms], model, batch_size=1))
    assert set(domains) == set(potential.functions)
    # rho of Ti ends before the cutoff, with value and slope 0: nothing is lost beyond.
    neighbor, distances = neighbor_list("jd", atoms, potential.cutoff)
    distances = distances[atoms.symbols[neighbor] == "Ti"]
    assert domains["rho Ti"].largest == pytest.approx(distances.max()) and distances.max() > 4.41
    assert domains["rho Ti"].outside == pytest.approx((distances < domains["rho Ti"].first).mean())
    assert domains["g Ti-Ti"].largest == pytest.approx(1.0) and domains["g Ti-Ti"].outside > 0
    assert any("g Ti-Ti has knots from -1 to 0.9284" in str(one.message) for one in found)
    np.testing.assert_allclose([domains["phi Ti-O"].smallest, domains["phi Ti-Ti"].smallest], [1.92, 1.92 * 2**0.5])
