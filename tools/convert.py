"""Collect structures and their labels from any source into one file, and look at them with doubt.

Reads extended XYZ, ASE databases, VASP OUTCAR and vasprun.xml, JSON of pymatgen, and whatever else ASE reads; files, folders,
patterns, and frames of a file as file@start:stop:step. Prints which labels were found under which names, and warns about units, the
sign of the stress, copies and outliers; data whose energies, forces and stress contradict each other are refused. What is written
has energy in eV, forces in eV/Å and stress in eV/Å³ (positive under tension).

  keras-ff convert vasp_runs/ -o data.xyz
  keras-ff convert vasp_runs/ -o train.xyz --test test.xyz     a tenth of the structures is kept for a test
  keras-ff convert a.db b.xyz@::10 "runs/*/OUTCAR" -o data.xyz
  keras-ff convert raw.xyz -o data.xyz --energy-key E_dft --forces-key F_dft --require energy forces
  keras-ff convert raw.xyz -o data.xyz --skip-bad              continue after broken frames, and list them
  keras-ff convert raw.xyz -o data.xyz --stress-unit kbar --stress-sign compression
  keras-ff convert huge.xyz -o huge.h5 --cutoff 5              neighbor lists included, for data larger than memory
"""

import argparse
import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_ff_tools.arguments import add_force, add_reading, leave_to_the_report, reading, spelled
from keras_ff_tools.run.doubts import CHECKED, print_doubts

if TYPE_CHECKING:
    from ase import Atoms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="file, folder, pattern or file@frames")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help=".xyz or .extxyz: extended XYZ; .h5: cache for training")
    parser.add_argument(
        "--test", metavar="FILE", help="put a tenth of the structures, one of each ten at random, into this file instead"
    )
    add_reading(parser)
    parser.add_argument(
        "--require", nargs="+", default=[], metavar="LABEL", help="energy, forces, stress: all structures must have these"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave broken frames out and continue")
    parser.add_argument(
        "--cutoff", type=float, default=5.0, metavar="R", help="cutoff of the neighbor lists of a .h5 file, in Å (default 5)"
    )
    parser.add_argument("--no-energy", action="store_true", help="structures without energies are all that is wanted")
    parser.add_argument("--no-check", action="store_true", help="do not look for doubtful units, signs, copies and outliers")
    add_force(parser)


def run(args: argparse.Namespace) -> None:
    """Write the file, and print what it holds and what is doubtful."""
    from keras_ff import data

    for option, name in (("--out", args.out), ("--test", args.test)):
        if name and Path(name).suffix not in (".xyz", ".extxyz", ".h5"):
            raise ValueError(f"The file to write ends with .xyz, .extxyz (extended XYZ) or .h5 (cache). Received {option} {name}.")
    files = [Path(name) for name in (args.out, args.test) if name]
    if len(set(files)) < len(files):
        raise ValueError(f"The structures of the test need a file of their own. Received --out and --test {args.test}.")
    report, sample, tests = data.ReadReport(), [], []
    leave_to_the_report()

    def structures():
        read = data.iread(args.source, **reading(args), require=args.require, skip_bad=args.skip_bad, report=report)
        for atoms, for_test in zip(read, _one_of_ten()):
            if len(sample) < CHECKED:
                sample.append(atoms)
            if args.test and for_test:
                tests.append(atoms)
            else:
                yield atoms
        # The file is not complete before this returns, so that nothing is written of data that are refused.
        print(spelled(str(report)))
        if report.structures and not report.labels["energy"] and not args.no_energy:
            raise ValueError(
                f"None of the {report.structures} structures has an energy. Name its key with --energy-key, or add --no-energy if "
                "structures are all that is wanted."
            )
        if not args.no_check:
            print_doubts(sample, report.structures, args.force)
        if args.test and not tests:
            raise ValueError(f"--test sets one of each ten structures aside. Received {report.structures}; leave it out.")

    for file, kept in zip(files, (structures(), tests)):
        if file.suffix == ".h5":
            data.write_cache(kept, file, args.cutoff)
        else:
            write_xyz(file, kept)
        count = len(tests) if kept is tests else report.structures - len(tests)
        print(f"written     {file}: {count} structures")


def _one_of_ten():
    """True for one of each ten numbers, at random, and the same in each run."""
    draw = random.Random(0)
    while True:
        chosen = draw.randrange(10)
        yield from (number == chosen for number in range(10))


def write_xyz(path: str | os.PathLike, structures: "Iterable[Atoms]") -> None:
    """Write structures one by one as extended XYZ; the file appears when it is complete.

    Raises:
        ValueError: If there is no structure.
    """
    import ase.io

    from keras_ff.files import replace_when_complete

    count = 0
    with replace_when_complete(path) as part:
        with open(part, "w", encoding="utf-8") as file:
            for atoms in structures:
                ase.io.write(file, atoms, format="extxyz")
                count += 1
        if not count:
            raise ValueError("There is no structure to write.")
