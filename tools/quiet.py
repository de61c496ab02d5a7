"""TensorFlow without the lines about missing CUDA drivers that it prints when it is imported, whatever its log level is."""

import importlib.machinery
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)|cudart_stub\.cc|cuda_(dnn|fft|blas)\.cc|computation_placer\.cc"
)


@contextmanager
def without_noise() -> Iterator[None]:
    """What the process and its libraries write to standard error comes at the end, without the lines of `NOISE`."""
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            written.seek(0)
            for line in written:
                if not NOISE.search(line):
                    os.write(2, line)


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
