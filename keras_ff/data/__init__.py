"""Structures with first-principles labels: reading, checks, neighbor lists, and the padded batches that a model takes."""

from keras_ff.data.batches import Batcher
from keras_ff.data.cache import CachedStructures, write_cache
from keras_ff.data.checks import check
from keras_ff.data.dataset import Dataset
from keras_ff.data.filters import filter, split
from keras_ff.data.label_search import MissingLabel, labels
from keras_ff.data.memory import estimate_memory
from keras_ff.data.neighbors import dense, neighbor_list
from keras_ff.data.pymatgen import VASP_STRESS, to_atoms, to_structure
from keras_ff.data.readers import ReadReport, iread, read, read_with_report
from keras_ff.data.reference import ReferenceEnergies, fit_reference_energies, subtract_reference_energies
from keras_ff.data.weights import label_weights, unweighted, weigh_types

__all__ = [
    "VASP_STRESS",
    "Batcher",
    "CachedStructures",
    "Dataset",
    "MissingLabel",
    "ReadReport",
    "ReferenceEnergies",
    "check",
    "dense",
    "estimate_memory",
    "filter",
    "fit_reference_energies",
    "iread",
    "label_weights",
    "labels",
    "neighbor_list",
    "read",
    "read_with_report",
    "split",
    "subtract_reference_energies",
    "to_atoms",
    "to_structure",
    "unweighted",
    "weigh_types",
    "write_cache",
]
