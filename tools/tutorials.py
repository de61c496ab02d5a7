"""Copy the tutorials out of the installed package: notebooks with their figures, the same as Python programs, and their data.

  keras-ff tutorials                       into the folder tutorials, and lists them
  keras-ff tutorials -o learn/keras_ff
  cd tutorials && jupyter lab 01_silicon.ipynb

A tutorial runs in the folder that it is copied to, as a notebook (pip install notebook) or as a program (python 01_silicon.py).
Some need more than the library: LAMMPS, i-PI, pymatgen. A file that you have changed is kept, and named.
"""

import argparse
from pathlib import Path

# A clone has the tutorials beside this folder, an installed package within it, where pyproject.toml puts them.
_HERE = Path(__file__).resolve().parent
TUTORIALS = _HERE.parent / "tutorials" if _HERE.name == "tools" else _HERE / "notebooks"
DATA = TUTORIALS / "data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("-o", "--out", default="tutorials", metavar="FOLDER", help="where they are copied to (default tutorials)")


def run(args: argparse.Namespace) -> None:
    """Copy the files that are not there yet, and list the notebooks."""
    from keras_ff.files import replace_when_complete

    out = Path(args.out)
    kept = []
    for source in sorted(file for pattern in ("*.ipynb", "[0-9]*.py", "data/*") for file in TUTORIALS.glob(pattern)):
        target = out / source.relative_to(TUTORIALS)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            with replace_when_complete(target) as part:
                part.write_bytes(source.read_bytes())
        elif target.read_bytes() != source.read_bytes():
            kept.append(target)
    for program in sorted(TUTORIALS.glob("[0-9]*.py")):
        print(f"{out / program.with_suffix('.ipynb').name!s:<44} {_title(program)}")
    for target in kept:
        print(f"kept as it was: {target}, which differs from that of this version. Remove it, or choose another folder with --out.")


def _title(program):
    """Heading of a tutorial: the first line of its first cell."""
    return next(line for line in program.read_text(encoding="utf-8").splitlines() if line.startswith("# # ")).removeprefix("# # ")
