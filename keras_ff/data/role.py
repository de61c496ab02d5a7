"""The role of what batches are made for: what a data set knows of a model."""

from collections.abc import Sequence


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
