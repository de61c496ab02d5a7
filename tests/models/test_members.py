"""Single models in and out of ensembles."""

import keras
import pytest

import keras_ff as kff
from keras_ff.models import joined, member
from keras_ff.potentials import ZBL, NeuralIL, Sum

pytestmark = pytest.mark.usefixtures("float64")

MEMBERS = 3


def neuralil(members=MEMBERS, seed=0):
    return NeuralIL(["Cu", "Au"], cutoff=3.5, n_max=1, members=members, seed=seed)


@keras.saving.register_keras_serializable("test_members")
class WithClub(ZBL):
    """A class of a user, in whose configuration `members` and `dtype` are something else."""

    def __init__(self, species, club, **kwargs):
        super().__init__(species, **kwargs)
        self.club = dict(club)

    def get_config(self):
        return {**super().get_config(), "club": self.club}


def test_members_leave_the_arguments_of_other_classes_alone():
    club = {"members": 12, "dtype": "wood", "learned_noise": "loud"}
    ensemble = kff.Ensemble(Sum([neuralil(), WithClub(["Cu", "Au"], club)]))
    ensemble.potential.parts[0].network.trainable = False
    single = member(ensemble, 1)
    assert single.potential.parts[1].club == club and single.potential.parts[0].members is None
    assert {weight.path for weight in single.trainable_weights} == {
        weight.path for weight in single.weights if weight.name in ("slope", "intercept", "embedding")
    }
    again = joined([member(ensemble, index) for index in range(MEMBERS)])
    assert again.potential.parts[1].club == club and again.members == MEMBERS
    assert [weight.trainable for weight in again.weights] == [weight.trainable for weight in ensemble.weights]


def test_members_that_do_not_fit_together_are_refused():
    small, large = kff.ForceField(neuralil(None)), kff.ForceField(NeuralIL(["Cu", "Au"], cutoff=3.5, n_max=2))
    with pytest.raises(ValueError, match="Model 1 differs from model 0"):
        joined([small, large])
    other = kff.ForceField(neuralil(None, seed=1))
    other.reference_energies.assign([1.0, 2.0])
    with pytest.raises(ValueError, match="share .*reference_energies"):
        joined([small, other])
    for models in ([], [small], [small, kff.Ensemble(neuralil())]):
        with pytest.raises(ValueError, match="Two or more single models"):
            joined(models)
    with pytest.raises(ValueError, match="0 to 2"):
        member(kff.Ensemble(neuralil()), 3)
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        Sum([neuralil(2), neuralil(3)])
