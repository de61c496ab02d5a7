"""The calculator of an artifact, as its folder has it."""

import subprocess
import sys

import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.export import export
from keras_ff.potentials import StillingerWeber

pytestmark = pytest.mark.usefixtures("float64")
KINDS = ("saved_model", "stablehlo") if backend.backend_name() == "jax" else ("saved_model",)


def silicon(cells=1):
    atoms = bulk("Si", a=5.43, cubic=True) * (cells, 1, 1)
    atoms.rattle(0.1, seed=cells)
    return atoms


def test_the_copy_runs_without_the_library(tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    export(model, tmp_path / "silicon", to=KINDS[-1])
    atoms = silicon()
    atoms.write(tmp_path / "silicon.xyz")
    program = (
        "import sys; sys.modules['keras_ff'] = None; sys.path.insert(0, 'silicon')\n"
        "import ase.io\nfrom calculator import ArtifactCalculator\n"
        "atoms = ase.io.read('silicon.xyz'); atoms.calc = ArtifactCalculator('silicon'); print(atoms.get_potential_energy())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    atoms.calc = kff.Calculator(model)
    assert float(done.stdout.split()[-1]) == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
