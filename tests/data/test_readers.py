import gzip
import shutil
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from vasp_files import outcar, vasprun

from keras_ff.data import MissingLabel, ReadReport, iread, labels, read, read_with_report

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


def same(one, other, tolerance=1e-7):
    assert len(one) == len(other)
    for a, b in zip(one, other):
        assert (a.numbers == b.numbers).all() and (a.pbc == b.pbc).all()
        np.testing.assert_allclose(a.positions, b.positions, atol=tolerance)
        np.testing.assert_allclose(a.cell[:], b.cell[:], atol=tolerance)
        for kind, value in labels(a).items():
            np.testing.assert_allclose(value, labels(b)[kind], atol=tolerance)


def write(path, frames):
    path.write_text("".join("".join(frame) for frame in frames))
    return path


def test_numbers_of_the_file_arrive(silicon):
    assert len(silicon) == 23
    found = labels(silicon[0])
    assert found["energy"] == -295.49753016
    np.testing.assert_array_equal(found["forces"][0], [-2.98187262, 0.60691870, 3.48143607])
    np.testing.assert_allclose(found["stress"], [0.0041075, 0.0060128, 0.0017220, 0.0033826, 0.0010025, -0.0056716], atol=1e-7)
    assert silicon[0].info["group"] == "Vacancy" and silicon[0].calc.results["energy"] == found["energy"]


def test_index_takes_frames_of_each_file(silicon):
    same(read(SILICON, "::5"), silicon[::5])
    same(read(SILICON, -1), silicon[-1:])
    same(read(SILICON, slice(2, 4)), silicon[2:4])
    same(read(f"{SILICON}@:2"), silicon[:2])
    same(read([SILICON, SILICON], ":2"), silicon[:2] * 2)
    with pytest.raises(ValueError, match="no structures at index='99'"):
        read(SILICON, "99")


def test_frames_come_one_by_one(silicon):
    report = ReadReport()
    stream = iread(SILICON, report=report)
    same([next(stream)], silicon[:1])
    assert report.structures == 1


def test_a_list_of_atoms_is_copied_not_changed(silicon):
    source = [atoms.copy() for atoms in silicon[:2]]
    source[0].info["REF_energy"] = -5.0
    result, report = read_with_report(source)
    assert labels(result[0])["energy"] == -5.0 and result[0] is not source[0] and source[0].calc is None
    assert report.labels == {"energy": 1, "forces": 0, "stress": 0}
    assert len(read(source[0])) == 1


@pytest.mark.parametrize("name", ["s.xyz.gz", "s.traj", "s.db", "s.json"])
def test_formats_of_ase(silicon, tmp_path, name):
    path = tmp_path / name
    if name == "s.xyz.gz":
        path.write_bytes(gzip.compress(SILICON.read_bytes()))
    elif name in ("s.db", "s.json"):
        with ase.db.connect(path) as database:
            for atoms in silicon:
                database.write(atoms)
    else:
        ase.io.write(path, silicon)
    same(read(path), silicon)


def test_labels_in_the_columns_of_a_database(silicon, tmp_path):
    with ase.db.connect(tmp_path / "s.db") as database:
        database.write(silicon[0].copy(), key_value_pairs={"dft_energy": -1.0}, data={"dft_forces": np.ones((63, 3))})
    found = labels(read(tmp_path / "s.db")[0])
    assert found["energy"] == -1.0 and (found["forces"] == 1.0).all()


def test_a_folder_and_a_pattern(silicon, tmp_path):
    for number in range(2):
        (tmp_path / f"run{number}").mkdir()
        (tmp_path / f"run{number}" / "OUTCAR").write_text(outcar(silicon[5:6]))
    (tmp_path / "run0" / "vasprun.xml").write_text(vasprun(silicon[5:7]))
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.warns(UserWarning, match="vasprun.xml beside"):
        assert len(read(tmp_path)) == 3
    assert len(read(str(tmp_path / "*" / "OUTCAR"))) == 2
    # What killed programs, notebooks and macOS leave in a folder.
    for name in ("._OUTCAR", ".ipynb_checkpoints/OUTCAR"):
        (tmp_path / "run1" / name).parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "run1" / "OUTCAR", tmp_path / "run1" / name)
    with pytest.warns(UserWarning, match="vasprun.xml beside"):
        assert len(read(tmp_path)) == 3
    shutil.rmtree(tmp_path / "run0")
    shutil.rmtree(tmp_path / "run1")
    with pytest.raises(ValueError, match="no files of structures"):
        read(tmp_path)


def test_a_named_key_and_one_that_is_nowhere(frames, tmp_path):
    path = write(tmp_path / "s.xyz", [[f[0], f[1].replace("energy=", "my_total="), *f[2:]] for f in frames[:3]])
    assert labels(read(path, energy_key="my_total")[0])["energy"] == -295.49753016
    with pytest.raises(
        MissingLabel, match=r"(?s)None of the 3 structures has 'E', which was named as the energy.*my_total.*energy_key="
    ):
        read(path, energy_key="E")
    with pytest.raises(MissingLabel, match=r"(?s)frame 0: .*no energy, which is required.*my_total.*energy_key="):
        read(path, require="energy")
    with pytest.raises(ValueError, match="Labels are energy, forces, stress"):
        read(path, require="dipole")
    assert len(read(path)) == 3


def test_conflicting_labels_are_warned_about_once(silicon):
    source = []
    for atoms in silicon[:3]:
        atoms = atoms.copy()
        atoms.info.update(REF_energy=-1.0)
        atoms.calc = SinglePointCalculator(atoms, energy=-2.0)
        source.append(atoms)
    with pytest.warns(UserWarning, match="energy_key=") as record:
        result, report = read_with_report(source)
    # ASE with NumPy 2.5 adds warnings of its own, about deprecations.
    assert sum(issubclass(warning.category, UserWarning) for warning in record) == 1
    assert labels(result[0])["energy"] == -2.0
    assert list(report.notes.values()) == [3] and "REF_energy" in str(report)
    assert labels(read(source, energy_key="REF_energy")[0])["energy"] == -1.0


def test_a_report_says_what_was_found(silicon):
    _, report = read_with_report(SILICON)
    assert report.structures == 23 and report.labels == {"energy": 23, "forces": 23, "stress": 23}
    assert "energy      23  from energy (calculator): 23" in str(report)


def test_files_that_hold_nothing(tmp_path):
    (tmp_path / "empty.xyz").touch()
    with pytest.raises(ValueError, match="empty.xyz: The file is empty"):
        read(tmp_path / "empty.xyz")
    (tmp_path / "text.foo").write_text("hello\nworld\n")
    with pytest.raises(ValueError, match="text.foo.*not known"):
        read(tmp_path / "text.foo")
    (tmp_path / "bad.json").write_text('[{"a":')
    with pytest.raises(ValueError, match="bad.json.*not JSON"):
        read(tmp_path / "bad.json")
    (tmp_path / "s.traj").write_bytes(b"- of Ulmxxxx")
    with pytest.raises(ValueError, match="s.traj, frame 0"):
        read(tmp_path / "s.traj")
    (tmp_path / "s.xyz.gz").write_bytes(gzip.compress(SILICON.read_bytes())[:5000])
    with pytest.raises(ValueError, match="s.xyz.gz, frame 1: The file is truncated"):
        read(tmp_path / "s.xyz.gz")
    with pytest.raises(FileNotFoundError, match="nowhere.xyz"):
        read(tmp_path / "nowhere.xyz")
    with pytest.raises(TypeError, match="int"):
        read(3)


def test_all_frames_bad_is_an_error(tmp_path):
    (tmp_path / "s.xyz").write_text("2\n\nH 0 0 0\n")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="Nothing is left: all 1 frames were skipped"):
        read(tmp_path / "s.xyz", skip_bad=True)


def test_molecules_without_a_cell(tmp_path):
    (tmp_path / "h2.xyz").write_text("2\nenergy=-31.7\nH 0 0 0\nH 0 0 0.74\n")
    (atoms,) = read(tmp_path / "h2.xyz")
    assert isinstance(atoms, Atoms) and not atoms.pbc.any() and labels(atoms)["energy"] == -31.7
