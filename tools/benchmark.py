"""Measure speed, memory and accuracy on this machine.

    keras-ff benchmark speed --data neuralil/       energies, forces, training steps, MD calls, large systems, reading
    keras-ff benchmark accuracy --data mlearn/      train on each element and evaluate on its test set
    keras-ff benchmark classical --write FILE       the rows are added to a Markdown table (BENCHMARKS.md)

Times are CPU seconds of the process and wall seconds, of compiled and warm functions. Nothing else should run meanwhile. Each
measurement runs in a process of its own. With --write FILE the rows are added to a Markdown table with date, machine and versions.

Data (--data FOLDER):
    mlearn      files Si_train.xyz, Si_test.xyz, ... of the mlearn set; by default the bundled ones of silicon and molybdenum
    germanium   the same with Ge and Si
    neuralil    ean_validation.xyz and ean_split_60_15.json
    sets        folders mlearn, neuralil (as above) and unlike (3BPA_300K_train.xyz.gz, InP_train.xyz.gz, Ta_train.xyz.gz, ...)
    paper       SPOSCAR and FORCE_CONSTANTS_VASP of M3RG-IITD/Force-field-optimization on GitHub
    lammps      Ti.meam.spline; by default that of the installed LAMMPS

The benchmarks are in the repository, not in the installed package.
"""

import argparse
import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

BUNDLED = Path(__file__).resolve().parent.parent / "tutorials" / "data"


@dataclasses.dataclass(frozen=True)
class Suite:
    """What a benchmark measures.

    Attributes:
        text: What it is about.
        measurements: Names of its measurements, each of which runs in a process of its own, with the kind of data that it needs.
    """

    text: str
    measurements: dict[str, str | None]


SUITES = {
    "speed": Suite(
        "energies, forces, training steps, MD calls, large systems, reading",
        {"ean": "neuralil", "scaling": None, "calculator": None, "reading": None},
    ),
    "accuracy": Suite("train on each element and evaluate on its test set", {"element": "mlearn"}),
    "ean": Suite("the same for ethylammonium nitrate, frozen split", {"accuracy": "neuralil"}),
    "choice": Suite(
        "whether a run delivers the better of its two models", dict.fromkeys(("first-seed", "second-seed", "third-seed"), "sets")
    ),
    "presets": Suite(
        "write the presets; `networks` are those of the runs of `choice`",
        dict.fromkeys(("networks", "committee", "splines", "classical"), "sets"),
    ),
    "classical": Suite("classical potentials, against LAMMPS if it is installed", {"potentials": None}),
    "splines": Suite("spline MEAM of titanium, likewise", {"titanium": "lammps"}),
    "spline-networks": Suite(
        "spline networks: one for each element, and shared filters", dict.fromkeys(("single", "shared", "transfer"), "mlearn")
    ),
    "crystal-fits": Suite("silicon fitted to elastic constants and phonons", {"fits": "paper"}),
    "silica-fit": Suite("silica fitted to elastic constants of quartz", {"kept": None, "relaxed": None}),
    "dispersion": Suite("silicon fitted to force constants or frequencies of DFT", {"classical": "paper", "networks": "paper"}),
    "dynamics": Suite("molecular dynamics, and gradients through it", {"loop": None, "gradients": None}),
    "liquid": Suite("averages over liquid silicon, and a fit to them", {"derivatives": None, "fits": "mlearn"}),
    "lammps": Suite("the plugin of LAMMPS, on one and several processes", dict.fromkeys(("native", "network", "ranks", "hot"))),
    "gpu": Suite(
        "a GPU: its numbers against the CPU, molecular dynamics, training", dict.fromkeys(("correct", "speed", "training"))
    ),
    "ensembles": Suite("committees: cost, errors and their prediction", dict.fromkeys(("cost", "committee", "deep"), "neuralil")),
    "extrapolation": Suite("which structures are told apart from those of the training set", {"grades": "mlearn"}),
    "active-learning": Suite("structures picked by a committee or at random", {"curves": "mlearn"}),
    "scale": Suite(
        "100,000 structures from disk; germanium from a model of silicon", {"streaming": None, "fine-tuning": "germanium"}
    ),
}

# Where data of a kind is if nothing is said: bundled, or found by the benchmark itself.
DEFAULT_DATA = {"mlearn": BUNDLED, "lammps": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    lines = []
    for name, suite in SUITES.items():
        measurements = ", ".join(one + (f" ({kind})" if kind else "") for one, kind in suite.measurements.items())
        lines.append(f"  {name:<16} {suite.text}\n{'':<19}{measurements}")
    parser.epilog = "Suites, and their measurements (with the data that they need):\n" + "\n".join(lines)
    parser.add_argument("suite", choices=SUITES, metavar="SUITE", help="what to measure, see below")
    parser.add_argument("--data", metavar="FOLDER", help="where the data is")
    text = "elements of accuracy and spline-networks; by default all in the folder"
    parser.add_argument("--elements", nargs="+", metavar="SYMBOL", help=text)
    parser.add_argument("--minutes", type=float, default=5.0, metavar="M", help="wall time of each training, start-up included (5)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some measurements of the suite")
    parser.add_argument("--write", metavar="FILE", help="Markdown file that the rows are added to")
    parser.add_argument("--out", metavar="FOLDER", default="runs/benchmark", help="where the training runs are kept")


def run(args: argparse.Namespace) -> None:
    """Run the measurements of a suite one after the other.

    Raises:
        FileNotFoundError: If the benchmarks are not there.
        ValueError: If data is missing, or a measurement is unknown.
        RuntimeError: If a measurement fails.
    """
    if importlib.util.find_spec("keras_ff_tools.benchmarks") is None:
        raise FileNotFoundError(
            "The benchmarks are in the repository, not in the installed package: clone it, run `pip install -e .` in its folder, "
            "and then `keras-ff benchmark` again."
        )
    rows = []
    for command in commands(args):
        # A process for each, so that memory and compilation are its own.
        print(f"\n$ {' '.join(command[2:])}", flush=True)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment(args.suite)) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                if line.startswith("| "):
                    rows.append(line[2:].rstrip())
        if process.returncode:
            raise RuntimeError(f"The measurement {' '.join(command[2:])} ended with status {process.returncode}.")
    if args.write:
        from keras_ff_tools.benchmarks.measure import append

        append(args.write, rows, "keras-ff " + " ".join(word for word in sys.argv[1:] if word))
        print(f"\n{len(rows)} rows added to {args.write}")


def commands(args: argparse.Namespace) -> list[list[str]]:
    """The measurements as command lines, one process each."""
    measurements, found = SUITES[args.suite].measurements, []
    if unknown := sorted(set(args.only or ()) - set(measurements)):
        raise ValueError(f"The measurements of {args.suite} are {', '.join(measurements)}. Received --only {' '.join(unknown)}.")
    for name in args.only or measurements:
        kind, data = measurements[name], args.data
        if kind and not data and kind not in DEFAULT_DATA:
            print(f"{args.suite} {name} is left out: it needs --data, the folder of the {kind} data (see --help)")
            continue
        data = data or kind and DEFAULT_DATA[kind]
        options = ["--minutes", str(args.minutes), "--out", args.out, *(["--data", str(data)] if data else [])]
        one = [sys.executable, "-m", "keras_ff_tools.benchmarks", args.suite, name, *options]
        found += [[*one, "--elements", *some] if some else one for some in _elements(args, name, data)]
    if not found:
        raise ValueError(f"Nothing of {args.suite} can be measured: see above, and keras-ff benchmark --help.")
    return found


def _elements(args, name, data):
    """Groups of elements, each of which is measured in a process of its own; a group of none where the suite has no elements."""
    if args.suite not in ("accuracy", "spline-networks"):
        return [[]]
    elements = args.elements or sorted({file.split("_train.xyz")[0] for file in os.listdir(data) if "_train.xyz" in file})
    if not elements:
        raise ValueError(f"There are no files such as Si_train.xyz in {data}. Name the folder of the mlearn set with --data.")
    if name in ("element", "single"):
        return [[symbol] for symbol in elements]
    return [elements] if len(elements) > {"shared": 1, "transfer": 2}[name] else []


def _environment(suite):
    """Environment of a measurement. Where compilations are timed, nothing is taken from the cache."""
    cache = {} if suite in ("active-learning", "scale") else {"KERAS_FF_CACHE": "off"}
    return {**cache, **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
