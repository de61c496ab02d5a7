"""Functions of batches, evaluated for all structures of a data set."""

import numpy as np
from keras import ops
from tqdm import tqdm

from keras_ff import backend

# Outputs of the models of this library with one row for each atom.
PER_ATOM = ("energies", "forces", "forces_std")


def mapped(model, function, dataset, per_atom=PER_ATOM, name="map", batches=None, verbose=1):
    """Results of a function for one structure after the other, as their batches come; see `DataModel.map` for its arguments.

    Args:
        name: Name of the work beside the progress bar.
        batches: Indices of the batches to evaluate, in this order; by default all.

    Yields:
        Tuples of the index of the structure and its results, a dict of NumPy arrays.
    """
    function = backend.jit(function, layer=model)
    batches = range(len(dataset)) if batches is None else batches
    for number in tqdm(batches, desc=name, unit=" batches", delay=2.0, disable=not verbose, leave=False):
        batch, labels = dataset[number]
        results = {name: ops.convert_to_numpy(value) for name, value in function(batch, labels).items()}
        counts = np.sum(batch["species"] >= 0, axis=1)
        for row, index in enumerate(dataset.indices(number)):
            if index >= 0:
                yield int(index), {n: x[row, : counts[row]] if n in per_atom else x[row] for n, x in results.items()}


def in_order(results, count):
    """List of what `mapped` yields for so many structures, in the order of the structures."""
    ordered = [None] * count
    for index, result in results:
        ordered[index] = result
    return ordered
