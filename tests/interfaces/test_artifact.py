"""The calculator of an artifact, as its folder has it."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.export import export
from keras_ff.interfaces.artifact import Artifact, ArtifactCalculator
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


@pytest.fixture(scope="module")
def calculator(silicon_artifact):
    kff.enable_float64()
    return ArtifactCalculator(silicon_artifact)


def twice(shift):
    """A crystal in which atom 3 is there twice."""
    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.append("Si")
    atoms.positions[-1] = atoms.positions[3] + shift
    return atoms


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (twice(0.0), "Atom 3 and atom 8 are 0.000 Å apart: atoms lie on top of each other"),
        (twice(1e-8), "Atom 3 and atom 8"),
        (twice(bulk("Si", a=5.43, cubic=True).cell[0]), "Atom 3 and atom 8"),
        (Atoms(), "The structure has no atoms"),
        (Atoms("Si", [[np.nan, 0, 0]]), "The position of atom 0 is"),
        (Atoms("Si2", [[0, 0, 0], [0, 0, np.inf]], cell=[5, 5, 5], pbc=True), "The position of atom 1 is"),
        (Atoms("Si", cell=[5, 5, np.nan], pbc=True), "cell has entries that are not finite"),
        (Atoms("Si", cell=[5, 5, 0], pbc=True), "has no volume in its periodic directions"),
        (Atoms("Si", cell=[5e-10, 5e-10, 5e-10], pbc=True), "Are cell, positions and cutoff in Å"),
    ],
)
def test_structures_that_cannot_be_are_refused_at_once(calculator, atoms, message):
    atoms.calc = calculator
    began = time.monotonic()
    with pytest.raises(ValueError, match=message):
        atoms.get_potential_energy()
    assert time.monotonic() - began < 5


def test_atoms_far_away_have_no_neighbors(calculator):
    """Without a grid of cells between them, which would fill the memory."""
    crystal = bulk("Si", a=5.43, cubic=True)
    crystal.calc = calculator
    energy = crystal.get_potential_energy()
    slab = crystal.copy()
    slab.pbc = True, True, False
    slab.calc = calculator
    surface = slab.get_potential_energy()
    slab.append("Si")
    slab.positions[-1] = [0, 0, 1e6]
    assert slab.get_potential_energy() == pytest.approx(surface, abs=1e-9)
    far = Atoms("Si2", [[0, 0, 0], [1e5, 2e5, 3e5]], calculator=calculator)
    assert far.get_potential_energy() == 0.0 and crystal.get_potential_energy() == energy


def test_threads_that_share_a_calculator_have_results_of_their_own(calculator):
    structures = [silicon(1 + index % 2) for index in range(8)]
    for index, atoms in enumerate(structures):
        atoms.rattle(0.1, seed=10 + index)
    expected = [calculator.get_property("energy", atoms.copy()) for atoms in structures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda atoms: calculator.get_property("energy", atoms), structures))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


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
