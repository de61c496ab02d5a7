import builtins
import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.units import GPa

from keras_ff.data import VASP_STRESS, labels, read, read_with_report, to_atoms, to_structure

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


@pytest.fixture(scope="module")
def silicon():
    return read(SILICON, ":3") + read(SILICON, "-2:")


@pytest.fixture
def pymatgen():
    return pytest.importorskip("pymatgen")


def same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other):
        assert (a.numbers == b.numbers).all() and (a.pbc == b.pbc).all()
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-9)
        for kind, value in labels(a).items():
            np.testing.assert_allclose(value, labels(b)[kind], atol=1e-12)


def dump(content, path):
    from monty.json import MontyEncoder

    path.write_text(json.dumps(content, cls=MontyEncoder))
    return path


def test_structures_there_and_back(pymatgen, silicon, tmp_path):
    structures = [to_structure(atoms) for atoms in silicon]
    same(read(structures), silicon)
    same([to_atoms(structures[0])], silicon[:1])
    same(read(dump(structures, tmp_path / "s.json")), silicon)


def test_a_molecule(pymatgen):
    water = molecule("H2O", info={"energy": -14.2})
    back = to_atoms(to_structure(water))
    assert type(to_structure(water)).__name__ == "Molecule" and not back.pbc.any() and labels(back)["energy"] == -14.2


def test_entries_and_trajectories(pymatgen, silicon, tmp_path):
    from pymatgen.core.trajectory import Trajectory
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    entries = []
    for atoms in silicon:
        structure, found = to_structure(atoms), labels(atoms)
        structure.properties = {}
        structure.remove_site_property("forces")
        data = {"forces": found["forces"].tolist(), "stress": found["stress"].tolist()}
        entries.append(ComputedStructureEntry(structure, found["energy"], correction=3.0, data=data))
    same(read(entries), silicon)
    same(read(dump(entries, tmp_path / "e.json")), silicon)

    run = [to_structure(atoms) for atoms in silicon[-2:]]
    properties = [structure.properties for structure in run]
    trajectory = Trajectory.from_structures(run, constant_lattice=False, frame_properties=properties)
    result = read(dump(trajectory, tmp_path / "t.json"))
    assert [labels(atoms)["energy"] for atoms in result] == [labels(atoms)["energy"] for atoms in silicon[-2:]]
    np.testing.assert_allclose(labels(result[1])["forces"], labels(silicon[-1])["forces"])


def test_stress_in_kbar_of_vasp(pymatgen, silicon):
    structure = to_structure(silicon[0])
    structure.properties["stress"] = (-10.0 * np.array(structure.properties["stress"]) / GPa).tolist()
    np.testing.assert_allclose(labels(to_atoms(structure, stress_factor=VASP_STRESS))["stress"], labels(silicon[0])["stress"])


def mlearn_record(atoms, order):
    structure = to_structure(atoms).as_dict()
    structure.pop("properties")
    for site in structure["sites"]:
        site["properties"] = {}
    found = labels(atoms)
    stress = (-10.0 * found["stress"] / GPa)[order]
    outputs = {"energy": found["energy"], "forces": found["forces"].tolist(), "virial_stress": stress.tolist()}
    return {"structure": structure, "outputs": outputs, "group": atoms.info["group"], "element": "Si", "num_atoms": len(atoms)}


def test_the_files_of_mlearn(pymatgen, silicon, tmp_path):
    vacancy = [mlearn_record(atoms, [0, 1, 2, 5, 4, 3]) for atoms in silicon[:2]]
    elastic = [mlearn_record(atoms, [0, 1, 2, 5, 3, 4]) for atoms in silicon[-2:]]
    assert elastic[0]["group"] == "Elastic"
    (tmp_path / "m.json").write_text(json.dumps(vacancy + elastic))
    result = read(tmp_path / "m.json", require=("energy", "forces", "stress"))
    same(result, silicon[:2] + silicon[-2:])
    assert result[0].info["group"] == "Vacancy"
    surface = mlearn_record(silicon[2], [0, 1, 2, 5, 4, 3])
    assert surface["group"] == "Surface"
    (tmp_path / "m.json").write_text(json.dumps([surface]))
    _, report = read_with_report(tmp_path / "m.json")
    assert report.labels == {"energy": 1, "forces": 1, "stress": 0}


def test_json_that_asks_for_foreign_objects_is_refused(pymatgen, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"@module": "os", "@class": "system"}))
    with pytest.raises(ValueError, match="module 'os'"):
        read(tmp_path / "s.json")
    hidden = {"@module": "pymatgen.core.structure", "@class": "Structure", "sites": [1, {"@module": "os", "@class": "system"}]}
    (tmp_path / "s.json").write_text(json.dumps([hidden]))
    with pytest.raises(ValueError, match="module 'os'"):
        read(tmp_path / "s.json")


def test_disordered_structures_are_refused(pymatgen):
    from pymatgen.core import Lattice, Structure

    alloy = Structure(Lattice.cubic(3.0), [{"Si": 0.5, "Ge": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="ordered"):
        read(alloy)


def test_without_pymatgen_the_error_names_the_extra(monkeypatch, silicon):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("pymatgen", "monty"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "keras_ff\[pymatgen\]"'):
        to_structure(silicon[0])
