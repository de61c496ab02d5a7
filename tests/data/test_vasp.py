"""Steps of VASP that are no converged first-principles results, as its output marks them."""

import gzip
import json
import re

import pytest
from vasp_files import outcar, vasprun

from keras_ff.data import labels, read, read_with_report

ITERATION = "--------------------------------------- Iteration"


def energies(structures):
    return [labels(atoms)["energy"] for atoms in structures]


def with_limit(run, name, reached):
    """Output of a run with NELM = 4 whose step `reached` took all four electronic steps."""
    if name == "OUTCAR":
        parts = outcar(run).split(ITERATION)
        parts[0] += "   NELM   =      4;   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
        extra = "".join(f"{ITERATION}{reached + 1:6d}({step:4d})  ---\n" for step in (2, 3, 4))
        first, _, rest = parts[reached + 1].partition("\n")
        return ITERATION.join([*parts[: reached + 1], f"{first}\n{extra}{rest}", *parts[reached + 2 :]])
    text = vasprun(run).replace("<parameters></parameters>", '<parameters>\n<i type="int" name="NELM">    4</i>\n</parameters>')
    step = re.findall(r"<scstep>.*?</scstep>\n", text, re.DOTALL)[reached]
    before, after = text.rsplit(step, 1) if reached else text.split(step, 1)
    return before + 4 * step + after


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml"])
def test_steps_that_did_not_converge_are_left_out_with_a_note(silicon, tmp_path, name):
    run = silicon[5:8]
    (tmp_path / name).write_text(with_limit(run, name, 0))
    with pytest.warns(UserWarning, match="NELM did not converge"):
        found, report = read_with_report(tmp_path / name)
    assert energies(found) == pytest.approx(energies(run[1:])) and list(report.notes.values()) == [1]
    kept, report = read_with_report(tmp_path / name, keep_unconverged=True)
    assert energies(kept) == pytest.approx(energies(run)) and not report.notes


def test_the_last_step_that_is_allowed_may_converge(silicon, tmp_path):
    text = with_limit(silicon[5:6], "OUTCAR", 0)
    (tmp_path / "OUTCAR").write_text(text.replace("  in kB", " aborting loop because EDIFF is reached\n  in kB", 1))
    assert len(read(tmp_path / "OUTCAR")) == 1
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="Nothing is left: .*NELM"):
        (tmp_path / "OUTCAR").write_text(text)
        read(tmp_path / "OUTCAR")


# The lines of VASP 6.4, https://github.com/deepmodeling/dpdata/pull/1048
def test_steps_of_a_machine_learned_force_field_are_left_out_with_a_note(silicon, tmp_path):
    text = outcar(silicon[5:8])
    learned = text.replace("  FREE ENERGIE OF", "  ML FREE ENERGIE OF").replace("free  energy   TOTEN", "free  energy ML TOTEN")
    learned = learned.replace("energy  without", "ML energy  without").replace("energy(sigma", "ML energy(sigma")
    parts, other = text.split(ITERATION), learned.split(ITERATION)
    (tmp_path / "OUTCAR").write_text(ITERATION.join([parts[0], parts[1], other[2], parts[3]]))
    with pytest.warns(UserWarning, match="ML_FF"):
        assert energies(read(tmp_path / "OUTCAR")) == pytest.approx(energies([silicon[5], silicon[7]]))


JOB = {"job": {"@module": "custodian.vasp.jobs", "@class": "VaspJob"}, "corrections": []}


def test_a_folder_of_two_relaxations_and_a_workflow(silicon, tmp_path):
    for number in (1, 2):
        run = silicon[4 + number : 6 + number]
        (tmp_path / f"vasprun.xml.relax{number}.gz").write_bytes(gzip.compress(vasprun(run).encode()))
        (tmp_path / f"OUTCAR.relax{number}.gz").write_bytes(gzip.compress(outcar(run).encode()))
    for name, content in (("FW.json", {"spec": {}, "fw_id": 3}), ("custodian.json", [JOB])):
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="custodian.json is passed over"):
        found, report = read_with_report(tmp_path)
    assert energies(found) == pytest.approx(energies([silicon[5], silicon[6], silicon[6], silicon[7]]))
    assert len(report.notes) == 2


def test_objects_that_are_no_structures_are_passed_over_in_a_folder_and_refused_by_name(silicon, tmp_path):
    pytest.importorskip("pymatgen")
    (tmp_path / "OUTCAR").write_text(outcar(silicon[5:6]))
    (tmp_path / "other.json").write_text(json.dumps([JOB]))
    with pytest.warns(UserWarning, match="other.json is passed over"):
        found, report = read_with_report(tmp_path)
    assert energies(found) == pytest.approx(energies(silicon[5:6])) and len(report.notes) == 1
    with pytest.raises(ValueError, match="other.json, frame 0: .*'VaspJob' of the module 'custodian.vasp.jobs'"):
        read(tmp_path / "other.json")


def test_a_run_with_an_umlaut_is_read(silicon, tmp_path):
    (tmp_path / "OUTCAR").write_bytes(outcar(silicon[5:6]).replace("executed on", "executed by Müller on").encode("latin-1"))
    assert len(read(tmp_path / "OUTCAR")) == 1
