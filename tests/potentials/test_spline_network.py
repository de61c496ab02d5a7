"""Spline networks: laws, the features of their formula, repulsion that no network can overrule."""

import itertools

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff.geometry import Neighborhood
from keras_ff.layers import LinearPlusMLP, SplineFilters
from keras_ff.potentials import ZBL, PairSpline, SplineNetwork, Sum
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)


def small(species, **options):
    filters = SplineFilters(3.6, len(species), pairs=3, triplets=(2, 2), triplet_cutoff=3.0, knots=(6, 5), **options)
    return SplineNetwork(species, filters=filters, network=LinearPlusMLP(9, units=(4,)))


def test_laws_of_two_elements():
    potential = small(["Si", "C"])
    potential.filters.amplitudes.assign(np.random.default_rng(0).uniform(0.5, 1.5, size=(2, 7)))
    check_potential(potential, CARBIDE, smoothness=2)


def test_laws_of_the_pair_spline():
    potential = PairSpline(["Si", "C"], cutoff=3.6)
    potential.phi.values.assign(np.random.default_rng(0).normal(size=(12, 3)))
    check_potential(potential, CARBIDE, smoothness=2)


def test_features_are_those_of_the_formula():
    rng = np.random.default_rng(1)
    filters = SplineFilters(3.6, 2, pairs=2, triplets=(1, 2), triplet_cutoff=3.0, knots=(6, 5))
    for spline in (filters.rho, filters.f, filters.g):
        spline.values.assign(rng.normal(size=spline.start.shape))
    amplitudes = rng.normal(size=(2, 4))
    filters.amplitudes.assign(amplitudes)
    vectors, kinds = rng.normal(size=(4, 3)) * 1.5, np.array([0, 1, 1, 0])
    r = np.linalg.norm(vectors, axis=1)

    def fade(r, cutoff):
        x = np.minimum(r / cutoff, 1)
        return 1 - 10 * x**3 + 15 * x**4 - 6 * x**5

    rho, f = (np.asarray(ops.convert_to_numpy(spline(r))) for spline in (filters.rho, filters.f))
    rho = rho * (fade(r, 3.6) * (r < 3.6))[:, None] * amplitudes[kinds, :2]
    f = f * (fade(r, 3.0) * (r < 3.0))[:, None] * amplitudes[kinds, 2:]
    triplets = np.zeros(2)
    for j, k in itertools.combinations(range(4), 2):
        cosine = vectors[j] @ vectors[k] / r[j] / r[k]
        triplets += f[j] * f[k] * ops.convert_to_numpy(filters.g(np.array([cosine])))[0]
    neighborhood = Neighborhood(
        ops.convert_to_tensor(vectors[None]), ops.ones((1, 4), dtype="bool"), ops.zeros((1,), dtype="int32"),
        ops.convert_to_tensor(kinds[None].astype("int32")), 3.6,
    )  # fmt: skip
    np.testing.assert_allclose(ops.convert_to_numpy(filters(neighborhood))[0], [*rho.sum(0), *triplets], atol=1e-12)


def test_no_network_overrules_a_repulsion():
    """Features are bounded at short range: a network with large weights does not keep two atoms together."""
    network = small(["Si"])
    network.energy_scale.assign(20.0)
    dimers = [Atoms("Si2", [[0, 0, 0], [0, 0, r]]) for r in np.geomspace(0.01, 1.0, 12)]
    energies = [result["energy"] for result in Probe(Sum([network, ZBL(["Si"])]), dimers[0], rattle=0.0).evaluate(dimers)]
    assert np.all(np.diff(energies) < 0) and energies[0] > 1e4


def test_it_learns_in_fit(tmp_path):
    from lammps_reference import frames

    # Of two shapes: TensorFlow traces one function for both.
    structures = [atoms for atoms in frames("si_sw.xyz.gz") if atoms.pbc.all() and len(atoms) in (2, 8)]
    model = kff.ForceField(Sum([small(["Si"], roughness=1e-7), PairSpline(["Si"], cutoff=4.2)]))
    data = kff.data.Dataset(structures, model, batch_size=4)
    model.adapt(data)
    loss = {"energy_per_atom": kff.losses.LogCosh(p=20.0), "forces": kff.losses.LogCosh(p=2.0)}
    model.compile(keras.optimizers.Adam(0.01), loss=loss, jit_compile=True)
    before = model.potential.parts[0].filters.g.numbers()[0].copy()
    losses = model.fit(data, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    # Roughness is part of the loss, and the filters are trained.
    assert len(model.losses) == 3
    assert np.abs(model.potential.parts[0].filters.g.numbers()[0] - before).max() > 1e-3
    model.save(tmp_path / "model.keras")
    again = kff.load(tmp_path / "model.keras")
    same_order = kff.data.Dataset(structures, model, batch_size=4, max_shapes=1, shuffle=False)
    expected, found = (one.predict(same_order, verbose=0)["forces"] for one in (model, again))
    np.testing.assert_array_equal(expected, found)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="shortest < triplet_cutoff <= cutoff.*triplet_cutoff=6"):
        SplineFilters(5.0, triplet_cutoff=6.0)
    with pytest.raises(ValueError, match="There must be a filter"):
        SplineFilters(5.0, pairs=0, triplets=(0, 0))
