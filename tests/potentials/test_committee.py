"""Committees of potentials that share nothing."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.data import Dataset
from keras_ff.layers import SplineFilters
from keras_ff.models import member
from keras_ff.potentials import BKS, ZBL, Committee, ElementNetworks, NeuralIL, StillingerWeber, Sum

pytestmark = pytest.mark.usefixtures("float64")


def committee():
    filters = SplineFilters(4.5, n_species=1, pairs=3, triplets=(2, 2), degree=2)
    networks = ElementNetworks(["Si"], filters=filters, units=(8,))
    return Committee([StillingerWeber.silicon(), NeuralIL(["Si"], cutoff=3.0, n_max=1), networks])


def outputs(model):
    structures = [bulk("Si", a=5.4), bulk("Si", a=5.5, cubic=True)]
    for atoms in structures:
        atoms.positions += np.random.default_rng(len(atoms)).normal(scale=0.1, size=atoms.positions.shape)
    batch, _ = Dataset(structures, model, batch_size=2, shuffle=False, max_shapes=1)[0]
    return {
        name: ops.convert_to_numpy(value) for name, value in backend.jit(lambda batch: model(batch), layer=model)(batch).items()
    }


@pytest.mark.slow_on_tensorflow
def test_outputs_are_the_means_and_spreads_of_its_members_also_from_a_file(tmp_path):
    """Beside the committee stands a repulsion that all members share."""
    ensemble = kff.Ensemble(Sum([committee(), ZBL(["Si"])]))
    found, each = outputs(ensemble), [outputs(member(ensemble, index)) for index in range(3)]
    for name in ("energy", "forces", "stress"):
        values = np.stack([one[name] for one in each])
        np.testing.assert_allclose(found[name], values.mean(axis=0), rtol=1e-9, atol=1e-9)
        spread = values.std(axis=0, ddof=1)
        spread = np.sqrt(np.mean(spread**2, axis=-1, keepdims=True)) if name == "forces" else spread
        np.testing.assert_allclose(found[f"{name}_std"], spread, rtol=1e-7, atol=1e-9)
    assert type(member(ensemble, 0).potential.parts[0]) is StillingerWeber and found["forces_std"].max() > 0.1
    ensemble.save(tmp_path / "committee.keras")
    for name, value in outputs(kff.load(tmp_path / "committee.keras")).items():
        np.testing.assert_array_equal(value, found[name])


def test_members_that_do_not_fit_together_are_named():
    with pytest.raises(ValueError, match="two or more potentials. Received 1"):
        Committee([StillingerWeber.silicon()])
    with pytest.raises(ValueError, match=r"same species in the same order. Received \['Si'\] \(StillingerWeber\) and \['Ge'\]"):
        Committee([StillingerWeber.silicon(), NeuralIL(["Ge"], n_max=1)])
    for part in (NeuralIL(["Si"], n_max=1, members=2), Sum([ZBL(["Si"])]), BKS.silica()):
        with pytest.raises(ValueError, match="single potentials, not of long range"):
            Committee([part, part])
