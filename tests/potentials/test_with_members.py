"""Single potentials in and out of committees."""

import pytest

from keras_ff.potentials import NeuralIL, RepulsiveMorse
from keras_ff.potentials.with_members import joined, member, members_of


def test_a_potential_without_the_role_is_a_member_of_any_committee():
    repulsion = RepulsiveMorse(["Si"], cutoff=3.0)
    assert members_of(repulsion) is None
    copy = member(repulsion, 2)
    assert copy is not repulsion and copy.get_config() == repulsion.get_config()
    other = RepulsiveMorse(["Si"], cutoff=3.0)
    other.weights[0].assign(other.weights[0] + 1.0)
    with pytest.raises(ValueError, match="which differs between the models"):
        joined([repulsion, other])


def test_joined_members_are_the_potentials():
    potentials = [NeuralIL(["Si"], cutoff=3.0, n_max=1, seed=seed) for seed in (0, 1)]
    committee = joined(potentials)
    assert members_of(potentials[0]) is None and members_of(committee) == 2
    for index, potential in enumerate(potentials):
        one = member(committee, index)
        assert members_of(one) is None
        for mine, its in zip(one.get_weights(), potential.get_weights(), strict=True):
            assert mine.tolist() == its.tolist()
