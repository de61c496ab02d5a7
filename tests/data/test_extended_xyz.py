import os

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian

from keras_ff.data import labels, read
from keras_ff.data.extended_xyz import element, xyz_frames

COMMENT = 'Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-10.0 pbc="T T T"'
ROWS = ["Si 0 0 0 0.1 0 0", "Si 1.3 1.3 1.3 -0.1 0 0"]


def text(comment=COMMENT, rows=ROWS):
    return "\n".join([str(len(rows)), comment, *rows]) + "\n"


@pytest.mark.parametrize(
    "comment, rows, message",
    [
        (COMMENT + ' stress="1 0.5 0 -0.5 1 0 0 0 1"', ROWS, "not symmetric"),
        (COMMENT.replace("energy=-10.0", "energy"), ROWS, "a name without a number"),
        (COMMENT.replace("T T T", "X X X"), ROWS, "pbc is three of T and F. Received 'X X X'"),
        (COMMENT.replace('"T T T"', '"T T"'), ROWS, "pbc is three of T and F"),
        (COMMENT, [ROWS[0] + " 7", ROWS[1]], "line of atom 0 has 8 columns, Properties announces 7"),
        (COMMENT, [ROWS[0].replace("0.1", "1_000"), ROWS[1]], "atom 0 has '1_000', which is no number"),
        (COMMENT.replace("-10.0", "-1_0.0"), ROWS, "'energy' is -1_0.0, which is no number"),
        (COMMENT.replace('"5 ', '"5_0 '), ROWS, "'Lattice' is .*which is no number"),
        (COMMENT.replace("forces:R:3", "forces:R:three"), ROWS, "forces:R:three"),
        (COMMENT.replace("forces:R:3", "forces:S:3"), ROWS, "forces:S:3. Labels are real numbers"),
        (COMMENT.replace("forces:R:3", "positions:R:3"), ROWS, "two columns for positions"),
        (COMMENT.replace("pos:R:3", "place:R:3"), ROWS, "needs the positions"),
        (COMMENT.replace("species:S:1", "name:S:1"), ROWS, "needs the elements"),
        (COMMENT + " energy=-11.0", ROWS, "'energy' stands there twice"),
        (COMMENT, [ROWS[0].replace("Si", "Xx"), ROWS[1]], "'Xx' is no chemical element"),
        (COMMENT.replace("forces:R:3", "seen:L:3"), ["Si 0 0 0 T F yes", "Si 2 2 2 T T T"], "'yes' is neither T nor F"),
        (COMMENT + ' stress="1 2 3"', ROWS, "stress, expecting special 3x3"),
        ("", ["Si 0 0", "Si 1.3 1.3"], "have 3 columns. Expected 4"),
        ("", ["Si 0 0 0", "Si 1.3 1.3 1.3 9"], "line of atom 1 has 5 columns, the line of atom 0 has 4"),
    ],
)
def test_what_was_read_wrongly_is_refused(tmp_path, comment, rows, message):
    (tmp_path / "s.xyz").write_text(text() + text(comment, rows) + text())
    with pytest.raises(ValueError, match=f"s.xyz, frame 1: .*{message}"):
        read(tmp_path / "s.xyz")
    with pytest.warns(UserWarning, match="Skipped .*frame 1"):
        assert len(read(tmp_path / "s.xyz", skip_bad=True)) == 2


def test_a_comment_in_another_encoding_is_read(tmp_path):
    for encoding in ("latin-1", "utf-8-sig", "utf-16"):
        (tmp_path / "s.xyz").write_bytes(text(COMMENT + ' note="5 Å"').replace("\n", "\r\n").encode(encoding))
        (atoms,) = read(tmp_path / "s.xyz")
        assert atoms.info["note"] == "5 Å" and labels(atoms)["energy"] == -10.0


def test_frames_have_what_ase_reads(tmp_path):
    structures = []
    for constraint in (FixAtoms([1]), [FixCartesian(0, [True, False, False]), FixCartesian(1, [False, False, True])]):
        atoms = Atoms("SiC", [[0.1, 0.2, 0.3], [2.0, 2.1, 2.2]], cell=[[5, 0, 0], [1, 5, 0], [0, 2, 6]], pbc=[True, True, False])
        atoms.info.update(note='a "b" c', virial=np.arange(9.0).reshape(3, 3) + 0.5, numbers=[1, 2], ok=True)
        for name, values in {"tags": [1, 2], "seen": [True, False], "name": ["a_1", "b"], "spin": [[1, 2], [3, 4]]}.items():
            atoms.set_array(name, np.array(values))
        atoms.set_initial_charges([0.5, -0.5])
        atoms.set_constraint(constraint)
        structures.append(atoms)
    ase.io.write(tmp_path / "s.xyz", structures)
    for (_, ours), theirs in zip(xyz_frames(tmp_path / "s.xyz"), ase.io.read(tmp_path / "s.xyz", ":"), strict=True):
        assert ours == theirs and str(ours.constraints) == str(theirs.constraints) and str(ours.info) == str(theirs.info)
        assert ours.arrays.keys() == theirs.arrays.keys()
        for name, values in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[name], values)
            assert ours.arrays[name].dtype == values.dtype


def test_a_stress_in_a_remark_is_none(tmp_path):
    numbers = '="1 0 0 0 1 0 0 0 1"'
    for remark in (f"note='a stress{numbers}'", f"my_stress{numbers}", f'note="a stress{numbers}'):
        (tmp_path / "s.xyz").write_text(text(f"{COMMENT} {remark}"))
        assert np.isnan(labels(read(tmp_path / "s.xyz")[0])["stress"]).all()


def test_keywords_in_small_letters_are_keywords(tmp_path):
    (tmp_path / "s.xyz").write_text(text(COMMENT.replace("Lattice", "lattice").replace("Properties", "properties")))
    (atoms,) = read(tmp_path / "s.xyz")
    assert atoms.pbc.all() and atoms.get_volume() == pytest.approx(125.0) and atoms.get_forces()[0, 0] == 0.1


def test_labels_of_sites_and_isotopes(tmp_path):
    (tmp_path / "s.xyz").write_text(text(rows=["Si_pv 0 0 0 0 0 0", "D 2 0 0 0 0 0", "T 0 2 0 0 0 0", "Si1 2 2 2 0 0 0"]))
    (atoms,) = read(tmp_path / "s.xyz")
    assert list(atoms.symbols) == ["Si", "H", "H", "Si"]
    np.testing.assert_allclose(atoms.get_masses(), [28.085, 2.014, 3.016, 28.085], atol=1e-3)
    assert list(atoms.arrays["species_labels"]) == ["Si_pv", "D", "T", "Si1"]
    assert element("H1.25") == ("H", None) and element("14") == ("Si", None)


def test_labels_of_nan_are_missing(tmp_path):
    (tmp_path / "s.xyz").write_text(text(COMMENT + ' stress="' + " ".join(["nan"] * 9) + '"'))
    assert np.isnan(labels(read(tmp_path / "s.xyz")[0])["stress"]).all()


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.xyz")
    (tmp_path / "folder.xyz").mkdir()
    with pytest.raises(ValueError, match="pipe.xyz is a pipe"):
        read(tmp_path / "pipe.xyz")
    with pytest.raises(ValueError, match="no files of structures"):
        read(tmp_path / "folder.xyz")
    (tmp_path / "s.xyz").write_text(text())
    for frames in ("abc", "::0", "1:b"):
        with pytest.raises(ValueError, match="s.xyz.*(start:stop:step|invalid literal)"):
            read(f"{tmp_path / 's.xyz'}@{frames}")
