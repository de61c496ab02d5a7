"""Elastic constants of a crystal: the matrix, moduli of a polycrystal, stability, anisotropy.

  keras-ff elastic silicon.keras POSCAR -o elastic_silicon
  keras-ff elastic runs/first quartz.cif -o elastic_quartz
  keras-ff elastic silicon.keras strained.xyz -o elastic_strained --no-relax

Cell and atoms are relaxed first, in float64, and the atoms follow the strain. The constants are exact second derivatives of the
energy at 0 K, in the order xx yy zz yz xz xy along the Cartesian axes of the file. Written are elastic.json, elastic_constants.csv,
relaxed.xyz and youngs_modulus.png.
"""

import argparse
from pathlib import Path
from typing import Any

from keras_ff_tools.crystal import add_crystal, prepared

AXES = ("xx", "yy", "zz", "yz", "xz", "xy")
ROWS = (
    ("bulk", "bulk modulus K", "GPa"),
    ("shear", "shear modulus G", "GPa"),
    ("young", "Young's modulus E", "GPa"),
    ("poisson", "Poisson's ratio", ""),
)

# The constants of a crystal under a larger stress than this, in GPa, depend on their definition.
STRESS = 0.1

# Directions between which the lowest and the highest modulus are looked for: of small whole numbers.
LARGEST_INDEX = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_crystal(parser)


def run(args: argparse.Namespace) -> None:
    """Compute, print the table, and write the files."""
    import ase.io
    from ase.units import GPa

    from keras_ff import Calculator, plots
    from keras_ff.properties import ElasticConstants, youngs_modulus
    from keras_ff_tools.run.files import write_csv, write_json
    from keras_ff_tools.run.frames import with_results

    model, atoms = prepared(args, volume=True)
    atoms = with_results(atoms, Calculator(model))
    stress = abs(atoms.get_stress()).max() / GPa
    print("computing   elastic constants ...", flush=True)
    constants = ElasticConstants(model, atoms)()
    constants = 0.5 * (constants + constants.T)
    results = summary(constants)
    print("\n" + table(constants, results))
    if stress > STRESS:
        print(
            f"\nWarning: the crystal is under a stress of {stress:.2g} GPa, where elastic constants depend on their definition.\n"
            "These are second derivatives of the energy. Leave --no-relax out for those of the relaxed crystal."
        )
    out = Path(args.out)
    write_json(out / "elastic.json", {"constants": constants.tolist(), "order": AXES, "unit": "GPa", "stress": stress, **results})
    write_csv(
        out / "elastic_constants.csv", ["", *AXES], ({"": name, **dict(zip(AXES, row))} for name, row in zip(AXES, constants))
    )
    ase.io.write(out / "relaxed.xyz", atoms)
    if results["stable"]:
        title = f"Young's modulus of {atoms.get_chemical_formula(empirical=True)} (GPa)"
        plots.directional(lambda directions: youngs_modulus(constants, directions), title).savefig(out / "youngs_modulus.png")
    print(f"\nwritten to {out}")


def summary(constants) -> dict[str, Any]:
    """Stability, moduli and anisotropy of a crystal as JSON takes them.

    Args:
        constants: Elastic constants `(6, 6)` in GPa.

    Returns:
        Dictionary of "stable" (whether the energy rises with every strain), "eigenvalues" (of the constants in Mandel's notation,
        in GPa) and "softest" (strain of the lowest one); of a stable crystal "moduli", "anisotropy" and "young" too.
    """
    import numpy as np

    from keras_ff.properties import averaged_moduli, mandel, youngs_modulus

    eigenvalues, strains = np.linalg.eigh(np.asarray(mandel(constants)))
    found = {"stable": bool(eigenvalues[0] > 0), "eigenvalues": eigenvalues.tolist(), "softest": strains[:, 0].tolist()}
    if not found["stable"]:
        return found
    moduli = averaged_moduli(constants)
    voigt, reuss = moduli["voigt"], moduli["reuss"]
    anisotropy = {"universal": 5.0 * voigt["shear"] / reuss["shear"] + voigt["bulk"] / reuss["bulk"] - 6.0}
    if is_cubic(constants):
        anisotropy["zener"] = float(2.0 * constants[3, 3] / (constants[0, 0] - constants[0, 1]))
    one = np.arange(-LARGEST_INDEX, LARGEST_INDEX + 1)
    directions = np.stack(np.meshgrid(one, one, one, indexing="ij"), axis=-1).reshape(-1, 3)
    directions = directions[(np.gcd.reduce(directions, axis=1) == 1) & (directions @ [100, 10, 1] > 0)]
    # The simplest of those that are equal.
    directions = directions[np.lexsort((-(directions @ [1, 10, 100]), (directions**2).sum(axis=1)))]
    along = youngs_modulus(constants, directions).round(9)
    young = {
        name: {"value": float(along[index]), "direction": directions[index].tolist()}
        for name, index in (("lowest", along.argmin()), ("highest", along.argmax()))
    }
    return {**found, "moduli": moduli, "anisotropy": anisotropy, "young": young}


def is_cubic(constants) -> bool:
    """Whether elastic constants are those of a cubic crystal along its edges, to a thousandth of the largest."""
    import numpy as np

    from keras_ff.properties import cubic

    same = cubic(
        constants[:3, :3].trace() / 3, (constants[0, 1] + constants[0, 2] + constants[1, 2]) / 3, constants[3:, 3:].trace() / 3
    )
    return bool(np.abs(constants - same).max() < 1e-3 * np.abs(constants).max())


def table(constants, results: dict[str, Any]) -> str:
    """The text that is printed: the matrix, the moduli, and sentences on stability and anisotropy.

    Args:
        constants: Elastic constants `(6, 6)` in GPa.
        results: What `summary` made of them.
    """
    lines = [f"{'GPa':<4}" + "".join(f"{name:>10}" for name in AXES)]
    lines += [f"{name:<4}" + "".join(f"{value + 0.0:>10.2f}" for value in row.round(2)) for name, row in zip(AXES, constants)]
    lowest = results["eigenvalues"][0]
    if not results["stable"]:
        strain = ", ".join(f"{name} {value:.2f}" for name, value in zip(AXES, results["softest"]) if abs(value) > 0.05)
        told = (
            f"UNSTABLE: the energy falls with the strain ({strain}). An eigenvalue of the constants is {lowest:.2f} GPa,\n"
            "where Born's criterion needs all to be positive. The crystal would transform; moduli have no meaning."
        )
        return "\n".join([*lines, "", told])
    lines += ["", f"{'polycrystal':<22}{'Voigt':>10}{'Reuss':>10}{'Hill':>10}"]
    for key, name, unit in ROWS:
        values = "".join(f"{results['moduli'][average][key]:>10.{2 if unit else 3}f}" for average in ("voigt", "reuss", "hill"))
        lines.append(f"{name:<22}{values}  {unit}".rstrip())
    told = f"{results['anisotropy']['universal']:.3f} (universal; 0 is isotropic)"
    if "zener" in results["anisotropy"]:
        told += f", {results['anisotropy']['zener']:.3f} (Zener, 2 C44 / (C11 - C12); 1 is isotropic)"
    low, high = (f"{one['value']:.2f} GPa along {one['direction']}" for one in results["young"].values())
    lines += [
        "",
        f"stability   stable: the energy rises with every strain (Born); the smallest eigenvalue is {lowest:.2f} GPa",
        f"anisotropy  {told}",
        f"direction   Young's modulus of a single crystal from {low} to {high}, Cartesian",
    ]
    return "\n".join(lines)
