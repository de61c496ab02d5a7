"""Errors of a model on structures with labels.

Prints mean absolute, root-mean-square and largest errors of energy (meV/atom), forces (meV/Å, components) and stress (GPa), for all
structures and for each group (`group` or `config_type` of the file). With --out, writes the table and one line for each structure
as CSV, and parity plots.

  keras-ff evaluate runs/first test.xyz
  keras-ff evaluate silicon.keras melt.xyz surfaces.db --out evaluation
  keras-ff evaluate silicon.keras raw.xyz --energy-key E_dft --forces-key F_dft
"""

from pathlib import Path


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best model is taken")
    parser.add_argument("source", nargs="+", metavar="FILES", help="file, folder, pattern or file@frames")
    parser.add_argument("--out", metavar="FOLDER", help="write errors.csv, structures.csv and parity plots here")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="structures at a time (default 8)")
    for kind in ("energy", "forces", "stress"):
        parser.add_argument(f"--{kind}-key", metavar="NAME", help=f"name of the {kind} in the files, if it is no common one")
    parser.add_argument("--skip-bad", action="store_true", help="leave broken frames out and go on")


def run(args):
    from keras_ff import data, load, training  # noqa: F401, training has the losses that a compiled model names.
    from keras_ff_tools import evaluation

    keys = {f"{kind}_key": getattr(args, f"{kind}_key") for kind in ("energy", "forces", "stress")}
    path = model_file(args.model)
    model = load(path)
    structures, report = data.read_with_report(args.source, **keys, skip_bad=args.skip_bad)
    if not any(report.labels.values()):
        raise ValueError(
            f"None of the {report.structures} structures has a label, so there is nothing to compare with. "
            "Name the keys of the file with --energy-key, --forces-key, --stress-key."
        )
    predictions = evaluation.predict(model, structures, args.batch_size)
    rows = predictions.errors()
    print(f"model  {path}\n\n{report}\n\n{evaluation.error_table(rows)}")
    if args.out:
        out = Path(args.out)
        evaluation.write_errors(out / "errors.csv", rows)
        evaluation.write_structures(out / "structures.csv", predictions)
        _write_figures(out, predictions)
        print(f"\nwritten to {out}")


def model_file(name):
    """The model that a user means: the file, or the best model in a run folder.

    Raises:
        FileNotFoundError: If there is no such file, or the run has no model yet.
    """
    from keras_ff_tools.run_folder import RunFolder

    path = Path(name)
    if not path.is_dir():
        return path
    best = RunFolder(path).best
    if not best.exists():
        raise FileNotFoundError(
            f"The folder {path} has no {best.name}. Give a .keras file or the folder of a run of keras-ff train."
        )
    return best


def _write_figures(folder, predictions):
    from keras_ff_tools import report

    for kind, figure in report.parity_figures(predictions).items():
        figure.savefig(folder / f"parity_{kind}.png")
