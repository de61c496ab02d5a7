import gzip
import json
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from vasp_files import outcar, vasprun

from keras_ff.data import labels, read, read_with_report

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


def write(path, frames):
    path.write_text("".join("".join(frame) for frame in frames))
    return path


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml", "OUTCAR.gz", "vasprun.xml.gz"])
def test_output_of_vasp(silicon, tmp_path, name):
    run = silicon[5:8]
    text = outcar(run) if "OUTCAR" in name else vasprun(run)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    result = read(tmp_path / name, require=("energy", "forces", "stress"))
    assert len(result) == 3
    for atoms, original in zip(result, run):
        moved = atoms.positions - original.positions
        np.testing.assert_allclose(moved - np.round(moved @ np.linalg.inv(atoms.cell[:])) @ atoms.cell[:], 0.0, atol=1e-6)
        for kind, value in labels(original).items():
            np.testing.assert_allclose(labels(atoms)[kind], value, atol=1e-6)


@pytest.mark.parametrize("writer, name", [(outcar, "OUTCAR"), (vasprun, "vasprun.xml")])
def test_a_vasp_run_that_was_cut_off(silicon, tmp_path, writer, name):
    path, text = tmp_path / name, writer(silicon[5:8])
    path.write_text(text[: int(0.8 * len(text))])
    with pytest.raises(ValueError, match=f"{name}, frame 2: .*VASP did not finish. 2 complete"):
        read(path)
    with pytest.warns(UserWarning, match="Skipped"):
        assert len(read(path, skip_bad=True)) == 2
    path.write_text(text[: int(0.02 * len(text))])
    with pytest.raises(ValueError, match=f"{name}, frame 0"):
        read(path)


def test_real_output_of_vasp_shipped_with_ase():
    folder = Path(ase.__file__).parent / "test" / "testdata" / "vasp"
    if not (folder / "vasprun_pstress.xml").exists():
        pytest.skip("this installation of ASE has no test data")
    assert read(folder / "vasprun_pstress.xml", require=("energy", "forces", "stress"))[0].get_chemical_formula()
    assert len(read(folder / "OUTCAR_example_1", require=("energy", "forces", "stress"))[0]) == 18


def broken(frame, line, new):
    frame = list(frame)
    frame[line] = new(frame[line])
    return frame


BROKEN = {
    "truncated": (lambda f: f[:30], "truncated: it announces 64 atoms, but 28"),
    "nan position": (lambda f: broken(f, 5, lambda line: "Si nan 0 0 0 0 0\n"), "position of atom 3"),
    "nan forces": (lambda f: broken(f, 5, lambda line: line[:50] + " 0 nan 0\n"), "not finite at atom 3"),
    "infinite energy": (lambda f: broken(f, 1, lambda line: line.replace("energy=", "energy=inf old=")), "'energy.*not finite"),
    "a column too few": (lambda f: broken(f, 5, lambda line: "Si 0.0 0.0 0.0 0.0\n"), "not understood as extended XYZ"),
    "forces with two columns": (lambda f: broken(f, 1, lambda line: line.replace("forces:R:3", "forces:R:2:rest:R:1")), "shape"),
    "no volume": (lambda f: broken(f, 1, lambda line: line.replace('Lattice="', 'Lattice="0 0 0 0 0 0 0 0 0" old="')), "no volume"),
    "atoms on top": (lambda f: broken(f, 6, lambda line: f[5]), "on top of each other"),
    "no atoms": (lambda f: ["0\n", f[1]], "frame 1: "),
    "no number": (lambda f: ["atoms\n", *f[1:]], "Expected the number of atoms, found 'atoms'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_frame_is_named_or_skipped(frames, tmp_path, name):
    damage, message = BROKEN[name]
    path = write(tmp_path / "s.xyz", [frames[5], damage(frames[6]), frames[7]])
    with pytest.raises(ValueError, match=f"s.xyz, frame 1: .*{message}" if "frame" not in message else message):
        read(path)
    with pytest.warns(UserWarning, match="Skipped .*s.xyz, frame 1"):
        result, report = read_with_report(path, skip_bad=True)
    assert len(result) == 2 and len(report.skipped) == 1 and report.skipped[0][0].endswith("frame 1")
    assert labels(result[1])["energy"] == labels(read(SILICON, 7)[0])["energy"]


def test_plain_json_without_structures(tmp_path):
    pytest.importorskip("pymatgen")
    (tmp_path / "s.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(ValueError, match="s.json, frame 0.*holds no structure"):
        read(tmp_path / "s.json")
