"""Losses that leave out missing labels.

A missing label is NaN: the stress of a structure that only has an energy, or the
forces of the atoms that pad a batch. These losses average over the labels that exist.
"""

import math

import keras
from keras import ops

from keras_ff import backend
from keras_ff.arguments import positive

_LN2 = math.log(2.0)


def copied(loss: keras.losses.Loss) -> keras.losses.Loss:
    """Copy of a loss with the same attributes; `copy.copy` makes Keras write and read a file.

    Args:
        loss: Any loss of Keras.
    """
    copy = object.__new__(type(loss))
    copy.__dict__.update(loss.__dict__)
    return copy


class LabelLoss(keras.losses.Loss):
    """Base class of losses that average a penalty over the finite labels of a batch.

    Subclasses implement `penalty`. A missing label (NaN) changes neither the value
    nor the gradient, whatever the model predicts there; without any label the loss
    is 0. The mean runs over labels, not structures: each force component of a
    batch counts the same.

    Sample weights are one number for each structure, of shape (structures,) or
    (structures, 1), or one for each label. They weight the mean: the sum of the
    weighted penalties is divided by the sum of the weights of existing labels.
    In `fit` and `evaluate` it is divided by the number of existing labels, so that
    the weight of a structure does not depend on those of the others in its batch.

    Args:
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.
    """

    def __init__(self, name=None, dtype=None):
        # This reduction divides by the sum of the weights; Keras' default
        # divides by the number of values, padding included.
        super().__init__(name=name, reduction="mean_with_sample_weight", dtype=dtype)
        self.given_dtype = dtype

    # Whether the prediction has its variance as one more component at the end.
    takes_variance = False

    # Whether the divisor is the number of labels, and not the sum of their weights.
    divides_by_number = False

    def of_data(self):
        """Return the loss as models use it: a copy that divides by the number of labels, also where these have weights."""
        copy = copied(self)
        copy.divides_by_number = True
        return copy

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        raise NotImplementedError

    def exists(self, y_true):
        """Return which labels exist, a boolean tensor whose shape broadcasts to that of `y_true`."""
        return ops.isfinite(y_true)

    def call(self, y_true, y_pred):
        """Compute the penalty of each label, from labels and predictions without NaN."""
        return self.penalty(y_pred - y_true)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return the weighted mean of the penalties over the labels that exist, a scalar tensor.

        Args:
            y_true: Labels `(structures, ...)`; NaN where there is none.
            y_pred: Predictions in the same shape.
            sample_weight: Weights of structures or labels, as described in the class.
        """
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        exists = self.exists(y_true)
        weights = ones = ops.cast(exists, self.dtype)
        if sample_weight is not None:
            weights = weights * with_trailing_axes(ops.convert_to_tensor(sample_weight, dtype=self.dtype), weights)
        # Before the penalty: a `where` around it would still give NaN gradients.
        y_true = ops.where(exists, y_true, ops.zeros_like(y_true))
        y_pred = ops.where(exists, y_pred, ops.zeros_like(y_pred))
        loss = super().__call__(y_true, y_pred, sample_weight=weights)
        # Where devices compute parts of a batch, the mean of their means is not that of all labels: parts have different numbers.
        divisor = backend.mean_over_replicas(ops.sum(ones if self.divides_by_number else weights))
        return loss * (ops.sum(weights) / ops.where(divisor > 0, divisor, ops.ones_like(divisor)))

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"name": self.name, "dtype": self.given_dtype}


@keras.saving.register_keras_serializable("keras_ff")
class LogCosh(LabelLoss):
    """Log-cosh loss: `p / 2` times the squared error for small errors, the absolute error for large ones.

        L_p(x) = (softplus(2 p x) - ln 2) / p - x = ln(cosh(p x)) / p

    It has the unit of the label. The loss that NeuralIL was published with is

        loss={"energy_per_atom": LogCosh(p=1 / 0.020), "forces": ForceNorm(LogCosh(p=1 / 0.200))},
        loss_weights={"energy_per_atom": 0.5, "forces": 0.5},

    and `{"forces": LogCosh(p=10.0)}` where only forces are trained.

    Args:
        p: Inverse of the error at which the parabola turns into a line, in the
            inverse unit of the label: 1/eV for energies, Å/eV for forces.
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Raises:
        ValueError: If `p` is not a positive number.

    Example:
        >>> import keras_ff as kff
        >>> loss = kff.losses.LogCosh(p=10.0)
        >>> round(float(loss([[0.0, 0.0, float("nan")]], [[0.5, -0.5, 7.0]])), 4)
        0.4307

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022), arXiv 2106.16220.
    """

    def __init__(self, p, name="log_cosh", dtype=None):
        super().__init__(name=name, dtype=dtype)
        positive("p", p)
        self.p = p

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        size = ops.abs(error) * self.p
        near = size < 1.0
        # ln cosh u = -ln(1 - tanh(u)^2) / 2 keeps its digits near zero, where
        # the form of the paper is a difference of two numbers close to ln 2,
        # and |u| + ln(1 + exp(-2 |u|)) - ln 2 does not overflow far out.
        growth = ops.expm1(2.0 * ops.where(near, size, ops.zeros_like(size)))
        tanh = growth / (growth + 2.0)
        far = ops.where(near, ops.ones_like(size), size)
        value = ops.where(near, -0.5 * ops.log1p(-tanh * tanh), far + ops.log1p(ops.exp(-2.0 * far)) - _LN2)
        return value / self.p

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"p": self.p, **super().get_config()}


@keras.saving.register_keras_serializable("keras_ff")
class Huber(LabelLoss):
    """Huber loss: half the squared error up to `delta`, a line of the same slope beyond.

    Args:
        delta: Error at which the parabola turns into a line, in the unit of the
            label: eV for energies, eV/Å for forces.
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Raises:
        ValueError: If `delta` is not a positive number.

    Example:
        >>> import keras_ff as kff
        >>> loss = kff.losses.Huber(delta=1.0)
        >>> float(loss([[0.0]], [[1.0]])), float(loss([[0.0]], [[3.0]]))
        (0.5, 2.5)

    Reference:
        Huber, Ann. Math. Statist. 35, 73 (1964).
    """

    def __init__(self, delta, name="huber", dtype=None):
        super().__init__(name=name, dtype=dtype)
        positive("delta", delta)
        self.delta = delta

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        size = ops.abs(error)
        core = ops.minimum(size, self.delta)
        return core * (size - 0.5 * core)

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"delta": self.delta, **super().get_config()}


@keras.saving.register_keras_serializable("keras_ff")
class MSE(LabelLoss):
    """Mean squared error of the labels that exist, in the squared unit of the label.

    Args:
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Example:
        >>> import keras_ff as kff
        >>> float(kff.losses.MSE()([[0.0, 0.0, float("nan")]], [[1.0, 2.0, 9.0]]))
        2.5
    """

    def __init__(self, name="mse", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        return error * error


@keras.saving.register_keras_serializable("keras_ff")
class MAE(LabelLoss):
    """Mean absolute error of the labels that exist, in the unit of the label.

    Args:
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Example:
        >>> import keras_ff as kff
        >>> float(kff.losses.MAE()([[0.0, 0.0, float("nan")]], [[1.0, 2.0, 9.0]]))
        1.5
    """

    def __init__(self, name="mae", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def penalty(self, error):
        """Compute the penalty of each error, in the shape of `error`."""
        # Not `abs`: its slope at zero is 1 on JAX.
        return error * ops.sign(error)


@keras.saving.register_keras_serializable("keras_ff")
class GaussianNLL(LabelLoss):
    """Negative log-likelihood of normally distributed errors, for models that predict their own variance.

    Such a model is an `Ensemble` with `learned_noise`. The loss of a label is

        variance^beta * (error² / variance + ln variance) / 2

    where error² is the mean over the components of the label. The factor in front counts as a constant in derivatives. With
    beta = 0 this is the likelihood, whose gradient is small where the variance is large, so that bad predictions remain bad; with
    beta = 1 the prediction learns as from squared errors.

    The prediction has the variance as one more component at the end.

    Args:
        beta: Exponent of the factor, from 0 to 1.
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Raises:
        ValueError: If `beta` is not between 0 and 1.

    Example:
        An energy that is wrong by 2, with a predicted variance of 4:

        >>> import keras_ff as kff
        >>> loss = kff.losses.GaussianNLL(beta=0.0)
        >>> round(float(loss([[0.0]], [[2.0, 4.0]])), 4)
        1.1931

    Reference:
        Nix and Weigend, Proc. IEEE Int. Conf. Neural Networks 1994, 55; Seitzer et al., ICLR 2022, arXiv 2203.09168, eq. 6.
    """

    takes_variance = True

    def __init__(self, beta=0.5, name="gaussian_nll", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if not 0 <= beta <= 1:
            raise ValueError(f"beta is from 0 to 1. Received beta={beta}.")
        self.beta = beta

    def exists(self, y_true):
        """Return which labels have all components, a boolean tensor with a last axis of length 1."""
        return ops.all(ops.isfinite(y_true), axis=-1, keepdims=True)

    def call(self, y_true, y_pred):
        """Compute the loss of each label, averaged over its components, with a last axis of length 1."""
        error, variance = y_pred[..., :-1] - y_true, y_pred[..., -1:]
        # Where there is no label there is no variance.
        variance = ops.where(variance > 0, variance, ops.ones_like(variance))
        squared = ops.sum(error * error, axis=-1, keepdims=True) / error.shape[-1]
        return 0.5 * ops.stop_gradient(variance) ** self.beta * (squared / variance + ops.log(variance))

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"beta": self.beta, **super().get_config()}


@keras.saving.register_keras_serializable("keras_ff")
class ForceNorm(LabelLoss):
    """Loss of the length of the force error of each atom, |F - F_true|.

    Unlike a loss of the three components it does not depend on the orientation
    of the structure. The mean runs over the atoms that have all three components.

    Args:
        loss: Loss that is applied to the length, such as `LogCosh(p=5.0)`.
        name: Name of the loss in logs.
        dtype: Data type of the computation; by default that of the model that is compiled with the loss.

    Raises:
        TypeError: If `loss` is not one of LogCosh, Huber, MSE and MAE.

    Example:
        >>> import keras_ff as kff
        >>> loss = kff.losses.ForceNorm(kff.losses.MAE())
        >>> float(loss([[[0.0, 0.0, 0.0]]], [[[3.0, 4.0, 0.0]]]))
        5.0
    """

    def __init__(self, loss, name="force_norm", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if not isinstance(loss, LabelLoss) or isinstance(loss, ForceNorm):
            raise TypeError(
                f"ForceNorm takes one of LogCosh, Huber, MSE and MAE, as in ForceNorm(LogCosh(p=5.0)). Received loss={loss!r}."
            )
        self.loss = loss

    def exists(self, y_true):
        """Return which atoms have all force components, a boolean tensor with a last axis of length 1."""
        return ops.all(ops.isfinite(y_true), axis=-1, keepdims=True)

    def penalty(self, error):
        """Compute the penalty of the length of each error, with a last axis of length 1."""
        squared = ops.sum(error * error, axis=-1, keepdims=True)
        # The square root has no derivative at zero.
        zero = squared == 0.0
        norm = ops.sqrt(ops.where(zero, ops.ones_like(squared), squared))
        return self.loss.penalty(ops.where(zero, ops.zeros_like(norm), norm))

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        return {"loss": keras.saving.serialize_keras_object(self.loss), **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """Make the loss anew from what `get_config` returned."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


def with_trailing_axes(weights, values):
    """Sample weights with axes of length 1 at the end, up to the rank of `values`.

    Raises:
        ValueError: If they have more axes than `values`.
    """
    missing = len(values.shape) - len(weights.shape)
    if missing < 0:
        raise ValueError(
            "Sample weights are one number for a structure or for a label. "
            f"Received weights of shape {tuple(weights.shape)} for labels of shape {tuple(values.shape)}."
        )
    return ops.reshape(weights, (*ops.shape(weights), *[1] * missing))
