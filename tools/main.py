"""The program `keras-ff`: finds the verb, sets the backend, and prints errors as sentences."""

import argparse
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import version

from keras_ff_tools.arguments import meant, spelled
from keras_ff_tools.quiet import QuietTensorFlow

# Modules are imported when their verb is used, so that help appears at once.
VERBS = {
    "demo": "train on silicon, simulate, and write a report, in about four minutes",
    "tutorials": "copy the tutorials and their data into a folder",
    "convert": "structures and labels from any source into one checked file",
    "train": "train a new force field, or any saved one further; everything lands in a run folder",
    "evaluate": "errors of a model on labeled structures: table, parity plots, CSV",
    "presets": "finished models that come with the library",
    "info": "what a model file, a run folder or a data file holds",
    "relax": "relax structures, atoms and cells, with a model",
    "md": "molecular dynamics with a model",
    "phonons": "phonon bands, density of states, free energy, entropy and heat capacity of a crystal",
    "elastic": "elastic constants of a crystal, moduli, stability and anisotropy",
    "lammps": "build the plugin that runs exported models in LAMMPS",
    "check": "test a saved model on your structures: derivatives, invariances, backends",
    "export": "a SavedModel or StableHLO that runs without this library",
    "ipi": "forces for i-PI: molecular dynamics, path integrals",
    "benchmark": "measure speed, memory and accuracy on this machine",
}

DESCRIPTION = """\
Interatomic force fields with Keras, on JAX or TensorFlow.

A force field in four steps:

  keras-ff convert vasp_runs/ -o data.xyz            collect the data, and look at it with doubt
  keras-ff train --train data.xyz --minutes 5 --out runs/first
  keras-ff evaluate runs/first test.xyz              errors on structures it has not seen
  keras-ff info runs/first                           what was trained, from what, with which versions

In Python:  atoms.calc = keras_ff.Calculator("runs/first")
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after `keras-ff`; those of the process by default.

    Returns:
        Exit status: 0, 1 if a check has failed or a training diverged, 2 for an error, 130 for Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    args = _parser(arguments).parse_args(arguments)
    if args.verb is None:
        _parser([]).print_help()
        return 2
    # XLA prints a page of false alarms for each function that it finds in the compilation cache.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    format_before, warnings.formatwarning = warnings.formatwarning, _format_warning
    sys.meta_path.insert(0, quiet := QuietTensorFlow())
    try:
        if args.backend:
            _set_backend(args.backend)
        _import(args.modules)
        with warnings.catch_warnings():
            return args.run(args) or 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except FloatingPointError as error:
        print(f"keras-ff {args.verb}: {_explain(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, ImportError, TypeError, ArithmeticError, RuntimeError, MemoryError) as error:
        if args.debug:
            traceback.print_exc()
        print(f"keras-ff {args.verb}: {_explain(error)}", file=sys.stderr)
        return 2
    finally:
        warnings.formatwarning = format_before
        sys.meta_path.remove(quiet)


def _parser(arguments):
    parser = argparse.ArgumentParser("keras-ff", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"keras_ff {version('keras_ff')}")
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    if wanted and wanted not in VERBS and (told := meant(wanted, VERBS)):
        parser.error(f"there is no verb {wanted!r}.{told}")
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == wanted:
            module = importlib.import_module(f"keras_ff_tools.{name}")
            verb.description = module.__doc__
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
        common = verb.add_argument_group("every verb")
        common.add_argument("--backend", metavar="NAME", help="jax or tensorflow; by default KERAS_BACKEND, or the installed one")
        common.add_argument(
            "--import", dest="modules", action="append", default=[], metavar="MODULE", help="a module with classes of yours"
        )
        common.add_argument("--debug", action="store_true", help="show the Python traceback of an error")
    return parser


def _set_backend(name):
    if name not in ("jax", "tensorflow"):
        raise ValueError(f"The backends are jax and tensorflow. Received --backend {name}.")
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != name:
        raise ValueError(
            f"Keras runs on {sys.modules['keras'].config.backend()} in this process already. Received --backend {name}: "
            "start another process for it."
        )
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = name
    try:
        importlib.import_module("keras_ff")  # Looks whether the backend is known and installed, and imports Keras.
    except (ValueError, ImportError):
        os.environ.pop("KERAS_BACKEND")
        if before is not None:
            os.environ["KERAS_BACKEND"] = before
        raise


def _import(modules):
    """Import modules of the user, which Python looks for in the present folder too, also in processes that follow."""
    if modules:
        sys.path.insert(0, os.getcwd())
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    for name in modules:
        importlib.import_module(name)


def _explain(error):
    """One paragraph that a user can act on."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
        return (
            "The memory does not suffice. Use a smaller --batch-size, or leave the largest structures out. "
            f"({text.splitlines()[0][:300]})"
        )
    text = spelled(text)
    # Errors of other libraries say little without their kind.
    return text if isinstance(error, (ValueError, OSError, ImportError, FloatingPointError)) else f"{type(error).__name__}: {text}"


def _format_warning(message, category, filename, lineno, line=None):
    return f"Warning: {spelled(str(message))}\n"


if __name__ == "__main__":
    sys.exit(main())
