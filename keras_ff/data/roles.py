"""Roles: what batches are made for, and structures whose weights are kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class TakesBatches:
    """Role of an object that batches are made for: a `ForceField`, or a `Batcher` where there is no model.

    Attributes:
        species: Chemical symbols, in the order of the integers in a batch.
        cutoff: Radius in Å within which neighbors are listed.
        compute_dtype: Name of the dtype of the floating-point arrays.
        wave_cutoff: Largest length in 1/Å of the wave vectors of a batch; 0 for batches without waves.
        members: Number of members of a committee; None for other models.
        bootstrap: Seed of the random samples of structures that the members learn from; None if all learn from all.
    """

    species: Sequence[str]
    cutoff: float
    compute_dtype: str
    wave_cutoff: float = 0.0
    members: int | None = None
    bootstrap: int | None = None


class WeightedStructures(Sequence):
    """Role of a sequence of structures that keeps the weights and types of all, as `CachedStructures` does.

    Attributes:
        weights: Weights of the structures and of their energies, forces and stresses, (structures, 4); see `label_weights`.
        types: Types of the structures, their `config_type`; "Default" where there is none.
    """

    weights: np.ndarray
    types: list[str]

    def with_weights(self, weights: np.ndarray) -> WeightedStructures:
        """Return the same structures with other weights.

        Args:
            weights: Weights of the structures and of their energies, forces and stresses, (structures, 4).
        """
        raise NotImplementedError
