"""Table of what is in a data set, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_ff.data.dataset import Dataset


def summary(data: Dataset) -> str:
    """Table of the structures, labels, weights, neighbors, batches and padding of a data set, as text.

    Args:
        data: The `Dataset`.
    """
    pairs = data.n_pairs / data.n_atoms
    kept = len(data._rows)
    found = data.weights_found
    text = f"{found['structures']} structures with other weights than 1, from {found['smallest']:g} to {found['largest']:g}"
    weights = [("weights", text)] if found["structures"] else []
    left_out = f", {len(data.left_out)} more with the weight 0 left out" if data.left_out else ""
    rows = [
        ("structures", f"{len(data.structures)} ({data.n_atoms.min()} to {data.n_atoms.max()} atoms){left_out}"),
        (
            "atoms",
            f"{data.n_atoms.sum()}: " + ", ".join(f"{s} {n}" for s, n in zip(data.species, data.compositions.sum(0), strict=True)),
        ),
        (
            "labels",
            ", ".join(f"{kind} {count}" for kind, count in data.labels_found.items())
            + (f" ({data.stresses_set_aside} set aside: not periodic in three directions)" if data.stresses_set_aside else ""),
        ),
        *weights,
        (
            "neighbors",
            f"{np.average(pairs, weights=data.n_atoms):.1f} mean, {data.n_neighbors.max()} most, within {data.cutoff:g} Å",
        ),
        ("batches", f"{len(data)} of {data.batch_size} structures"),
    ]
    for count, (a, k) in zip(data.buckets.counts, data.buckets.shapes, strict=True):
        if count:
            rows.append(("  shape", f"{count} {'batch' if count == 1 else 'batches'} of {a} atoms x {k} neighbors"))
    rows.append(("padding", f"{100 * data.padding_waste:.1f} % of the pairs"))
    rows.append(
        (
            "memory",
            f"{data._bytes / 2**20:.1f} MiB in {kept} neighbor lists"
            + ("" if kept == len(data.structures) else ", the others are made anew for each batch"),
        )
    )
    return "\n".join(f"{name:<11} {text}" for name, text in rows)
