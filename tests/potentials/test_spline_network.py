"""Spline networks: laws, the features of their formula, repulsion that no network can overrule."""

import itertools

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from keras import ops
from lammps_reference import energies_of, frames

import keras_ff as kff
from keras_ff.geometry import Neighborhood
from keras_ff.layers import LinearPlusMLP, SplineFilters
from keras_ff.potentials import ZBL, PairSpline, SplineNetwork, StillingerWeber, Sum
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)


def small(species, **options):
    filters = SplineFilters(3.6, len(species), pairs=3, triplets=(2, 2), triplet_cutoff=3.0, knots=(6, 5), **options)
    return SplineNetwork(species, filters=filters, network=LinearPlusMLP(11, units=(4,)))


@pytest.mark.slow_on_jax
def test_laws_of_two_elements():
    """Of polynomials of the angle; test_element_networks.py has those of splines."""
    potential = small(["Si", "C"], degree=3)
    potential.filters.amplitudes.assign(np.random.default_rng(0).uniform(0.5, 1.5, size=(2, 5)))
    check_potential(potential, CARBIDE, smoothness=2)


@pytest.mark.slow_on_tensorflow
def test_laws_of_the_pair_spline():
    potential = PairSpline(["Si", "C"], cutoff=3.6)
    potential.phi.values.assign(np.random.default_rng(0).normal(size=(12, 3)))
    check_potential(potential, CARBIDE, smoothness=2)


@pytest.mark.parametrize("degree", [3, None])
@pytest.mark.parametrize("triplets", [(3, 2), 3])
def test_features_are_those_of_the_formula(triplets, degree):
    rng = np.random.default_rng(1)
    filters = SplineFilters(3.6, 2, pairs=2, triplets=triplets, triplet_cutoff=3.0, knots=(6, 5), degree=degree)
    for curves in (filters.rho, filters.f, filters.g):
        curves.weights[0].assign(rng.normal(size=curves.start.shape))
    amplitudes = rng.normal(size=(2, 5))
    filters.amplitudes.assign(amplitudes)
    vectors, kinds = rng.normal(size=(4, 3)) * 1.5, np.array([0, 1, 1, 0])
    r = np.linalg.norm(vectors, axis=1)

    def fade(r, cutoff):
        x = np.minimum(r / cutoff, 1)
        return 1 - 10 * x**3 + 15 * x**4 - 6 * x**5

    rho, f = (np.asarray(ops.convert_to_numpy(spline(r))) for spline in (filters.rho, filters.f))
    rho = rho * (fade(r, 3.6) * (r < 3.6))[:, None] * amplitudes[kinds, :2]
    f = f * (fade(r, 3.0) * (r < 3.0))[:, None] * amplitudes[kinds, 2:]
    sums = 0.0
    for j, k in itertools.combinations(range(4), 2):
        g = ops.convert_to_numpy(filters.g(np.array([vectors[j] @ vectors[k] / r[j] / r[k]])))[0]
        mixed = [f[j][a] * f[k][b] + (f[j][b] * f[k][a] if a != b else 0) for a in range(3) for b in range(a, 3)]
        sums = sums + (f[j] * f[k] * g if triplets == 3 else np.outer(mixed, g).ravel())
    neighborhood = Neighborhood(
        ops.convert_to_tensor(vectors[None]), ops.ones((1, 4), dtype="bool"), ops.zeros((1,), dtype="int32"),
        ops.convert_to_tensor(kinds[None].astype("int32")), 3.6,
    )  # fmt: skip
    np.testing.assert_allclose(ops.convert_to_numpy(filters(neighborhood))[0], [*rho.sum(0), *sums], atol=1e-12)


def test_no_network_overrules_a_repulsion():
    """Features are bounded at short range: a network with large weights does not keep two atoms together."""
    network = small(["Si"])
    network.energy_scale.assign(20.0)
    dimers = [Atoms("Si2", [[0, 0, 0], [0, 0, r]]) for r in np.geomspace(0.01, 1.0, 12)]
    energies = energies_of(Sum([network, ZBL(["Si"])]), dimers)
    assert np.all(np.diff(energies) < 0) and energies[0] > 1e4


@pytest.mark.slow
def test_it_learns_in_fit(tmp_path):
    structures = [atoms for atoms in frames("si_sw.xyz.gz") if atoms.pbc.all() and len(atoms) == 8]
    model = kff.ForceField(Sum([small(["Si"], roughness=1e-7), PairSpline(["Si"], cutoff=4.2)]))
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1)
    model.adapt(data)
    loss = {"energy_per_atom": kff.losses.LogCosh(p=20.0), "forces": kff.losses.LogCosh(p=2.0)}
    model.compile(keras.optimizers.Adam(0.01), loss=loss, jit_compile=True)
    before = model.potential.parts[0].filters.g.start
    losses = model.fit(data, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    # Roughness is part of the loss, and the filters are trained.
    assert len(model.losses) == 3
    assert np.abs(ops.convert_to_numpy(model.potential.parts[0].filters.g.coefficients) - before).max() > 1e-3
    model.save(tmp_path / "model.keras")
    for ours, theirs in zip(model.get_weights(), kff.load(tmp_path / "model.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow_on_tensorflow
def test_a_network_on_top_of_a_potential_starts_from_its_energies():
    below = StillingerWeber.silicon()
    filters = SplineFilters(4.0, 1, pairs=3, triplets=(2, 2), degree=2)
    above = SplineNetwork.on_top_of(below, filters=filters, network=LinearPlusMLP(11, units=(4,)))
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=0)
    found, expected = (Probe(one, atoms, rattle=0.0).evaluate([atoms])[0] for one in (above, below))
    np.testing.assert_allclose(found["forces"], expected["forces"], atol=1e-12)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((8, 3)))
    model = kff.ForceField(above)
    model.compile("adam", loss={"forces": "mse"})
    model.fit(kff.data.Dataset([atoms], model, batch_size=1), epochs=2, verbose=0)
    assert float(above.parts[1].slope) != 0
