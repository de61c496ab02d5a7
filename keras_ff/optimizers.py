"""Optimizers that Keras lacks: learning rates of their own for groups of weights."""

import keras


@keras.saving.register_keras_serializable("keras_ff")
class GroupedAdam(keras.optimizers.Adam):
    """Adam optimizer with different learning rates for some layers, for fine-tuning.

        GroupedAdam(1e-3, groups=[(model.potential.network, 0.1)])

    Weights that are not to change at all are frozen instead: `layer.trainable = False`.

    Args:
        learning_rate: Learning rate, a number or a schedule of Keras.
        groups: List of pairs of a layer and a factor by which the learning rate of its weights is multiplied. For a weight in
            several groups the factors are multiplied.
        rates: Factors of all weights in the order of `model.trainable_variables`, as a saved file holds them; leave it out.
        **kwargs: Other arguments of `keras.optimizers.Adam`.

    Raises:
        ValueError: If a factor is negative or, in `fit`, if a group has no trainable weight.

    Example:
        >>> import keras_ff as kff
        >>> model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1), keras.layers.Dense(1)])
        >>> optimizer = kff.training.GroupedAdam(1e-3, groups=[(model.layers[0], 0.1)])
        >>> optimizer.build(model.trainable_variables)
        >>> optimizer.rates
        [0.1, 0.1, 1.0, 1.0]
    """

    # keras.optimizers.MultiOptimizer tells weights apart by their paths, which need not be unique, clips the gradients of each
    # group by its own norm, and takes one schedule for each.

    def __init__(self, learning_rate=1e-3, groups=(), rates=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        # The layers are not parts of the optimizer: Keras would save them with it.
        self._groups = tuple((layer.name, tuple(id(weight) for weight in layer.weights), factor) for layer, factor in groups)
        self.rates = rates
        if any(factor < 0 for *_, factor in self._groups):
            raise ValueError(f"Factors of learning rates are not negative. Received {[factor for *_, factor in self._groups]}.")

    def build(self, variables):
        """Make the variables of the optimizer, and find the factor of each weight."""
        super().build(variables)
        if self.rates is None:
            self.rates = [1.0] * len(variables)
            for name, members, factor in self._groups:
                chosen = [id(variable) in members for variable in variables]
                if not any(chosen):
                    paths = [variable.path for variable in variables]
                    raise ValueError(f"The group of the layer {name!r} has no weight that is trained. These are {paths}.")
                self.rates = [rate * (factor if inside else 1.0) for rate, inside in zip(self.rates, chosen)]

    def update_step(self, gradient, variable, learning_rate):
        """Update one weight with its own learning rate."""
        # Private API of Keras, which finds the moments of a variable in the same way: without it no step can be made.
        super().update_step(gradient, variable, learning_rate * self.rates[self._get_variable_index(variable)])

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {**super().get_config(), "rates": self.rates and list(self.rates)}
