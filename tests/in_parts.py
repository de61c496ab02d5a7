"""Tests on both backends, a few files in each process: `python tests/in_parts.py [OPTIONS OF PYTEST] [FILES OR FOLDERS]`.

Without files, all are run, and the examples in the docstrings of keras_ff as a part of their own; on both backends, or on that of
ONLY_BACKEND of the environment. Of the examples one backend, the last, runs those that do not concern backends.

A process runs one backend, and TensorFlow never frees what it compiled: one process for all tests would end at the kernel's limit
of memory mappings. Two processes run at a time. What they print is shown when they end, and the result is 0 if no test failed.

Most of the time goes into compiling functions that run a few times, so XLA compiles with little optimization here; XLA_FLAGS of the
environment come before that, also if empty. `python -m pytest` compiles as users do.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import pytest

# The slower one first, and the slowest files, so that no long part is left at the end; the examples fill the time that one process
# has left there. A run that several files look at is trained in each process anew.
BACKENDS = ("tensorflow", "jax")
# Readers, damaged files, neighbor lists, batches and figures are NumPy, and the choice of a backend comes before it: one, the
# last, runs them.
WITHOUT_BACKEND = {"data", "plots", "robustness", "test_imports.py", "test_choose_backend.py"}
SLOWEST = "potentials"
TRAINED = "run_folder"
FILES = 36
PROCESSES = 2
PACKAGE = Path(__file__).parents[1] / "keras_ff"
# On the CPU these halve the time of compiling, and cost some speed. Small functions are not worth a division among threads.
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if [int(number) for number in version("jax").split(".")[:3]] < [0, 11, 1]:
    # The XLA of later releases has no such flag, and ends the process at flags that it does not know.
    XLA_FLAGS += " --xla_cpu_use_fusion_emitters=false"
ENVIRONMENT = {
    "XLA_FLAGS": XLA_FLAGS,
    # JAX writes the lines of the program that an operation comes from into what it compiles, in a tenth of its time.
    "JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "0",
    # Two processes on two cores: further threads, of BLAS, TensorFlow and XLA, would wait for each other, and do so by spinning.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NPROC": "1",
}


def main(arguments):
    named = [Path(argument).resolve() for argument in arguments if Path(argument).exists()]
    paths = named or [Path(__file__).parent]
    options = [argument for argument in arguments if not Path(argument).exists()]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("test_*.py"))}
    files = sorted(files, key=lambda file: (TRAINED not in file.read_text("utf-8"), file.parent.name != SLOWEST, file))
    parts = []
    backends = [backend for backend in BACKENDS if backend in os.environ.get("ONLY_BACKEND", " ".join(BACKENDS)).split()]
    for backend in backends:
        own = [file for file in files if backend == backends[-1] or not {file.parent.name, file.name} & WITHOUT_BACKEND]
        if named:
            # A few named files last equally long in all processes.
            count = max(-(-len(own) // FILES), min(PROCESSES, len(own)))
            parts += [(first, backend, own[first::count]) for first in range(count)]
        else:
            parts += [(first, backend, own[first : first + FILES]) for first in range(0, len(own), FILES)]
        examples = PACKAGE if backend == backends[-1] else PACKAGE / "backend"
        parts += [(len(files), backend, ["--doctest-modules", examples])] * (not named)
    # Both backends side by side: a stable sort.
    parts = [part for _, *part in sorted(parts, key=lambda part: part[0])]
    bad = 0
    with ThreadPoolExecutor(PROCESSES) as pool:
        for done in as_completed([pool.submit(run, backend, part, options) for backend, part in parts]):
            title, output, code = done.result()
            print(f"== {title}\n{output}", flush=True)
            if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                print(f"== {title} ended with status {code}", flush=True)
                bad += 1
    return bad


def run(backend, part, options):
    """Title, output and exit status of one process of pytest."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, part)],
        env={**ENVIRONMENT, **os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    title = "examples in docstrings" if "--doctest-modules" in part else f"{part[0].name} to {part[-1].name}"
    return f"{backend}: {title}", done.stdout, done.returncode


if __name__ == "__main__":
    sys.exit(f"{bad} parts of the tests failed" if (bad := main(sys.argv[1:])) else 0)
