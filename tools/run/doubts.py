"""Doubts about data, printed, and data that contradict themselves, refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

# The checks look at this many structures at most.
CHECKED = 5000


def print_doubts(sample: "Sequence[Atoms]", count: int, force: bool = True, name: str = "") -> None:
    """Print the doubts about structures.

    Args:
        sample: The first structures.
        count: Number of all.
        force: Whether data are accepted whose energies, forces and stresses contradict each other.
        name: Name of the set of structures, if there are several.

    Raises:
        ValueError: If they do and are not accepted.
    """
    from keras_ff import data
    from keras_ff.data.checks import Contradiction

    doubts = data.check(sample)
    which = "" if len(sample) == count else f" in the first {len(sample)} structures"
    which += f" of the {name} set" if name else ""
    if not doubts:
        print(f"checks      nothing suspicious{which}")
    for doubt in doubts:
        print(f"doubt       {doubt}" + (f" ({name} set)" if name else ""))
    certain = [doubt for doubt in doubts if isinstance(doubt, Contradiction)]
    if certain and not force:
        raise ValueError(
            f"{' '.join(certain)} Say what the files hold with --stress-unit, --stress-sign and --stress-order, or mend them; "
            "--force takes them as they are."
        )
