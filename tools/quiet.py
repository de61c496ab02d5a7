"""TensorFlow without the lines about missing CUDA drivers that it prints when it is imported, whatever its log level is."""

import importlib.machinery
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NOISE = r"WARNING: All log messages before absl::InitializeLog\(\)|cudart_stub\.cc|cuda_(dnn|fft|blas)\.cc|computation_placer\.cc"

# Ctrl-C is for the process whose lines these are.
FILTER = """
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
noise = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not noise.search(line):
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
"""


@contextmanager
def without_noise() -> Iterator[None]:
    """What the process and its libraries write to standard error goes through a filter that leaves out the lines of `NOISE`.

    The filter is a process of its own: what a library says before it ends this one, as TensorFlow does on a CPU without AVX, is
    written as well.
    """
    sys.stderr.flush()
    with subprocess.Popen([sys.executable, "-ISc", FILTER, NOISE], stdin=subprocess.PIPE) as filtered:
        before = os.dup(2)
        os.dup2(filtered.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)


class QuietTensorFlow:
    """Finder of modules that imports `tensorflow` within `without_noise`, and leaves all others to the finders that follow."""

    def find_spec(self, name, path=None, target=None):
        """Specification of `tensorflow` with a quiet loader; None for other modules."""
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                with without_noise():
                    execute(module)

            spec.loader.exec_module = exec_module
        return spec
