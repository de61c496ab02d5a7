"""Exported force fields: the numbers of the model, without the library; and what is refused."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.export import artifact, export
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.potentials import BKS, EDIP, ZBL, Ewald, NeuralIL, SplineMEAM, StillingerWeber, Sum

pytestmark = pytest.mark.usefixtures("float64")

SPLINES = Path(__file__).parents[2] / "tutorials" / "data" / "Si_2.meam.spline"
KINDS = ("saved_model", "stablehlo") if backend.backend_name() == "jax" else ("saved_model",)


def silicon(cells=1):
    atoms = bulk("Si", a=5.43, cubic=True) * (cells, 1, 1)
    atoms.rattle(0.1, seed=cells)
    return atoms


def assert_same_results(model, folder, structures):
    """To 1e-10 eV per atom and 1e-9 eV/Å."""
    ours, theirs = kff.Calculator(model), ArtifactCalculator(folder)
    for atoms in structures:
        first, second = atoms.copy(), atoms.copy()
        first.calc, second.calc = ours, theirs
        assert second.get_potential_energy() == pytest.approx(first.get_potential_energy(), abs=1e-10 * len(atoms))
        np.testing.assert_allclose(second.get_forces(), first.get_forces(), rtol=0, atol=1e-9)
        np.testing.assert_allclose(second.get_potential_energies(), first.get_potential_energies(), rtol=0, atol=1e-10)
        if atoms.pbc.all():
            np.testing.assert_allclose(second.get_stress(), first.get_stress(), rtol=0, atol=1e-11)


@pytest.mark.slow_on_tensorflow
def test_every_potential_goes_through_the_same_door(tmp_path):
    model = kff.ForceField(Sum([EDIP.silicon(), SplineMEAM.from_lammps(SPLINES, "Si")]))
    model.reference_energies.assign([-3.0])
    found = export(model, tmp_path / "silicon", to=KINDS[0])
    assert found["energy"] < 1e-10 and found["gradient"] < 1e-9 and found["milliseconds"] > 0
    cluster = silicon(2)
    cluster.pbc = False
    strained = silicon(2)
    strained.set_cell(strained.cell.array @ np.array([[1.0, 0.05, 0.0], [0.0, 0.97, 0.02], [0.0, 0.0, 1.03]]), scale_atoms=True)
    assert_same_results(model, tmp_path / "silicon", [silicon(), strained, cluster])


@pytest.mark.slow_on_tensorflow
def test_an_ensemble_brings_the_spread_of_its_atoms(exported):
    potential = Sum([NeuralIL(["Si"], cutoff=4.0, n_max=1, members=3), ZBL(["Si"])])
    folder, model = exported(potential, KINDS[-1], model=kff.Ensemble), kff.Ensemble(potential)
    assert_same_results(model, folder, [silicon(2)])
    atoms, energies = silicon(2), []
    atoms.calc = ArtifactCalculator(folder)
    members = [kff.models.member(model, index) for index in range(3)]
    one = kff.Calculator(kff.models.member(model, 0))
    for member in members:
        # What is compiled for one serves for all.
        one.force_field.set_weights(member.get_weights())
        one.reset()
        energies.append(one.get_property("energies", silicon(2)).copy())
    assert np.ptp(energies, axis=0).min() > 1e-6
    np.testing.assert_allclose(atoms.calc.get_property("energies_std", atoms), np.std(energies, axis=0, ddof=1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_two_elements_in_single_precision(kind, exported, tmp_path):
    potential = NeuralIL(["Si", "C"], cutoff=4.0, n_max=1)
    model = kff.ForceField(potential)
    crystal = bulk("SiC", "zincblende", a=4.36, cubic=True)
    crystal.rattle(0.1, seed=0)
    if kind == KINDS[-1]:
        folder = tmp_path / "carbide"
        assert export(model, folder, to=kind, dtype="float32", structures=[crystal])["energy"] < 1e-4
    else:
        folder = exported(potential, kind, dtype="float32")
    description = json.loads((folder / "artifact.json").read_text())
    assert (description["species"], description["dtype"], description["cutoff"]) == (["Si", "C"], "float32", 4.0)
    crystal.calc = ArtifactCalculator(folder)
    forces = crystal.get_forces()
    crystal.calc = kff.Calculator(model)
    np.testing.assert_allclose(forces, crystal.get_forces(), rtol=0, atol=1e-4)


def test_damaged_newer_and_foreign_folders(silicon_artifact, tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    folder = shutil.copytree(silicon_artifact, tmp_path / "silicon")
    description = (folder / "artifact.json").read_text()
    (folder / "artifact.json").write_text(json.dumps({**json.loads(description), "format": 99}))
    with pytest.raises(ValueError, match="has format 99, and this code reads up to"):
        ArtifactCalculator(folder)
    (folder / "artifact.json").write_text(description)
    (program,) = (path for path in folder.rglob("*") if path.name in ("model.stablehlo", "saved_model.pb"))
    program.write_bytes(b"half")
    with pytest.raises(ValueError, match=f"{program.name} is not as it was written: the artifact is damaged. Export it again"):
        ArtifactCalculator(folder)
    with pytest.raises(ValueError, match="is no artifact: it has no artifact.json"):
        ArtifactCalculator(tmp_path)
    with pytest.raises(ValueError, match="holds something else than an artifact"):
        export(model, tmp_path)
    assert "Run it only if you trust the person who made it" in (folder / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text("What I think of it")
    (folder / "results.xyz").touch()
    with pytest.raises(ValueError, match="other files, which an export would remove: results.xyz. Move them"):
        export(model, folder)
    with pytest.raises(ValueError, match="results.xyz is a file. Name a folder"):
        export(model, folder / "results.xyz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["silicon"]


def test_what_cannot_be_exported_or_computed(silicon_artifact, tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    with pytest.raises(ValueError, match="to is one of"):
        export(model, tmp_path / "model", to="onnx")
    salt = BKS(["Si", "O"], {"A": 100.0, "b": 3.0, "C": 0.0}, cutoff=5.0)
    with pytest.raises(ValueError, match="long-range term.*DampedShiftedForce"):
        export(kff.ForceField(Sum([salt, Ewald(["Si", "O"], [2.4, -1.2], cutoff=5.0)])), tmp_path / "model")
    if backend.backend_name() == "tensorflow":
        with pytest.raises(ValueError, match="StableHLO is exported from JAX"):
            export(model, tmp_path / "model", to="stablehlo")
    diamond = bulk("C")
    diamond.calc = ArtifactCalculator(silicon_artifact)
    with pytest.raises(ValueError, match=r"elements that the force field does not know: \['C'\]"):
        diamond.get_potential_energy()


def test_the_old_artifact_stays_until_the_new_one_was_compared(tmp_path, monkeypatch):
    """And nothing beside it may be taken for an artifact, if the process is killed then; `folder_beside` removes it later."""
    folder, seen = tmp_path / "silicon", []
    folder.mkdir()
    (folder / "artifact.json").write_text("old")

    def compare(model, new, structures):
        seen.extend(path / "artifact.json" for path in tmp_path.iterdir() if path != folder)
        assert (new / "artifact.json").exists() and (folder / "artifact.json").read_text() == "old"
        if len(seen) == 1:
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(artifact, "write", lambda model, folder, to: (folder / "model.stablehlo").touch())
    monkeypatch.setattr(artifact, "describe", lambda model, folder, to: (folder / "artifact.json").write_text("new"))
    monkeypatch.setattr(artifact, "compare", compare)
    model = kff.ForceField(StillingerWeber.silicon())
    for content in ("old", "new"):
        with pytest.raises(KeyboardInterrupt) if content == "old" else contextlib.nullcontext():
            export(model, folder)
        assert list(tmp_path.iterdir()) == [folder] and (folder / "artifact.json").read_text() == content
    assert len(seen) == 2 and not any(path.exists() for path in seen)


def test_what_has_to_be_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_ff.export.artifact.find_spec", lambda name: None)
    model = kff.ForceField(StillingerWeber.silicon())
    with pytest.raises(ImportError, match="pip install tensorflow, or export to stablehlo, which needs JAX alone"):
        export(model, tmp_path / "silicon", to="saved_model")
    assert not (tmp_path / "silicon").exists()
