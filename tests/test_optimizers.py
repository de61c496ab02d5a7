"""Learning rates of groups of weights."""

import keras
import numpy as np
import pytest

from keras_ff.optimizers import GroupedAdam


def model():
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(3, name="old", kernel_initializer="ones")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="new", kernel_initializer="ones")(hidden))


def steps(groups):
    """What the first step of Adam does to the kernels: its learning rate, in the direction of the sign of the gradient."""
    found = model()
    optimizer = GroupedAdam(1e-2, [(found if name == "both" else found.get_layer(name), factor) for name, factor in groups])
    before = [np.array(layer.kernel) for layer in found.layers[1:]]
    found.compile(optimizer, loss="mse")
    found.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
    return [np.array(layer.kernel) - kernel for layer, kernel in zip(found.layers[1:], before)], found


def test_a_step_has_the_rate_of_its_group_also_from_a_file(tmp_path):
    (old, new), trained = steps([("old", 0.1)])
    np.testing.assert_allclose(old, -1e-3, rtol=1e-3)
    np.testing.assert_allclose(new, -1e-2, rtol=1e-3)
    trained.save(tmp_path / "model.keras")
    optimizer = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert type(optimizer) is GroupedAdam and list(optimizer.rates) == [0.1, 0.1, 1.0, 1.0]


def test_factors_of_groups_multiply():
    (old, new), _ = steps([("old", 0.1), ("both", 0.5)])
    np.testing.assert_allclose([old[0, 0], new[0, 0]], [-5e-4, -5e-3], rtol=1e-3)


def test_groups_that_cannot_be_are_named():
    found = model()
    found.compile(GroupedAdam(groups=[(keras.layers.Dense(1, name="other"), 0.1)]), loss="mse")
    with pytest.raises(ValueError, match=r"layer 'other' has no weight that is trained. These are \['old/kernel'"):
        found.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
    with pytest.raises(ValueError, match="not negative"):
        GroupedAdam(groups=[(found, -1.0)])
