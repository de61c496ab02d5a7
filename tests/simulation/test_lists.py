"""Simulations whose lists are made by the compiled loop, as on an accelerator, beside those with lists of the host."""

import numpy as np
import pytest
from ase import Atoms

import keras_ff as kff
from keras_ff import backend
from keras_ff.models import chunks
from keras_ff.potentials import StillingerWeber
from keras_ff.simulation import NPT, NVE, Dynamics, Langevin, lists
from keras_ff.simulation.lists import DeviceLists, HostLists

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def device(monkeypatch):
    """A function that makes what follows compute as on an accelerator."""

    def begin():
        monkeypatch.setattr(backend, "accelerated", lambda: True)

    return begin


@pytest.mark.parametrize("ensemble", [NVE(), pytest.param(NPT(3000.0), marks=pytest.mark.slow_on_tensorflow)], ids=["NVE", "NPT"])
def test_the_trajectory_is_that_with_lists_of_the_host(model, silicon, ensemble, device):
    """Hot, so that lists are renewed every few steps and atoms leave the cell, which is smaller than the cutoff."""
    atoms = silicon.copy()
    atoms.set_velocities(np.random.default_rng(0).normal(scale=0.25, size=(8, 3)))
    runs = []
    for begin in (lambda: None, device):
        begin()
        dynamics = Dynamics(model, atoms, ensemble, skin=0.3, seed=4)
        assert type(dynamics._lists) is (DeviceLists if backend.accelerated() else HostLists)
        runs.append([dynamics.run(steps, every=7, verbose=0) for steps in (61, 30)])
    for host, own in zip(*runs, strict=True):
        assert len(host) == len(own) > 3
        np.testing.assert_allclose(own.positions, host.positions, rtol=0, atol=1e-7)
        np.testing.assert_allclose(own.energies, host.energies, rtol=0, atol=1e-7)
        np.testing.assert_allclose(own.cells, host.cells, rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
def test_lists_grow_until_they_are_complete(model, silicon, device, monkeypatch):
    """A crystal that is compressed has more neighbors than the first list had room for."""
    device()
    monkeypatch.setattr(lists, "MANY", 4)
    dynamics = Dynamics(model, silicon, Langevin(300.0), skin=0.4)
    dynamics.run(5, verbose=0)
    first = dynamics._lists.key
    dynamics.atoms.set_cell(0.86 * dynamics.atoms.cell, scale_atoms=True)
    energy = dynamics.run(5, every=1, verbose=0).energies[-1]
    assert dynamics._lists.key.neighbors > first.neighbors and len(dynamics._compiled) == 2
    dynamics.atoms.calc = kff.Calculator(model)
    assert dynamics.atoms.get_potential_energy() == pytest.approx(energy, abs=1e-9)


@pytest.mark.slow_on_tensorflow
def test_atoms_at_the_same_position_are_named(model, device, monkeypatch):
    device()
    monkeypatch.setattr(lists, "MANY", 1)
    together = Atoms("Si3", [[0.0, 0.0, 0.0], [2.4, 0.0, 0.0], [2.4, 0.0, 0.0]], cell=[9.0] * 3, pbc=True)
    with pytest.raises(ValueError, match="Atom 1 and atom 2 are"):
        Dynamics(model, together, NVE()).run(1, verbose=0)


def test_chunks_of_an_accelerator_are_larger():
    assert chunks.CHUNK[True] > 100 * chunks.CHUNK[False] and chunks.PAIRS[True] > chunks.PAIRS[False]
    assert not backend.accelerated() and backend.peak_memory() is None
    assert StillingerWeber.silicon().intermediates(20) * chunks.CHUNK[True] < chunks.PAIRS[True]
