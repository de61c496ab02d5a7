"""What a simulation, a property or a fit cannot begin with is a sentence."""

import pytest
from ase.build import bulk
from pymatgen.io.ase import AseAtomsAdaptor

import keras_ff as kff
from keras_ff.fitting import Fit, Target
from keras_ff.properties import CohesiveEnergy, relax
from keras_ff.simulation import NVE, Dynamics, Langevin, Rollout, Sampling


@pytest.fixture(scope="module")
def model():
    return kff.ForceField(kff.potentials.StillingerWeber.silicon(train=["epsilon"]))


def test_a_path_and_a_potential_are_no_force_field(model):
    crystal = bulk("Si")
    doors = [
        lambda given: Dynamics(given, crystal, NVE()),
        lambda given: Rollout(given, crystal, 2),
        lambda given: Sampling(given, crystal, Langevin(300)),
        lambda given: CohesiveEnergy(given, crystal),
        lambda given: relax(given, crystal),
    ]
    for door in doors:
        with pytest.raises(TypeError, match=r"Received a str; make one with keras_ff.load"):
            door("silicon.keras")
        with pytest.raises(TypeError, match=r"Received a StillingerWeber; make one with keras_ff.ForceField\(potential\)"):
            door(model.potential)


def test_structures_of_pymatgen_and_other_ensembles(model):
    structure = AseAtomsAdaptor.get_structure(bulk("Si"))
    assert len(Dynamics(model, structure, NVE()).atoms) == 2
    for simulation in (Dynamics, Sampling, lambda *args: Rollout(*args[:2], 2, args[2])):
        with pytest.raises(TypeError, match=r"An ensemble is NVE\(\), .* Received 'langevin'"):
            simulation(model, structure, "langevin")


def test_a_target_of_another_model_is_refused(model):
    other = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    with pytest.raises(ValueError, match=r"The targets \['cohesion'\] are of another model"):
        Fit(model, {"cohesion": Target(CohesiveEnergy(other, bulk("Si")), -4.6)})
