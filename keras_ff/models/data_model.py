"""A Keras model that takes a `Dataset`, on one device or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.data.dataset import Dataset
from keras_ff.data.roles import TakesBatches
from keras_ff.forks import check_process
from keras_ff.models.epochs import SetEpoch
from keras_ff.models.good_weights import KeepGoodWeights
from keras_ff.models.mapping import PER_ATOM, in_order, mapped
from keras_ff.models.missing_labels import for_outputs, known_loss, known_metric
from keras_ff.models.own_data import are_structures, as_dataset, check_data, check_labels
from keras_ff.models.own_precision import in_dtype, own_precision
from keras_ff.training.callbacks import separate_averages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What the batches of a `Dataset` decide.
OF_BATCHES = ("y", "batch_size", "sample_weight", "class_weight", "validation_split")

# Labels of a `Dataset`, of one atom.
LABELS = {
    "energy": np.zeros((1, 1)),
    "energy_per_atom": np.zeros((1, 1)),
    "forces": np.zeros((1, 1, 3)),
    "stress": np.zeros((1, 6)),
}

# Names of the integer arrays of a batch.
INTEGERS = ("species", "neighbors", "waves")


class DataModel(keras.Model, TakesBatches):
    """Base of `ForceField`: a `keras.Model` whose `fit`, `evaluate` and `predict` take a `keras_ff.data.Dataset`.

    It runs on one device, or on several within `keras_ff.training.data_parallel`.

    Args:
        kwargs: Arguments of `keras.Model`: `name` and `dtype`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        backend.prepare(self.dtype_policy)
        self._replicas = backend.replicas()
        self._learned_outputs = ()

    def __call__(self, *args, **kwargs):
        """Call the model with a batch, as Keras does; a TypeError tells how structures are computed."""
        check_process()
        if args and are_structures(args[0]):
            raise TypeError("A model is called with a batch. Structures, lists and files of them: model.predict(structures).")
        return super().__call__(*args, **kwargs)

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, **kwargs):
        """Compile the model, as `keras.Model.compile` does.

        Losses and metrics compute in the dtype of the model, unless they were made with another one. They leave out missing labels:
        "mse", "mae" and others of Keras are replaced by those of this library, and what cannot be replaced is refused.

        Weights of structures and labels count in the losses of training and validation, and in `weighted_metrics`, but not in
        `metrics`.

        Args:
            optimizer: Keras optimizer or its name.
            loss: Loss, or dict from names of outputs to losses.
            loss_weights: Dict from names of outputs to the weights of their losses.
            metrics: Dict from names of outputs to lists of metrics.
            weighted_metrics: Metrics that take sample weights.
            kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If a loss or metric is NaN where a label is missing.
        """
        check_process()
        if self._replicas > 1:
            # TensorFlow cannot compile across devices, and Keras knows.
            kwargs["jit_compile"] = "auto"
        self._learned_outputs = sorted(name for name, each in loss.items() if each) if isinstance(loss, dict) else ()
        with backend.default_dtype(self.variable_dtype):
            loss = for_outputs(loss, known_loss)
            metrics, weighted_metrics = (for_outputs(nest, known_metric) for nest in (metrics, weighted_metrics))
        loss, metrics, weighted_metrics = (in_dtype(nest, self.variable_dtype) for nest in (loss, metrics, weighted_metrics))
        with backend.default_dtype(self.variable_dtype):
            super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs)

    train_on_batch = own_precision(keras.Model.train_on_batch)
    test_on_batch = own_precision(keras.Model.test_on_batch)
    predict_on_batch = own_precision(keras.Model.predict_on_batch)

    @own_precision
    def fit(self, x=None, *args, callbacks=None, validation_data=None, **kwargs):
        """Train the model, as `keras.Model.fit` does.

            model.fit(data, validation_data=validation, epochs=100)

        If the loss or a weight becomes NaN or infinite, the training ends with an error that names the structures, and the model
        gets the weights that it had at the beginning of the epoch. Where the optimizer averages the weights (`use_ema=True`), the
        model has the averages at the end.

        Args:
            x: `keras_ff.data.Dataset`, whose order of batches is a function of its seed and the epoch, or what Keras takes.
            args: Further positional arguments of `keras.Model.fit`.
            callbacks: List of Keras callbacks.
            validation_data: `keras_ff.data.Dataset`, or what Keras takes.
            kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            TypeError: If structures are given in place of a data set, or arguments that the batches of a data set decide.
            ValueError: If a data set was made for another model, has no label for one of the losses, the devices of
                `keras_ff.training.data_parallel` do not divide a batch, or the model was made outside of it.
            FloatingPointError: If the loss or a weight is not finite.

        Warns:
            UserWarning: If the validation data have no label for one of the losses.
        """
        if isinstance(x, Dataset) and (given := [name for name in OF_BATCHES if kwargs.get(name) is not None]):
            raise TypeError(f"A Dataset decides its batches, labels and weights: leave out {', '.join(given)}.")
        x, validation_data = self._divided(x), self._divided(validation_data)
        check_labels(x, self._learned_outputs, training=True)
        check_labels(validation_data, self._learned_outputs, training=False)
        self._make_variables(x)
        if hasattr(x, "epoch"):
            kwargs["shuffle"] = False
            callbacks = [SetEpoch(x), *(callbacks or [])]
        stop = KeepGoodWeights()
        callbacks = [stop, *(callbacks or [])]
        try:
            return super().fit(x, *args, callbacks=callbacks, validation_data=validation_data, **kwargs)
        except FloatingPointError as error:
            raise FloatingPointError(stop.give_back(error, x)) from None
        finally:
            separate_averages(self)

    @own_precision
    def evaluate(self, x=None, *args, **kwargs):
        """Compute the loss and metrics, as `keras.Model.evaluate` does.

        Args:
            x: `keras_ff.data.Dataset`, or what Keras takes.
            args: Further positional arguments of `keras.Model.evaluate`.
            kwargs: Further arguments of `keras.Model.evaluate`, such as `return_dict`.

        Raises:
            TypeError: If structures are given in place of a data set.
            ValueError: If the data set was made for another model.

        Warns:
            UserWarning: If the data have no label for one of the losses.
        """
        x = self._divided(x)
        check_labels(x, self._learned_outputs, training=False)
        self._make_variables(x, training=False)
        return super().evaluate(x, *args, **kwargs)

    @own_precision
    def predict(self, x, *args, verbose="auto", **kwargs):
        """Compute the outputs for structures, or all structures of a data set, in their order.

            outputs = model.predict(structures)
            outputs["forces"][7, : len(structures[7])]

        Args:
            x: An `ase.Atoms`, a pymatgen object, the path of a file, or a list of these; a `keras_ff.data.Dataset`; or what
                `keras.Model.predict` takes.
            args: Further positional arguments of `keras.Model.predict`, not for a `Dataset`.
            verbose: 0 shows no progress.
            kwargs: Further arguments of `keras.Model.predict`, not for a `Dataset`.

        Returns:
            For structures a dict of arrays `(structures, ...)`. The axis of the atoms has the length of the largest batch; zeros
            follow the atoms of a structure.

        Raises:
            TypeError: If a `Dataset` comes with arguments that its batches decide.
            ValueError: If a structure cannot be read, the model does not know an element, or a `Dataset` was made for another
                model.
        """
        x = as_dataset(self, x)
        if not isinstance(x, Dataset):
            return super().predict(x, *args, verbose=verbose, **kwargs)
        if args or kwargs:
            raise TypeError(f"A Dataset is predicted whole, batch by batch: leave out {[*args, *kwargs]}.")
        data, results = self._divided(x), []
        for index in tqdm(range(len(data)), desc="predict", unit=" batches", delay=2.0, disable=not verbose, leave=False):
            results.append((data.indices(index), self.predict_on_batch(data[index][0])))
        whole = {}
        for name, value in results[0][1].items():
            shape = np.max([outputs[name].shape[1:] for _, outputs in results], axis=0)
            whole[name] = np.zeros((len(data.structures), *shape), value.dtype)
            for indices, outputs in results:
                value, real = outputs[name], indices >= 0
                whole[name][(indices[real], *(slice(length) for length in value.shape[1:]))] = value[real]
        return whole

    def map(
        self, function: Callable, dataset: Dataset, per_atom: Sequence[str] = PER_ATOM, verbose: int = 1
    ) -> list[dict[str, np.ndarray]]:
        """Compute a function of batches for every structure of a data set.

        The function is compiled once for each shape of batch, and uses the weights of the model as they are now. Padding is
        removed. For the outputs of the model alone use `predict`; here a function can use labels and anything inside the model.

            def error(batch, labels):
                outputs = model(batch)
                return {"forces": outputs["forces"] - labels["forces"], "energy": outputs["energy"]}

            errors = model.map(error, dataset)
            errors[7]["forces"].shape  # (atoms of the structure 7, 3)

        Args:
            function: From a batch and its labels (dicts of arrays as `dataset[index]` has them; a missing label is NaN) to a dict
                of arrays whose first axis is that of the structures of the batch.
            dataset: `keras_ff.data.Dataset`.
            per_atom: Names of the results whose second axis is that of the atoms, from which padding atoms are removed.
            verbose: 0 shows no progress; otherwise a bar appears after 2 s.

        Returns:
            List of dicts of NumPy arrays, one for each of `dataset.structures` in their order: rows of the results, without the
            axis of the structures.
        """
        return in_order(mapped(self, function, dataset, per_atom, verbose=verbose), len(dataset.structures))

    def _divided(self, data):
        """The `Dataset` as several devices take it: each process makes its own fraction of the structures of a batch."""
        check_data(self, data)
        replicas = backend.replicas()
        if replicas != self._replicas:
            raise ValueError(
                f"The model was made for {self._replicas} device(s) and is to run on {replicas}. Make or load it, compile it and "
                "train it inside of the same `with keras_ff.training.data_parallel():`."
            )
        if replicas == 1 or not isinstance(data, Dataset):
            return data
        if data.batch_size % replicas:
            raise ValueError(
                f"{replicas} devices do not divide batches of {data.batch_size} structures. Make the Dataset with a batch_size "
                f"that is a multiple of {replicas}, such as {replicas * -(-data.batch_size // replicas)}."
            )
        index, count = backend.process()
        return data.part(index, count) if count > 1 else data

    def _make_variables(self, data, training=True):
        """Make the variables of the optimizer, the losses and the metrics, before Keras does while it traces a step on a `Dataset`.

        A function of TensorFlow whose first trace makes variables is traced once more. On JAX, Keras would trace the model once
        more to make them.
        """
        if not isinstance(data, Dataset) or not self.compiled or self._replicas > 1:
            return
        if training and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        # Private API of Keras. Without it, the first step takes twice as long to trace.
        for part in (self._compile_loss, self._compile_metrics):
            if part is not None and not part.built:
                part.build(LABELS, LABELS)

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Private API of Keras. Without it, `fit` on several devices of TensorFlow fails at its first batch; on one device nothing
        # changes. On several devices of TensorFlow Keras gives the mean of their batches, with indices that are no longer integers.
        if data_batch is not None:
            inputs, *labels = data_batch
            whole = {name: ops.cast(inputs[name], "int32") for name in INTEGERS if name in inputs}
            data_batch = ({**inputs, **whole}, *labels)
        super()._symbolic_build(iterator, data_batch)
