"""Parts of models that stay as they are."""

import pytest

import keras_ff as kff
from keras_ff_tools.run.parts import freeze, parts_of, train_only, trained_and_frozen


def model():
    network = kff.potentials.NeuralIL(["Si"], cutoff=3.5, n_max=1)
    parts = [network, kff.potentials.StillingerWeber.silicon(train=["lam"]), kff.potentials.RepulsiveMorse(["Si"])]
    return kff.ForceField(kff.potentials.Sum(parts))


def test_a_model_has_parts_with_names():
    parts = parts_of(model())
    assert list(parts) == ["neuralil", "network", "embedding", "scale", "sw", "core"]
    assert [weight.name for weight in parts["core"]] == ["log_well_depth", "log_stiffness", "log_bond_length"]
    splines = kff.potentials.SplineNetwork(["Si"], filters=kff.layers.SplineFilters(3.5, pairs=2, triplets=(2, 2)))
    assert "descriptor" in parts_of(kff.ForceField(splines))
    assert list(parts_of(kff.ForceField(kff.potentials.RepulsiveMorse(["Si"])))) == ["repulsivemorse"]


def test_frozen_parts_have_no_weights_to_train_and_the_others_do():
    frozen = model()
    parts, trained = parts_of(frozen), {id(weight) for weight in frozen.trainable_weights}
    # The second time as in a model that was frozen in an earlier run.
    for names in (["embedding", "core"], ["core"]):
        freeze(frozen, names)
        left = {id(weight) for weight in frozen.trainable_weights}
        assert left == trained - {id(weight) for name in ("embedding", "core") for weight in parts[name]}
        assert {id(weight) for weight in parts["network"]} < left < trained


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["networks"], "neuralil, network, embedding, scale, sw, core. Received --freeze networks. Did you mean 'network'"),
        # Its functions are fixed.
        (["descriptor"], "Received --freeze descriptor"),
        (["neuralil", "sw", "core"], "Nothing is left to train"),
    ],
)
def test_other_names_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        freeze(model(), names)


def test_parameters_that_are_named_are_trained_and_those_of_networks_too():
    some = model()
    network = {id(weight) for weight in some.potential.parts[0].trainable_weights}
    train_only(some, ["A", "B"])
    assert [weight.name for weight in some.potential.parts[1].trainable_weights] == ["A", "B"]
    assert network < {id(weight) for weight in some.trainable_weights}
    with pytest.raises(ValueError, match=r"A, B, p, q. Received --train-parameters lamb. Did you mean 'lam'\?"):
        train_only(some, ["A", "lamb"])
    with pytest.raises(ValueError, match="The parameters of RepulsiveMorse are not chosen by name"):
        train_only(kff.ForceField(kff.potentials.RepulsiveMorse(["Si"])), ["A"])


def test_what_is_trained_is_said_by_name():
    classical = kff.ForceField(kff.potentials.StillingerWeber.silicon(train=["lam", "A"]))
    assert trained_and_frozen(classical).startswith("trained: lam, A (2 numbers); frozen: ")
    both = model()
    freeze(both, ["embedding"])
    told = trained_and_frozen(both)
    assert told.startswith("trained: neuralil network, neuralil scale, sw lam, RepulsiveMorse log_well_depth")
    assert "; frozen: neuralil embedding" in told
