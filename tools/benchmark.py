"""Measure speed, memory and accuracy on this machine.

    keras-ff benchmark speed                        energies, forces, training steps, MD calls, large systems
    keras-ff benchmark accuracy --data mlearn/      train on each element and evaluate on its test set
    keras-ff benchmark ean --data neuralil/         the same for ethylammonium nitrate, frozen split
    keras-ff benchmark classical                    classical potentials, against LAMMPS if it is installed
    keras-ff benchmark splines                      spline MEAM of titanium, likewise
    keras-ff benchmark spline-networks --data mlearn/   spline networks: one for each element, and shared filters
    keras-ff benchmark crystal-fits --data paper/   silicon fitted to elastic constants and phonons
    keras-ff benchmark silica-fit                   silica fitted to elastic constants of quartz
    keras-ff benchmark dispersion --data paper/     silicon fitted to force constants or frequencies of DFT
    keras-ff benchmark dynamics                     molecular dynamics, and gradients through it
    keras-ff benchmark liquid --data mlearn/        averages over liquid silicon, and a fit to them
    keras-ff benchmark lammps                       the plugin of LAMMPS, on one and several processes
    keras-ff benchmark ensembles --data neuralil/   committees: cost, errors and their prediction
    keras-ff benchmark extrapolation --data mlearn/     which structures are told apart from those of the training set
    keras-ff benchmark active-learning              structures picked by a committee or at random, from the silicon of mlearn
    keras-ff benchmark scale --data mlearn/         100,000 structures from disk; with --data germanium from a model of silicon

Times are CPU seconds of the process and wall seconds, of compiled and warm
functions. Nothing else should run meanwhile. With --write FILE the rows are
added to a Markdown table (BENCHMARKS.md) with date, machine and versions.

The data of `accuracy`, `spline-networks`, `liquid`, `extrapolation` and `scale` are files Si_train.xyz, Si_test.xyz,
... (mlearn set); the bundled files are used without --data. The data of `ean` and `ensembles` are
ean_validation.xyz and ean_split_60_15.json. `splines` reads Ti.meam.spline of
the installed LAMMPS, or of the folder given with --data. `crystal-fits` and
`dispersion` read SPOSCAR and FORCE_CONSTANTS_VASP of M3RG-IITD/Force-field-optimization on GitHub.
"""

import datetime
import os
import platform
import subprocess
import sys

SUITES = (
    "speed",
    "accuracy",
    "ean",
    "classical",
    "splines",
    "spline-networks",
    "crystal-fits",
    "silica-fit",
    "dispersion",
    "dynamics",
    "liquid",
    "lammps",
    "ensembles",
    "extrapolation",
    "active-learning",
    "scale",
)


def add_arguments(parser):
    parser.add_argument("suite", choices=SUITES, help="what to measure")
    parser.add_argument("--data", metavar="FOLDER", help="where the data is")
    parser.add_argument(
        "--elements", nargs="+", metavar="SYMBOL", help="of `accuracy` and `spline-networks`; by default all in the folder"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="wall time of each training, start-up included (5)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="of `speed`: ean, scaling, calculator; of `lammps`: native, network, ranks, hot; of `ensembles`: cost, ...",
    )
    parser.add_argument("--write", metavar="FILE", help="Markdown file that the rows are added to")
    parser.add_argument("--out", metavar="FOLDER", default="runs/benchmark", help="where the training runs are kept")


def run(args):
    rows = []
    for command in commands(args):
        # A process for each, so that memory and compilation are its own.
        print(f"\n$ {' '.join(command[2:])}", flush=True)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                if line.startswith("| "):
                    rows.append(line[2:].rstrip())
        if process.returncode:
            raise RuntimeError(f"The measurement {' '.join(command[2:])} ended with status {process.returncode}.")
    if args.write:
        append(args.write, rows, "keras-ff " + " ".join(word for word in sys.argv[1:] if word))
        print(f"\n{len(rows)} rows added to {args.write}")


def commands(args):
    """The measurements as command lines, one process each."""
    module = [sys.executable, "-m"]
    if args.suite == "speed":
        names = args.only or ("ean", "scaling", "calculator")
        return [[*module, "keras_ff_tools.benchmark_speed", name, *([args.data] if args.data else [])] for name in names]
    if args.suite == "lammps":
        return [[*module, "keras_ff_tools.benchmark_lammps", name] for name in args.only or ("native", "network", "ranks", "hot")]
    if args.suite in ("crystal-fits", "dispersion"):
        if not args.data:
            raise ValueError(f"{args.suite} needs --data, a folder with SPOSCAR and FORCE_CONSTANTS_VASP.")
        return [[*module, f"keras_ff_tools.benchmark_{args.suite.replace('-', '_')}", args.data]]
    if args.suite in ("classical", "silica-fit", "dynamics"):
        return [[*module, f"keras_ff_tools.benchmark_{args.suite.replace('-', '_')}"]]
    if args.suite == "splines":
        return [[*module, "keras_ff_tools.benchmark_splines", *([args.data] if args.data else [])]]
    data = args.data or os.path.join(os.path.dirname(__file__), "..", "tutorials", "data")
    if args.suite == "ean":
        return [[*module, "keras_ff_tools.benchmark_accuracy", "EAN", data, str(args.minutes), args.out]]
    if args.suite == "ensembles":
        names = args.only or ("cost", "committee", "deep")
        return [[*module, "keras_ff_tools.benchmark_ensembles", name, data, str(args.minutes)] for name in names]
    if args.suite == "extrapolation":
        return [[*module, "keras_ff_tools.benchmark_ensembles", "extrapolation", data, args.out]]
    if args.suite == "active-learning":
        return [[*module, "keras_ff_tools.benchmark_active", data, args.out]]
    if args.suite == "liquid":
        return [[*module, "keras_ff_tools.benchmark_liquid", data]]
    if args.suite == "scale":
        suite = [*module, "keras_ff_tools.benchmark_scale"]
        return [[*suite, "streaming"], *([[*suite, "fine-tuning", args.data]] if args.data else [])]
    elements = args.elements or sorted({name.split("_train.xyz")[0] for name in os.listdir(data) if "_train.xyz" in name})
    if not elements:
        raise ValueError(f"There are no files such as Si_train.xyz in {data}. Name the folder of the mlearn set with --data.")
    if args.suite == "spline-networks":
        rows = [[symbol, data] for symbol in elements]
        if len(elements) > 1:
            rows.append([",".join(elements), data])
        if len(elements) > 2:
            rows.append([",".join(elements[:-1]), data, elements[-1]])
        return [[*module, "keras_ff_tools.benchmark_spline_networks", *row] for row in rows]
    return [[*module, "keras_ff_tools.benchmark_accuracy", name, data, str(args.minutes), args.out] for name in elements]


def environment():
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}


def machine():
    """One line: processor, cores, versions."""
    # Deferred: Keras is slow to import, and only --write needs it here.
    from keras_ff_tools.run_folder import versions

    found = versions()
    software = ", ".join(f"{name} {found[name]}" for name in ("python", "keras_ff", "keras", found["backend"], "numpy", "vesin"))
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.processor())
    except OSError:
        processor = platform.processor() or platform.machine()
    return f"{processor}, {found['cores']} cores; {software}"


def append(path, rows, command):
    """Add rows to a Markdown file as a dated section."""
    lines = [f"\n### {datetime.date.today()}, `{command}`", "", f"{machine()}", "", "| what | measured |", "|---|---|"]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n".join([*lines, *(f"| {row}" for row in rows)]) + "\n")
