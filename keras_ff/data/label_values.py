"""Names, shapes and checks of the values of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress

from keras_ff.data.units import StressConvention

if TYPE_CHECKING:
    from ase import Atoms

KINDS = ("energy", "forces", "stress")

# Names that are tried in this order, after the attached calculator. A free energy is used only where there is no energy.
KEYS = {
    "energy": (
        ("energy", "Energy", "dft_energy", "DFT_energy", "energy_dft", "energy_DFT", "REF_energy", "ref_energy", "energy_ref")
        + ("uncorrected_total_energy", "uncorrected_energy", "total_energy", "TotEnergy")
        + ("potential_energy", "e_0_energy", "free_energy", "e_fr_energy")
    ),
    "forces": (
        ("forces", "force", "Forces", "Force", "dft_forces", "DFT_forces", "dft_force", "DFT_force", "forces_dft", "forces_DFT")
        + ("REF_forces", "REF_force", "ref_forces", "forces_ref")
    ),
    "stress": (
        ("stress", "Stress", "dft_stress", "DFT_stress", "stress_dft", "stress_DFT", "REF_stress", "ref_stress", "stress_ref")
        + ("virial", "virials", "Virial", "dft_virial", "DFT_virial", "virial_dft", "dft_virials", "DFT_virials")
        + ("REF_virial", "REF_virials", "ref_virial", "ref_virials")
    ),
}
LABEL_NAMES = {name for names in KEYS.values() for name in names}

SHAPES_OF = {"energy": [(), (1,), (1, 1)], "stress": [(6,), (3, 3), (9,)]}
SHAPES = {
    "energy": "one number in eV",
    "forces": "(atoms, 3) in eV/Å",
    "stress": "6 (xx, yy, zz, yz, xz, xy), (3, 3) or 9 numbers in eV/Å³",
}

# A 3x3 stress may differ from its transpose by this fraction of its largest component, and by this, in its own unit.
ASYMMETRY = 0.01
NOISE = 1e-3


def checked_label(kind: str, name: str, raw: Any, atoms: Atoms, stress: StressConvention) -> Any:
    """Label in the units, shape and sign of ASE.

    Args:
        kind: "energy", "forces" or "stress".
        name: Name under which it is stored. A "virial" is in eV, an energy "per_atom" is that of one atom.
        raw: What is stored.
        atoms: The structure.
        stress: Convention of the stress.

    Returns:
        Float or float64 array; None where there is none: all components are NaN, or a virial has no volume.

    Raises:
        ValueError: If it has the wrong type or shape, only some of its components are NaN, one is infinite, or a 3x3 stress is
            not symmetric.
    """
    value = _numbers(kind, name, raw, atoms)
    if np.isnan(value).all():
        return None
    if not np.isfinite(value).all():
        where = f" at atom {int(np.argmin(np.isfinite(value).all(axis=-1)))}" if kind == "forces" else ""
        raise ValueError(f"'{name}' has a value that is not finite{where}. Leave the structure out, or remove the label.")
    if kind == "energy":
        return float(value.reshape(())) * (len(atoms) if "per_atom" in name.lower() else 1)
    return _stress(name, value, atoms, stress) if kind == "stress" else value


def _numbers(kind, name, raw, atoms):
    """Array of float64 in one of the shapes of a label; a ValueError for anything but numbers."""
    shapes = SHAPES_OF[kind] if kind != "forces" else [(len(atoms), 3)]
    try:
        value = np.asarray(raw)
        shape, numeric = value.shape, value.dtype.kind in "iuf"
    except (TypeError, ValueError):
        shape, numeric = None, False
    if numeric and shape in shapes:
        return value.astype(np.float64)
    if shape is not None and value.dtype == bool and not shape:
        received = "a name without a number"
    elif numeric:
        received = f"values of shape {shape}"
    else:
        received = f"{str(raw)[:60]!r}"
    raise ValueError(f"'{name}' is to be the {kind}, {SHAPES[kind]}, of {len(atoms)} atoms. Received {received}.")


def _stress(name, value, atoms, convention):
    if value.size == 9:
        matrix = value.reshape(3, 3)
        difference = np.abs(matrix - matrix.T)
        if difference.max() > ASYMMETRY * np.abs(matrix).max() + NOISE:
            i, j = np.unravel_index(difference.argmax(), (3, 3))
            raise ValueError(
                f"'{name}' is no stress, as its 3x3 numbers are not symmetric: {'xyz'[i]}{'xyz'[j]} is {matrix[i, j]:g} and "
                f"{'xyz'[j]}{'xyz'[i]} is {matrix[j, i]:g}."
            )
        value = full_3x3_to_voigt_6_stress(matrix)
        convention = StressConvention(convention.scale, convention.sign)
    if "virial" not in name.lower():
        return convention.apply(value)
    if convention.is_given:
        raise ValueError(
            f"'{name}' is a virial, in eV, to which stress_unit, stress_sign and stress_order do not apply. Leave them out, or "
            "name the stress with stress_key=..."
        )
    return -value / atoms.get_volume() if atoms.pbc.all() else None
