"""A Keras model that takes a `Dataset`, on one device or several."""

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.data.dataset import Dataset
from keras_ff.models.epochs import SetEpoch
from keras_ff.models.mapping import PER_ATOM, in_order, mapped
from keras_ff.models.own_precision import in_dtype, own_precision

# Of a batch.
INTEGERS = ("species", "neighbors", "waves")


class DataModel(keras.Model):
    """`keras.Model` whose `fit`, `evaluate` and `predict` know `keras_ff.data.Dataset` and `keras_ff.training.data_parallel`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        backend.prepare(self.dtype_policy)
        self._replicas = backend.replicas()

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None, **kwargs):
        """`keras.Model.compile`. Losses and metrics compute in the dtype of the model, unless they were made with another one."""
        if self._replicas > 1:
            # TensorFlow cannot compile across devices, and Keras knows.
            kwargs["jit_compile"] = "auto"
        loss, metrics, weighted_metrics = (in_dtype(nest, self.variable_dtype) for nest in (loss, metrics, weighted_metrics))
        with backend.default_dtype(self.variable_dtype):
            super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs)

    train_on_batch = own_precision(keras.Model.train_on_batch)
    test_on_batch = own_precision(keras.Model.test_on_batch)
    predict_on_batch = own_precision(keras.Model.predict_on_batch)

    @own_precision
    def fit(self, x=None, *args, callbacks=None, validation_data=None, **kwargs):
        """`keras.Model.fit`. A `keras_ff.data.Dataset` keeps its own order, a function of its seed and the epoch.

        Raises:
            ValueError: If the devices of `keras_ff.training.data_parallel` do not divide a batch, or the model was made outside.
        """
        x, validation_data = self._divided(x), self._divided(validation_data)
        if hasattr(x, "epoch"):
            kwargs["shuffle"] = False
            callbacks = [SetEpoch(x), *(callbacks or [])]
        return super().fit(x, *args, callbacks=callbacks, validation_data=validation_data, **kwargs)

    @own_precision
    def evaluate(self, x=None, *args, **kwargs):
        """`keras.Model.evaluate`; see `fit`."""
        return super().evaluate(self._divided(x), *args, **kwargs)

    @own_precision
    def predict(self, x, *args, verbose="auto", **kwargs):
        """`keras.Model.predict`. Of a `keras_ff.data.Dataset`, what it returns is in the order of the structures.

        Returns:
            Of a `Dataset`: dictionary of arrays (structures, ...) with as many atoms as the largest batch has room for; the forces
            of a structure are `forces[index, :len(atoms)]`, and zeros follow.

        Raises:
            TypeError: If a `Dataset` comes with arguments that its batches decide.
        """
        if not isinstance(x, Dataset):
            return super().predict(x, *args, verbose=verbose, **kwargs)
        if args or kwargs:
            raise TypeError(f"A Dataset is predicted whole, batch by batch: leave out {[*args, *kwargs]}.")
        data, found = self._divided(x), []
        for index in tqdm(range(len(data)), desc="predict", unit=" batches", delay=2.0, disable=not verbose, leave=False):
            found.append((data.indices(index), self.predict_on_batch(data[index][0])))
        whole = {}
        for name, value in found[0][1].items():
            shape = np.max([outputs[name].shape[1:] for _, outputs in found], axis=0)
            whole[name] = np.zeros((len(data.structures), *shape), value.dtype)
            for indices, outputs in found:
                value, real = outputs[name], indices >= 0
                whole[name][(indices[real], *(slice(length) for length in value.shape[1:]))] = value[real]
        return whole

    def map(self, function, dataset, per_atom=PER_ATOM, verbose=1):
        """Results of a function of batches for every structure of a data set.

        The function is compiled once for each shape of batch, and sees the weights of the model as they are now. Padding is
        removed. For the outputs of the model alone use `predict`; here a function can look at labels and at anything inside.

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
        """The batches of a `Dataset` as several devices take them: of several processes, each makes its own part."""
        replicas = backend.replicas()
        if replicas != self._replicas:
            raise ValueError(
                f"The model was made for {self._replicas} device(s) and is to run on {replicas}. Make or load it, compile it and "
                "train it inside of the same `with keras_ff.training.data_parallel():`."
            )
        if replicas == 1 or not hasattr(data, "part"):
            return data
        if data.batch_size % replicas:
            raise ValueError(
                f"{replicas} devices do not divide batches of {data.batch_size} structures. Make the Dataset with a batch_size "
                f"that is a multiple of {replicas}, such as {replicas * -(-data.batch_size // replicas)}."
            )
        index, count = backend.process()
        return data.part(index, count) if count > 1 else data

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Private API of Keras. Without it, `fit` on several devices of TensorFlow fails at its first batch; on one device nothing
        # changes. On several devices of TensorFlow Keras gives the mean of their batches, with indices that are no longer integers.
        if data_batch is not None:
            inputs, *labels = data_batch
            whole = {name: ops.cast(inputs[name], "int32") for name in INTEGERS if name in inputs}
            data_batch = ({**inputs, **whole}, *labels)
        super()._symbolic_build(iterator, data_batch)
