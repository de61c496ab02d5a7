"""Helpers of both backends."""

import pytest

from keras_ff.backend.shared import some_of, wraps


def test_the_first_devices_are_taken_and_all_by_default():
    assert some_of(["a", "b", "c"], None) == ["a", "b", "c"] and some_of(["a", "b", "c"], 2) == ["a", "b"]
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"Received devices={count}, and there are 3"):
            some_of(["a", "b", "c"], count)


def test_a_decorated_layer_gives_its_name_and_not_its_attributes():
    class Layer:
        """Doubles."""

        def __init__(self):
            self.__name__, self.weight = "doubled", 3.0

        def __call__(self, x):
            return 2 * x

    @wraps(Layer())
    def function(x):
        return x

    assert function.__name__ == "doubled" and function.__doc__ == "Doubles." and not hasattr(function, "weight")
