"""Checks that data are those of a model, before its numbers are computed from them."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from keras_ff.data.dataset import LABELS, Dataset
from keras_ff.data.label_search import KINDS, without_labels
from keras_ff.data.readers import is_pymatgen, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keras_ff.models.data_model import DataModel


def are_structures(data: Any) -> bool:
    """Whether `keras_ff.data.read` takes an object: structures of ASE or pymatgen, paths, or a list of these.

    Args:
        data: Any object.
    """
    if isinstance(data, (list, tuple)):
        return not data or are_structures(data[0])
    return isinstance(data, (Atoms, str, os.PathLike)) or is_pymatgen(data)


def as_dataset(model: DataModel, data: Any) -> Any:
    """Structures as a data set of the model, without labels and in their order; anything else as it is.

    Args:
        model: The model.
        data: An `ase.Atoms`, a pymatgen object, the path of a file, or a list of these; or what a Keras model takes.

    Raises:
        ValueError: If a structure cannot be read, or the model does not know an element.
    """
    if are_structures(data):
        return Dataset([without_labels(atoms) for atoms in read(_bare(data))], model, shuffle=False)
    return data


def _bare(data):
    """The same structures without labels, which may be anything; files as they are."""
    if isinstance(data, (list, tuple)):
        return [_bare(item) for item in data]
    return without_labels(data) if isinstance(data, Atoms) else data


def check_data(model: DataModel, data: Any) -> None:
    """Raise an error if the batches of a data set are not those of a model.

    Args:
        model: The model.
        data: `keras_ff.data.Dataset`. Anything else is left to Keras, apart from structures and plain arrays.

    Raises:
        TypeError: If these are structures, which have to become a `Dataset` first, or an array.
        ValueError: If the data set was made for other species or another order of them, a smaller cutoff, fewer digits or other
            waves than those of the model.
    """
    if are_structures(data) or isinstance(data, np.ndarray):
        raise TypeError(
            "A model is trained and measured on a data set, Dataset(keras_ff.data.read(source), model, batch_size=...). Received "
            f"{type(data).__module__}.{type(data).__name__}."
        )
    if not isinstance(data, Dataset):
        return
    waves = data.batcher.wave_cutoff
    differences = [
        f"the species {data.species}, the model {model.species}" if data.species != list(model.species) else "",
        # Neighbors beyond the cutoff change nothing.
        f"a cutoff of {data.cutoff:g} Å, the model {model.cutoff:g} Å" if data.cutoff < model.cutoff else "",
        f"waves up to {waves:g} /Å, the model {model.wave_cutoff:g} /Å" if model.wave_cutoff not in (0.0, waves) else "",
        f"numbers in {data.dtype}, the model {model.compute_dtype}"
        if data.dtype.itemsize < np.dtype(model.compute_dtype).itemsize
        else "",
    ]
    if found := [text for text in differences if text]:
        raise ValueError(
            f"The data set was made for another model: it has {'; '.join(found)}. Make one for this: Dataset(structures, model)."
        )


def check_labels(data: Any, outputs: Iterable[str], training: bool) -> None:
    """Raise an error, or warn, if no structure of a data set has a label that a loss asks for.

    Args:
        data: `keras_ff.data.Dataset`; anything else is not looked at.
        outputs: Names of the outputs for which there are losses, "energy", "energy_per_atom", "forces" or "stress".
        training: Whether the model is to learn from the data; otherwise it is measured on them.

    Raises:
        ValueError: In training.

    Warns:
        UserWarning: Where the model is measured: its loss is that of nothing, 0.
    """
    if not isinstance(data, Dataset):
        return
    # Labels that have the weight 0 everywhere are left out on purpose.
    weights = dict(zip(KINDS, data.weights[:, 1:].T, strict=True))
    kinds = {name: LABELS.get(name, name) for name in outputs}
    kinds = {name: kind for name, kind in kinds.items() if kind in KINDS and weights[kind].any()}
    if training:
        data.require_labels(*kinds)
        return
    missing = [name for name, kind in kinds.items() if not data.labels_found[kind]]
    if missing:
        warnings.warn(
            f"None of the {len(data.structures)} structures has a label for {' and '.join(missing)}: the loss of {missing[0]} is 0 "
            "and says nothing.",
            stacklevel=3,
        )
