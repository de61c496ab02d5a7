"""Callbacks that Keras lacks: validation of averaged weights, and an error when the loss is NaN."""

import contextlib
import math

import keras
from keras import ops


def has_average(model):
    """Return whether the optimizer of a model keeps a running average of the weights (`use_ema=True`).

    Args:
        model: Keras model, compiled or not.

    Example:
        >>> import keras_ff as kff
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizer=keras.optimizers.Adam(1e-3, use_ema=True), loss="mse")
        >>> kff.training.has_average(model)
        True
    """
    return any(getattr(part, "use_ema", False) for part in _optimizers(model))


@contextlib.contextmanager
def averaged_weights(model):
    """Context in which the weights of a model are their running averages.

    Afterwards they are what they were, bit for bit. Nothing changes if the
    optimizer keeps no average or has taken no step yet.

        with averaged_weights(model):
            model.save("averaged.keras")

    Args:
        model: Keras model, compiled with an optimizer such as `Adam(..., use_ema=True)`.
    """
    own = _put_averages(model)
    try:
        yield
    finally:
        _put_back(own)


class EvaluateAverage(keras.callbacks.Callback):
    """Callback that validates the running average of the weights, not the weights of the last step.

    With `use_ema=True` Keras trains the weights, validates the weights, and
    replaces them by their average when `fit` ends: the model that is returned
    was never validated. With this callback `val_loss` and the other validation
    metrics are those of the average; `BestModel` saves the same.

        model.compile(optimizer=keras.optimizers.Adam(1e-3, use_ema=True), loss=...)
        model.fit(data, validation_data=validation, callbacks=[EvaluateAverage(), BestModel("best.keras")])

    `keras.callbacks.SwapEMAWeights` does this too, but rounds the weights at
    each swap on TensorFlow, and with `swap_on_epoch` leaves the weights that
    are not averaged in the model when training stops early. For the same reason
    do not use `EarlyStopping(restore_best_weights=True)` with an average: it
    keeps weights that are not averaged. Load the file of `BestModel` instead.

    Raises:
        ValueError: When training begins, if the optimizer keeps no average.
    """

    def __init__(self):
        super().__init__()
        self._own = []

    def on_train_begin(self, logs=None):
        """Check that the optimizer keeps an average."""
        if not has_average(self.model):
            raise ValueError(
                "EvaluateAverage needs an optimizer that averages the weights, such as "
                f"keras.optimizers.Adam(1e-3, use_ema=True, ema_momentum=0.99). Received {self.model.optimizer!r}."
            )

    def on_train_end(self, logs=None):
        """Separate the weights from their average, which Keras has made one array."""
        separate_averages(self.model)

    def on_test_begin(self, logs=None):
        """Give the model the averages."""
        self._own = _put_averages(self.model)

    def on_test_end(self, logs=None):
        """Give the model its own weights again."""
        _put_back(self._own)
        self._own = []


class StopOnNaN(keras.callbacks.Callback):
    """Callback that ends the training with an error, which names the usual causes, when the loss is NaN or infinite.

    The `fit` of a `ForceField` has it already; it also names the structures and keeps good weights.

    `keras.callbacks.TerminateOnNaN` stops without an error, and the weights that
    are not numbers are saved.

    Raises:
        FloatingPointError: After a batch whose loss is not finite.

    Example:
        >>> import keras_ff as kff
        >>> kff.training.StopOnNaN().on_train_batch_end(0, {"loss": float("nan")})
        Traceback (most recent call last):
            ...
        FloatingPointError: The loss became nan at or shortly before batch 1 of epoch 1. ...
    """

    # Keras may call this from another thread and need not wait for each step, so that a later batch can be the first to tell.
    async_safe = True

    def __init__(self):
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Raise an error if the loss of the batch is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            where = f"at or shortly before batch {batch + 1} of epoch {self._epoch + 1}"
            raise FloatingPointError(explain_nan(f"The loss became {loss} {where}."))


def explain_nan(what):
    """Return the text of an error about NaN: what happened, and the usual causes."""
    return (
        f"{what} What was saved after earlier epochs is good. Usual causes, in this order: "
        "a learning rate that is too high (divide it by 10, or give the optimizer clipnorm=1.0); labels with "
        "extreme values or in other units than eV, Å and eV/Å^3 (look at the largest forces); atoms almost on "
        "top of each other; a model that was not adapted to the data (model.adapt(dataset))."
    )


def separate_averages(model):
    """Give weights that are one array in memory with their average an array of their own.

    At the end of `fit` Keras makes the averages the weights. On JAX both are then one array, which the next compiled step
    consumes: `evaluate` would destroy the average, `save` and a second `fit` would fail. The numbers stay as they are.

    Args:
        model: Keras model, compiled or not.
    """
    for variable, average in _averages(model):
        if variable.value is average.value:
            variable.assign(ops.copy(ops.convert_to_tensor(average)))


def _averages(model):
    """Pairs of a variable and its average; none before the first step, which fills them.

    Private API of Keras: `finalize_variable_values` puts averages in the place of variables, and nothing public gives them. Without
    the two lists `EvaluateAverage` and `BestModel` cannot use the averages; the training itself can.
    """
    return [
        (variable, average)
        for part in _optimizers(model)
        if getattr(part, "use_ema", False) and part.built and int(ops.convert_to_numpy(part.iterations)) > 0
        for variable, average in zip(part._trainable_variables, part._model_variables_moving_average)
        if average is not None
    ]


def _put_averages(model):
    """Give the variables their averages; returns the variables with their own values."""
    pairs = _averages(model)
    # Copies: a compiled step on JAX reuses the memory of the variables it is given.
    own = [(variable, ops.copy(ops.convert_to_tensor(variable))) for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(ops.copy(ops.convert_to_tensor(average)))
    return own


def _put_back(own):
    for variable, value in own:
        variable.assign(value)


def _optimizers(model):
    """The optimizers that apply updates, inside loss scaling or a group of optimizers."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return [] if optimizer is None else list(getattr(optimizer, "optimizers", [optimizer]))
