"""Exported force fields: the numbers of the model, without the library; and what is refused."""

import contextlib
import json
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
POTENTIALS = {
    "several terms": lambda: Sum([EDIP.silicon(), NeuralIL(["Si"], cutoff=4.5, n_max=2)]),
    "s-MEAM": lambda: SplineMEAM.from_lammps(SPLINES, "Si"),
}


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
@pytest.mark.parametrize("name, kind", [("several terms", KINDS[-1]), ("s-MEAM", KINDS[0])])
def test_every_potential_goes_through_the_same_door(name, kind, tmp_path):
    model = kff.ForceField(POTENTIALS[name]())
    model.reference_energies.assign([-3.0])
    found = export(model, tmp_path / "silicon", to=kind)
    assert found["energy"] < 1e-10 and found["gradient"] < 1e-9 and found["milliseconds"] > 0
    cluster = silicon()
    cluster.pbc = False
    strained = silicon(3)
    strained.set_cell(strained.cell.array @ np.array([[1.0, 0.05, 0.0], [0.0, 0.97, 0.02], [0.0, 0.0, 1.03]]), scale_atoms=True)
    assert_same_results(model, tmp_path / "silicon", [silicon(), silicon(2), strained, cluster])


@pytest.mark.slow_on_tensorflow
def test_an_ensemble_brings_the_spread_of_its_atoms(tmp_path):
    model = kff.Ensemble(Sum([NeuralIL(["Si"], cutoff=4.0, n_max=1, members=3), ZBL(["Si"])]))
    export(model, tmp_path / "silicon", to=KINDS[-1], structures=[silicon()])
    assert_same_results(model, tmp_path / "silicon", [silicon(2)])
    atoms, energies = silicon(2), []
    atoms.calc = ArtifactCalculator(tmp_path / "silicon")
    for index in range(3):
        one = kff.Calculator(kff.models.member(model, index))
        energies.append(one.get_property("energies", silicon(2)))
    np.testing.assert_allclose(atoms.calc.get_property("energies_std", atoms), np.std(energies, axis=0, ddof=1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_two_elements_in_single_precision(kind, tmp_path):
    model = kff.ForceField(NeuralIL(["Si", "C"], cutoff=4.0, n_max=2))
    crystal = bulk("SiC", "zincblende", a=4.36, cubic=True)
    crystal.rattle(0.1, seed=0)
    found = export(model, tmp_path / "carbide", to=kind, dtype="float32", structures=[crystal])
    assert found["energy"] < 1e-4
    description = json.loads((tmp_path / "carbide" / "artifact.json").read_text())
    assert (description["species"], description["dtype"], description["cutoff"]) == (["Si", "C"], "float32", 4.0)
    crystal.calc = ArtifactCalculator(tmp_path / "carbide")
    forces = crystal.get_forces()
    crystal.calc = kff.Calculator(model)
    np.testing.assert_allclose(forces, crystal.get_forces(), rtol=0, atol=1e-4)


@pytest.mark.slow_on_tensorflow
def test_damaged_newer_and_foreign_folders(tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    folder = tmp_path / "silicon"
    export(model, folder)
    assert_same_results(model, folder, [silicon()])
    description = json.loads((folder / "artifact.json").read_text())
    (folder / "artifact.json").write_text(json.dumps({**description, "format": 99}))
    with pytest.raises(ValueError, match="has format 99, and this code reads up to"):
        ArtifactCalculator(folder)
    export(model, folder)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"half")
    with pytest.raises(ValueError, match="saved_model.pb is not as it was written: the artifact is damaged. Export it again"):
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


def test_what_cannot_be_exported_or_computed(tmp_path):
    model = kff.ForceField(StillingerWeber.silicon())
    with pytest.raises(ValueError, match="to is one of"):
        export(model, tmp_path / "model", to="onnx")
    salt = BKS(["Si", "O"], {"A": 100.0, "b": 3.0, "C": 0.0}, cutoff=5.0)
    with pytest.raises(ValueError, match="long-range term.*DampedShiftedForce"):
        export(kff.ForceField(Sum([salt, Ewald(["Si", "O"], [2.4, -1.2], cutoff=5.0)])), tmp_path / "model")
    if backend.backend_name() == "tensorflow":
        with pytest.raises(ValueError, match="StableHLO is exported from JAX"):
            export(model, tmp_path / "model", to="stablehlo")
    export(model, tmp_path / "model")
    diamond = bulk("C")
    diamond.calc = ArtifactCalculator(tmp_path / "model")
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
