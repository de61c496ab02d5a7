"""JSON of the data sets that others publish: units, signs and names as their documentation says."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.units import GPa

from keras_ff.data import labels, read, read_with_report, to_structure

FORCES = [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]]
MATRIX = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
STRESS = -0.1 * GPa * np.arange(1.0, 7.0)


@pytest.fixture
def structure():
    pytest.importorskip("pymatgen")
    return to_structure(bulk("Si")).as_dict()


def wrote(path, content):
    path.write_text(json.dumps(content))
    return path


def check(atoms, energy):
    found = labels(atoms)
    assert found["energy"] == energy
    np.testing.assert_allclose(found["forces"], FORCES)
    np.testing.assert_allclose(found["stress"], STRESS)


# "stress": DFT-calculated stress tensor in Voigt notation (kbar): [xx, yy, zz, yz, xz, xy], https://matpes.ai/dataset; with the
# sign of VASP, as the same authors multiply it by -0.1 for GPa.
def test_matpes(structure, tmp_path):
    record = {"matpes_id": "m1", "structure": structure, "energy": -10.8, "forces": FORCES, "stress": [1.0, 2, 3, 4, 5, 6]}
    check(read(wrote(tmp_path / "m.json", [record]))[0], -10.8)
    (tmp_path / "m.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(record)}\n")
    assert len(read(tmp_path / "m.jsonl")) == 2
    named = read(tmp_path / "m.json", stress_unit="GPa", stress_sign="tension", stress_order="xy yz xz")[0]
    np.testing.assert_allclose(labels(named)["stress"], GPa * np.array([1, 2, 3, 5, 6, 4]))


# https://github.com/CederGroupHub/chgnet/issues/228: the stress is that of VASP in kbar, and -0.1 converts it to GPa.
def test_mptrj(structure, tmp_path):
    frame = {"structure": structure, "uncorrected_total_energy": -10.8, "corrected_total_energy": -11.0, "energy_per_atom": -5.5}
    frame |= {"force": FORCES, "stress": MATRIX.tolist(), "magmom": [0.0, 0.1], "mp_id": "mp-149", "bandgap": 0.6}
    path = wrote(tmp_path / "mptrj.json", {"mp-149": {"mp-149-0-0": frame, "mp-149-0-1": {**frame, "magmom": None}}})
    found, report = read_with_report(path)
    assert report.keys["energy"] == {"uncorrected_total_energy": 2} and found[0].info["mp_id"] == "mp-149"
    check(found[1], -10.8)
    check(read(path, energy_key="corrected_total_energy")[0], -11.0)
    check(read(path, energy_key="energy_per_atom")[0], -11.0)


def test_lists_of_chgnet(structure, tmp_path):
    columns = {"structure": [structure] * 2, "uncorrected_total_energy": [-10.8, -10.9], "force": [FORCES] * 2}
    columns |= {"stress": [MATRIX.tolist()] * 2, "energy_per_atom": [-5.4, -5.45]}
    found = read(wrote(tmp_path / "c.json", columns))
    assert len(found) == 2
    check(found[1], -10.9)
    columns["force"].pop()
    with pytest.raises(ValueError, match="c.json, frame 0: .*'structure' has 2 items, but 'force' has 1"):
        read(wrote(tmp_path / "c.json", columns))


def test_ionic_steps_of_a_vasprun_and_of_a_task(structure, tmp_path):
    step = {"structure": structure, "e_0_energy": -10.8, "e_fr_energy": -11.3, "forces": FORCES, "stress": MATRIX.tolist()}
    steps = [{**step, "electronic_steps": [{}] * 60}, {**step, "electronic_steps": [{}] * 9}]
    run = {"input": {"parameters": {"NELM": 60}}, "output": {"ionic_steps": steps, "final_energy": -10.8}, "run_type": "PBE"}
    with pytest.warns(UserWarning, match="NELM did not converge"):
        (atoms,) = read(wrote(tmp_path / "v.json", run))
    check(atoms, -10.8)
    task = {"@module": "emmet.core.tasks", "@class": "TaskDoc", "structure": structure, "calcs_reversed": [run, run]}
    assert len(read(wrote(tmp_path / "t.json", task), keep_unconverged=True)) == 4


def test_the_energy_of_an_entry_is_that_before_corrections(structure, tmp_path):
    entry = {"@module": "pymatgen.entries.computed_entries", "@class": "ComputedStructureEntry", "structure": structure}
    entry |= {"energy": -10.8, "correction": -1.0, "parameters": {"run": {"@module": "os", "@class": "system"}}, "data": {}}
    path = wrote(tmp_path / "e.json", [entry])
    _, report = read_with_report(path)
    assert report.keys["energy"] == {"uncorrected_energy": 1}
    assert labels(read(path)[0])["energy"] == -10.8
    assert labels(read(path, energy_key="corrected_energy")[0])["energy"] == pytest.approx(-11.8)


@pytest.mark.parametrize(
    "hidden",
    [
        {"@module": "os", "@class": "system"},
        {"@module": "subprocess", "@callable": "run"},
        {"@module": "pymatgen.core.structure", "@callable": "Structure.from_file"},
        {"@module": "pymatgen.io.vasp.outputs", "@class": "Vasprun"},
    ],
)
def test_only_classes_of_structures_are_made(structure, tmp_path, hidden):
    structure["sites"][0]["properties"] = {"a": hidden}
    with pytest.raises(ValueError, match="s.json, frame 1: .*The JSON asks for"):
        read(wrote(tmp_path / "s.json", [to_structure(bulk("Si")).as_dict(), structure]))
    with pytest.warns(UserWarning, match="Skipped"):
        assert len(read(tmp_path / "s.json", skip_bad=True)) == 1


def test_damaged_structures_are_named_and_skipped(structure, tmp_path):
    damaged = [{**structure, "lattice": 3.0}, {**structure, "sites": [{}]}, {"structure": structure, "forces": "none"}, 5]
    for item in damaged:
        with pytest.raises(ValueError, match="d.json, frame 1: "):
            read(wrote(tmp_path / "d.json", [structure, item, structure]))
        with pytest.warns(UserWarning, match="Skipped"):
            assert len(read(tmp_path / "d.json", skip_bad=True)) == 2


def test_heavy_hydrogen_of_pymatgen(structure, tmp_path):
    structure["sites"][0]["species"] = [{"element": "D", "occu": 1}]
    (atoms,) = read(wrote(tmp_path / "d.json", structure))
    assert list(atoms.symbols) == ["H", "Si"] and atoms.get_masses()[0] == pytest.approx(2.014, abs=1e-3)
