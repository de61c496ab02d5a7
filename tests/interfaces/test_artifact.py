"""The calculator of an artifact, as its folder has it."""

import copy
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.interfaces.artifact import Artifact, ArtifactCalculator

pytestmark = pytest.mark.usefixtures("float64")


def silicon(cells=1):
    atoms = bulk("Si", a=5.43, cubic=True) * (cells, 1, 1)
    atoms.rattle(0.1, seed=cells)
    return atoms


def test_the_copy_runs_without_the_library(silicon_artifact, silicon_model, tmp_path):
    shutil.copytree(silicon_artifact, tmp_path / "silicon")
    atoms = silicon()
    atoms.write(tmp_path / "silicon.xyz")
    program = (
        "import sys; sys.modules['keras_ff'] = None; sys.path.insert(0, 'silicon')\n"
        "import ase.io\nfrom calculator import ArtifactCalculator\n"
        "atoms = ase.io.read('silicon.xyz'); atoms.calc = ArtifactCalculator('silicon'); print(atoms.get_potential_energy())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    atoms.calc = kff.Calculator(silicon_model)
    assert float(done.stdout.split()[-1]) == pytest.approx(atoms.get_potential_energy(), abs=1e-6)


@pytest.fixture(scope="module")
def calculator(silicon_artifact):
    kff.enable_float64()
    return ArtifactCalculator(silicon_artifact)


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


def test_absurd_structures_are_sentences_and_atoms_far_away_are_isolated(silicon_artifact):
    calculator = ArtifactCalculator(silicon_artifact)

    def refused(atoms, message):
        with pytest.raises(ValueError, match=message):
            calculator.calculate(atoms)

    twice = silicon()
    twice += Atoms("Si", [twice.positions[3]])
    refused(twice, "Si9: Atom 3 and atom 8 are 0.000 Å apart: atoms lie on top of each other. Remove one of them")
    refused(Atoms("Si2", [[0, 0, 0], [5, 0, 5 - 1e-7]], cell=[5] * 3, pbc=True), "Atom 0 and atom 1 are 0.000 Å apart")
    refused(Atoms(cell=[5] * 3, pbc=True), "The structure has no atoms")
    refused(Atoms("X"), r"does not know: \['X'\]")
    refused(bulk("Si", a=5.43e-10), "Are cell, positions and cutoff in Å")
    refused(Atoms("Si", cell=[np.nan] * 3, pbc=True), "not finite")
    refused(Atoms("Si", cell=[[1, 0, 0], [1, 0, 0], [0, 0, 1]], pbc=True), "no volume")
    refused(Atoms("Si2", [[0, 0, 0], [1e300, 0, 0]]), "Are positions and cell in Å")
    for height in (20.0, 1e4, 1e13):
        slab = silicon()
        slab.pbc = [True, True, False]
        calculator.calculate(slab)
        energy, forces = calculator.results["energy"], calculator.results["forces"]
        slab += Atoms("Si", [[2.0, 2.0, height]])
        calculator.calculate(slab)
        assert calculator.results["energy"] == pytest.approx(energy, abs=1e-9)
        np.testing.assert_allclose(calculator.results["forces"][:-1], forces, rtol=0, atol=1e-9)
        assert not calculator.results["forces"][-1].any()
    calculator.calculate(Atoms("Si3", [[0, 0, 0], [2e4, 0, 0], [0, 2e4, 0]]))
    assert calculator.results["energy"] == 0.0 and not calculator.results["forces"].any()


def in_a_fork(calculator, answers):
    try:
        answers.put(calculator.get_property("energy", silicon()))
    except RuntimeError as error:
        answers.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system has no fork")
@pytest.mark.filterwarnings("ignore")
def test_a_forked_process_is_told_so(calculator):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=in_a_fork, args=(calculator, answers), daemon=True)
    process.start()
    assert 'multiprocessing.get_context("spawn")' in answers.get(timeout=30)
    process.join(10)


def test_arrays_that_do_not_belong_together_are_refused(calculator):
    artifact = calculator.artifact
    vectors, mask, ones = np.ones((2, 3, 3)), np.ones((2, 3), bool), np.zeros((2, 3), int)
    with pytest.raises(ValueError, match=r"Expected the shapes \(N, K, 3\)"):
        artifact(vectors, mask, np.zeros(3, int), ones)
    with pytest.raises(ValueError, match="Species are from -1 to 0. Received 0 to 1"):
        artifact(vectors, mask, np.array([0, 1]), ones)
    with pytest.raises(ValueError, match="Species are from 0 to 0. Received -1 to -1"):
        artifact(vectors, mask, np.zeros(2, int), ones - 1)


def test_a_function_of_another_dtype_is_seen(silicon_artifact, tmp_path):
    """By an artifact from before descriptions had checksums."""
    folder = shutil.copytree(silicon_artifact, tmp_path / "silicon")
    description = json.loads((folder / "artifact.json").read_text())
    del description["checksum"]
    (folder / "artifact.json").write_text(json.dumps({**description, "dtype": "float32"}))
    with pytest.raises(ValueError, match="has vectors .*float64.* where artifact.json says .*float32"), pytest.warns(UserWarning):
        Artifact(folder)


def test_the_calculator_of_models_takes_its_folder(silicon_artifact):
    assert isinstance(kff.Calculator(silicon_artifact), ArtifactCalculator)
    with pytest.raises(FileNotFoundError, match="an artifact, which keras_ff.Calculator takes"):
        kff.load(silicon_artifact)
