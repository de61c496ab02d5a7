"""The repulsion at short range: how distances decide on it."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.run.core import closest_pairs, with_core
from keras_ff_tools.run.settings import Settings

CLOSE = Atoms("Si2", [[0, 0, 0], [0, 0, 1.0]])


def network():
    return kff.potentials.NeuralIL(["Si"], cutoff=3.5, n_max=1)


def test_the_shortest_distance_of_each_pair_is_found_through_the_cell_too():
    crystal, molecule = bulk("SiC", "zincblende", a=4.36), Atoms("C2Si", [[0, 0, 0], [0, 0, 1.3], [0, 2.1, 0]])
    expected = [[1.3, np.sqrt(3) / 4 * 4.36], [np.sqrt(3) / 4 * 4.36, 4.36 / np.sqrt(2)]]
    np.testing.assert_allclose(closest_pairs([crystal, molecule], ["C", "Si"]), expected, atol=1e-12)
    # One and a half times the sum of the radii, where there is none.
    np.testing.assert_allclose(closest_pairs([Atoms("Si")], ["Si"]), [[3.33]])


@pytest.mark.parametrize(
    ("core", "structures", "terms", "sentence"),
    [
        ("auto", [bulk("Si")], ["NeuralIL", "ZBL"], r"Si-Si 2.35 Å \(1.06\). The data show no close contacts"),
        ("auto", [bulk("Si"), CLOSE], ["NeuralIL"], r"None was added: .*Si-Si 1.00 Å \(0.45\)"),
        ("zbl", [bulk("Si"), CLOSE], ["NeuralIL", "ZBL"], "ZBL below the distances"),
        ("morse", [bulk("Si")], ["NeuralIL", "RepulsiveMorse"], "RepulsiveMorse within 3 Å, trained along"),
        ("none", [bulk("Si")], ["NeuralIL"], "^$"),
    ],
)
def test_a_network_has_the_core_that_its_data_need(core, structures, terms, sentence):
    potential, told = with_core(network(), Settings(train="a.xyz", core=core), structures)
    assert [type(term).__name__ for term in potential.terms()] == terms
    assert re.search(sentence, told), told


def test_a_classical_potential_has_one_only_where_it_is_asked_for():
    silicon = kff.potentials.StillingerWeber.silicon()
    assert with_core(silicon, Settings(train="a.xyz", potential="sw"), [bulk("Si")]) == (silicon, "")
    both, _ = with_core(silicon, Settings(train="a.xyz", potential="sw", core="zbl"), [bulk("Si")])
    assert len(both.terms()) == 2


def test_the_energy_rises_below_the_shortest_distance_with_the_core_and_falls_without():
    falling = kff.potentials.NeuralIL(["Si"], cutoff=3.5, n_max=2, seed=1)
    falling.energy_scale.assign(10.0)
    crystal = bulk("Si")
    shortest = closest_pairs([crystal], ["Si"])[0, 0]
    dimers = [Atoms("Si2", [[0, 0, 0], [0, 0, r]]) for r in np.linspace(shortest, 0.5, 38)]

    def energies(potential):
        model = kff.ForceField(potential)
        data = kff.data.Dataset(dimers, model, batch_size=len(dimers), shuffle=False)
        return model.predict(data, verbose=0)["energy"][:, 0]

    def fall(energies):
        """How far the energy falls on the way to shorter distances."""
        return np.max(np.maximum.accumulate(energies) - energies)

    alone = energies(falling)
    if alone[-1] > alone[0]:
        falling.slope.assign(-1.0)
        alone = -alone
    both = energies(with_core(falling, Settings(train="a.xyz"), [crystal])[0])
    assert fall(alone) > 1.0 and fall(both) < 0.1 * fall(alone) and both[-1] > both[0] + 100.0
