"""Compiled functions that are kept with their model."""

import zipfile
from io import BytesIO

import h5py
import numpy as np
from ase.build import bulk

import keras_ff as kff
from keras_ff.compiled import compiled
from keras_ff.potentials import RepulsiveMorse, StillingerWeber


class Counted(StillingerWeber):
    """Counts how often its energies are traced, and multiplies them with a number that is no weight."""

    count, factor = 0, 1.0

    def call(self, neighborhood):
        Counted.count += 1
        return self.factor * super().call(neighborhood)


def test_a_second_calculator_and_relaxation_trace_nothing_and_follow_weights_and_potential():
    atoms = bulk("Si")
    model = kff.ForceField(Counted.silicon())

    def energy():
        copy = atoms.copy()
        copy.calc = kff.Calculator(model)
        return copy.get_potential_energy()

    first = energy()
    kff.properties.relax(model, atoms, cell=False)
    traced = Counted.count
    again = energy()
    kff.properties.relax(model, atoms, cell=False)
    assert (again, Counted.count) == (first, traced)
    model.reference_energies.assign([1.0])
    np.testing.assert_allclose(energy(), first + 2.0, rtol=1e-6)
    assert Counted.count == traced
    model.potential.factor = 2.0
    np.testing.assert_allclose(energy(), 2.0 * first + 2.0, rtol=1e-6)
    before = compiled(model, kff.ForceField.atomic)
    model.potential = RepulsiveMorse(["Si"], cutoff=3.0)
    assert compiled(model, kff.ForceField.atomic) is not before
    np.testing.assert_allclose(energy(), _alone(model.potential, atoms) + 2.0, rtol=1e-6)


def test_a_model_that_was_compiled_is_saved_as_any_other(tmp_path):
    model, found = kff.ForceField(StillingerWeber.silicon()), []
    for number in range(2):
        file = tmp_path / f"{number}.keras"
        model.save(file)
        with zipfile.ZipFile(file) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as weights:
            found.append([])
            weights.visit(found[-1].append)
        compiled(model, kff.ForceField.atomic)
    assert found[0] == found[1] and found[0]


def _alone(potential, atoms):
    copy = atoms.copy()
    copy.calc = kff.Calculator(potential)
    return copy.get_potential_energy()
