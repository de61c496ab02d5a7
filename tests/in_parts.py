"""All tests, a few files in each process: `python tests/in_parts.py [OPTIONS OF PYTEST]`.

TensorFlow never frees what it compiled. One process for all tests would end at the kernel's limit of memory mappings.
"""

import subprocess
import sys
from pathlib import Path

import pytest

FILES = 8


def main(options):
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    bad = 0
    for first in range(0, len(files), FILES):
        part = files[first : first + FILES]
        print(f"-- {part[0].name} to {part[-1].name}", flush=True)
        code = subprocess.run([sys.executable, "-m", "pytest", *options, *map(str, part)]).returncode
        bad += code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return bad


if __name__ == "__main__":
    sys.exit(f"{bad} parts of the tests failed" if (bad := main(sys.argv[1:])) else 0)
