"""Optimizers that Keras lacks: learning rates of their own for groups of weights."""

import keras


@keras.saving.register_keras_serializable("keras_ff")
class GroupedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with other learning rates for some weights, as fine-tuning wants them.

        GroupedAdam(1e-3, groups=[(model.potential.network, 0.1)])

    Weights that are not to change at all are frozen instead: `layer.trainable = False`.

    Args:
        learning_rate: Number or schedule.
        groups: List of pairs of a layer and the factor of the learning rate of its weights. Those of several groups that a weight
            belongs to are multiplied.
        rates: Factors of all weights in their order, in place of groups: how a file knows.
        kwargs: Of `keras.optimizers.Adam`.

    Raises:
        ValueError: If a factor is negative. In `fit`, if a group has no weight that is trained.
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
        # Private API of Keras, which finds the moments of a variable in the same way: without it no step can be made.
        super().update_step(gradient, variable, learning_rate * self.rates[self._get_variable_index(variable)])

    def get_config(self):
        return {**super().get_config(), "rates": self.rates and list(self.rates)}
