"""The laws of the evaluation itself: without a compiler, and again. Each takes a `Probe` and returns a `LawResult`."""

import numpy as np
from keras import ops

from keras_ff.testing.law import Worst


def uncompiled(probe, tolerance=1e-9):
    """Energies that are computed operation by operation are finite and those of the compiled function.

    XLA simplifies: of `sum(exp(1 / (r - cutoff)) * mask)` it makes a choice that leaves padding out, where everything else
    multiplies infinity by 0. The batch holds the structure, edge cases, and padding; see `Probe.hard_batch`.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes, relative to the largest energy or force, or to 1 eV and 1 eV/Å. A float32 model
            has 2e-3 of it per digit lost: its accuracy is a law of its own, `single_precision`.

    Returns:
        `LawResult`.
    """
    found = probe.uncompiled_hard_batch()
    n = len(probe.structure)
    [expected] = probe.evaluate([probe.structure], probe.given)
    # Energies in float32 differ by the order of their sums.
    noise = 0.0 if probe.dtype == "float64" else 1e-3 * max(1.0, abs(expected["energy"]))
    worst = Worst()
    for index in range(len(found["energy"])):
        if not np.isfinite(found["energy"][index]):
            kind = ("the structure", "edge cases", "padding", "padding")[index]
            worst.fail(f"The energy of {kind} is {found['energy'][index]}.")
    worst.compare("energy", found["energy"][0], expected["energy"], " of the structure", noise)
    worst.compare("energy", found["energy"][2:], [0.0, 0.0], " of padding")
    if "forces" in found:
        worst.compare("forces", found["forces"][0, :n], expected["forces"], probe.label(), noise)
        for index, forces in enumerate(found["forces"]):
            if not np.isfinite(forces).all():
                worst.fail(
                    f"The forces of structure {index} of the batch have {int((~np.isfinite(forces)).sum())} NaN or infinities."
                )
    return worst.result("evaluation without compilation", tolerance)


def repetition(probe, tolerance=0.0):
    """The same structure has the same energies and forces each time, bit by bit, and to compute them changes no weight.

    Args:
        probe: The `Probe`.
        tolerance: Largest deviation that passes.

    Returns:
        `LawResult`.
    """
    weights = [ops.convert_to_numpy(weight) for weight in probe.given.weights]
    runs = probe.uncompiled_hard_batch(), probe.uncompiled(probe.hard_batch())
    compiled = [probe.evaluate([probe.structure])[0] for _ in range(2)]
    worst = Worst("Nothing differs.")
    for before, after in (runs, compiled):
        for name in before:
            if not np.array_equal(before[name], after[name], equal_nan=True):
                difference = np.nanmax(np.abs(after[name] - before[name]))
                worst.fail(f"The second evaluation differs in {name} by {difference:.1e}.")
    for weight, before in zip(probe.given.weights, weights):
        if not np.array_equal(ops.convert_to_numpy(weight), before, equal_nan=True):
            worst.fail(f"The evaluation changed the weight {weight.path}.")
    return worst.result("repetition", tolerance)
