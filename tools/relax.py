"""Relax structures to the nearest minimum of the energy of a model, with the cell where a structure is periodic.

  keras-ff relax silicon.keras POSCAR -o relaxed.xyz
  keras-ff relax runs/first slabs.xyz -o relaxed.xyz --fixed-cell

Constraints in the files (selective dynamics of VASP) are honored. The relaxed structures have energies, forces and stresses.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best.keras is taken")
    parser.add_argument("source", nargs="+", metavar="FILES", help="file, folder or pattern")
    parser.add_argument(
        "-o", "--out", required=True, metavar="FILE", help="where the relaxed structures are written, such as x.xyz"
    )
    parser.add_argument("--fixed-cell", action="store_true", help="relax the atoms alone")
    parser.add_argument("--force", type=float, default=1e-3, metavar="F", help="largest force at the end, in eV/Å (default 0.001)")
    parser.add_argument("--steps", type=int, default=500, metavar="N", help="most steps of a search (default 500)")


def run(args: argparse.Namespace) -> None:
    """Relax the structures, print a table, and write them."""
    import ase.io
    from tqdm import tqdm

    from keras_ff import Calculator, data, load
    from keras_ff.files import replace_when_complete
    from keras_ff.properties import relax
    from keras_ff_tools.run.frames import with_results

    structures = data.read(args.source)
    # The last digits of a minimum need float64.
    model = load(args.model, dtype="float64")
    calculator, relaxed = Calculator(model), []
    print("compiling   the model for the first structure, seconds to a minute ...\n")
    print(f"{'structure':>9}  {'formula':<12} {'before':>12} {'after':>12} {'largest force':>14} {'volume':>10}")
    print(f"{'':>9}  {'':<12} {'eV/atom':>12} {'eV/atom':>12} {'eV/Å':>14} {'Å³':>10}", flush=True)
    for index, atoms in enumerate(tqdm(structures, desc="relax", unit=" structures", delay=2.0, leave=False)):
        before = with_results(atoms, calculator)
        after = with_results(relax(model, atoms, False if args.fixed_cell else None, args.force, args.steps), calculator)
        volume = f"{after.get_volume():.3f}" if after.cell.rank == 3 else "-"
        tqdm.write(
            f"{index:>9}  {after.get_chemical_formula():<12} {before.get_potential_energy() / len(before):>12.5f} "
            f"{after.get_potential_energy() / len(after):>12.5f} {abs(after.get_forces()).max():>14.1e} {volume:>10}"
        )
        relaxed.append(after)
    with replace_when_complete(args.out) as part:
        ase.io.write(part, relaxed)
    print(f"\nwritten to {args.out}")
