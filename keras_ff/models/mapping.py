"""Evaluation of functions of batches for all structures of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops
from tqdm import tqdm

from keras_ff import backend
from keras_ff.models.own_data import check_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keras_ff.data.dataset import Dataset
    from keras_ff.models.data_model import DataModel

# Outputs of the models of this library with one row for each atom.
PER_ATOM = ("energies", "forces", "forces_std")


def mapped(
    model: DataModel | None,
    function: Callable,
    dataset: Dataset,
    per_atom: Sequence[str] = PER_ATOM,
    name: str = "map",
    batches: Sequence[int] | None = None,
    verbose: int = 1,
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Results of a function of batches for one structure after the other, in the order of the batches.

    Args:
        model: Model whose weights the function uses; None if it uses none.
        function: From a batch and its labels (dicts of arrays as `dataset[index]` has them) to a dict of arrays whose first axis
            is that of the structures of the batch.
        dataset: `keras_ff.data.Dataset`.
        per_atom: Names of the results whose second axis is that of the atoms, from which padding atoms are removed.
        name: Name of the work beside the progress bar.
        batches: Indices of the batches to evaluate, in this order; by default all.
        verbose: 0 shows no progress; otherwise a bar appears after 2 s.

    Yields:
        Tuples of the index of the structure and its results, a dict of NumPy arrays.

    Raises:
        ValueError: If the data set was made for another model.
    """
    if model is not None:
        check_data(model, dataset)
    function = backend.jit(function, layer=model)
    batches = range(len(dataset)) if batches is None else batches
    for number in tqdm(batches, desc=name, unit=" batches", delay=2.0, disable=not verbose, leave=False):
        batch, labels, *_ = dataset[number]
        results = {name: ops.convert_to_numpy(value) for name, value in function(batch, labels).items()}
        counts = np.sum(batch["species"] >= 0, axis=1)
        for row, index in enumerate(dataset.indices(number)):
            if index >= 0:
                yield int(index), {n: x[row, : counts[row]] if n in per_atom else x[row] for n, x in results.items()}


def in_order(results, count: int) -> list:
    """List of results in the order of their indices.

    Args:
        results: Iterable of tuples of an index and a result, such as `mapped` yields.
        count: Length of the list; indices without a result have None.

    Example:
        >>> from keras_ff.models.mapping import in_order
        >>> in_order([(1, "b"), (0, "a")], 2)
        ['a', 'b']
    """
    ordered = [None] * count
    for index, result in results:
        ordered[index] = result
    return ordered
