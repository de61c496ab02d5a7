"""A network for each element on shared filters."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops
from lammps_reference import energies_of

import keras_ff as kff
from keras_ff.layers import SplineFilters
from keras_ff.potentials import ElementNetworks, SplineNetwork
from keras_ff.testing import check_potential

pytestmark = pytest.mark.usefixtures("float64")

CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)


@pytest.mark.slow_on_tensorflow
def test_laws_of_networks_of_elements():
    """Of filters whose functions of the angle are splines; test_spline_network.py has those of polynomials."""
    filters = SplineFilters(3.6, 2, pairs=3, triplets=(2, 2), triplet_cutoff=3.0, knots=(6, 5), degree=None)
    filters.amplitudes.assign(np.random.default_rng(0).uniform(0.5, 1.5, size=(2, 5)))
    potential = ElementNetworks(["Si", "C"], filters=filters, units=(4,))
    rng = np.random.default_rng(0)
    potential.adapt(rng.normal(size=(50, 9)), np.arange(50) % 2, np.array([0.5, 2.0]))
    assert not np.array_equal(*ops.convert_to_numpy(potential.projection))
    check_potential(potential, CARBIDE, smoothness=2)


def test_networks_of_elements_are_those_of_separate_models():
    """Atoms of one element see the network of that element alone; new elements take the filters over."""
    several = ElementNetworks(["Si", "Ge"], cutoff=4.0, units=(5,))
    several.filters.rho.values.assign(several.filters.rho.start + 0.1)
    filters = several.filters.for_species(1)
    np.testing.assert_array_equal(*[ops.convert_to_numpy(one.rho.values) for one in (several.filters, filters)])
    alone = SplineNetwork(["Ge"], filters=filters, network=several.networks[1], embedding=0)
    atoms = bulk("Ge", cubic=True)
    atoms.rattle(0.1, seed=0)
    both, one = (energies_of(potential, [atoms])[0] for potential in (several, alone))
    assert both == pytest.approx(one, rel=1e-12)
    filters.trainable = False
    trained = {id(weight) for weight in alone.trainable_weights}
    assert trained and not trained & {id(weight) for weight in filters.weights}


@pytest.mark.slow_on_tensorflow
def test_networks_of_elements_are_saved(tmp_path):
    model = kff.ForceField(ElementNetworks(["Si", "C"], cutoff=3.6, triplet_cutoff=3.0, units=(4,)))
    model.potential.slope.assign([1.5, 0.5])
    model.save(tmp_path / "model.keras")
    found, expected = (energies_of(one, [CARBIDE])[0] for one in (kff.load(tmp_path / "model.keras"), model))
    assert found == expected
    with pytest.raises(ValueError, match="made for 2 species.*'Ge'"):
        ElementNetworks(["Ge"], filters=model.potential.filters)
