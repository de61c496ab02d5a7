"""The calculator of an artifact, as its folder has it."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.export import export
from keras_ff.interfaces.artifact import ArtifactCalculator
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


def test_threads_may_share_it_and_processes_get_copies(silicon_artifact):
    def forces(calculator, seed):
        atoms = silicon(1 + seed % 2)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = calculator
        return atoms.get_forces()

    calculator = ArtifactCalculator(silicon_artifact)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: forces(calculator, seed), range(24)))
    alone = pickle.loads(pickle.dumps(copy.deepcopy(calculator)))
    for seed, result in enumerate(found):
        np.testing.assert_allclose(result, forces(alone, seed), rtol=0, atol=1e-10)


@pytest.mark.skipif(backend.backend_name() == "jax", reason="Programs of JAX say it in themselves")
def test_a_saved_model_is_run_with_all_digits_of_float32(silicon_artifact):
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    ArtifactCalculator(silicon_artifact)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
