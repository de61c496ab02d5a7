"""Errors of a model on structures with labels.

Prints mean absolute, root-mean-square and largest errors of energy (meV/atom), forces (meV/Å, components) and stress (GPa), for all
structures and for each group (`group` or `config_type` of the file). With --out, writes the table and one line for each structure
as CSV, and parity plots.

  keras-ff evaluate runs/first test.xyz
  keras-ff evaluate silicon.keras melt.xyz surfaces.db --out evaluation
  keras-ff evaluate silicon.keras raw.xyz --energy-key E_dft --forces-key F_dft
"""

import argparse
from pathlib import Path

from keras_ff_tools.arguments import add_force, add_reading, leave_to_the_report, reading, spelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best model is taken")
    parser.add_argument("source", nargs="+", metavar="FILES", help="file, folder, pattern or file@frames")
    parser.add_argument("--out", metavar="FOLDER", help="write errors.csv, structures.csv and parity plots here")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="structures at a time (default 8)")
    add_reading(parser)
    add_force(parser)
    parser.add_argument("--skip-bad", action="store_true", help="leave broken frames out and continue")


def run(args: argparse.Namespace) -> None:
    """Print the table of errors, and write files if asked for."""
    from keras_ff import data, load
    from keras_ff.models.files import model_file
    from keras_ff_tools.run import evaluation
    from keras_ff_tools.run.doubts import CHECKED, print_doubts

    path = model_file(args.model)
    model = load(path)
    leave_to_the_report()
    structures, report = data.read_with_report(args.source, **reading(args), skip_bad=args.skip_bad)
    if not any(report.labels.values()):
        raise ValueError(
            f"None of the {report.structures} structures has a label, so there is nothing to compare with. "
            "Name the keys of the file with --energy-key, --forces-key, --stress-key."
        )
    print_doubts(structures[:CHECKED], len(structures), args.force)
    predictions = evaluation.predict(model, structures, args.batch_size)
    rows = predictions.errors()
    print(f"model  {path}\n\n{spelled(str(report))}\n\n{evaluation.error_table(rows)}")
    if args.out:
        out = Path(args.out)
        evaluation.write_errors(out / "errors.csv", rows)
        evaluation.write_structures(out / "structures.csv", predictions)
        _write_figures(out, predictions)
        print(f"\nwritten to {out}")


def _write_figures(folder, predictions):
    from keras_ff_tools.run import report

    for kind, figure in report.parity_figures(predictions).items():
        figure.savefig(folder / f"parity_{kind}.png")
