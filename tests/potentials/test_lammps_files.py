"""Parameter files of LAMMPS: exact round trips, and clear words about broken ones."""

import numpy as np
import pytest
from lammps_reference import FILES

from keras_ff.potentials import EDIP, SplineMEAM, StillingerWeber, Tersoff

CASES = [(StillingerWeber, "Si.sw"), (StillingerWeber, "GaN.sw"), (StillingerWeber, "invented.sw"), (EDIP, "SiC.edip")]


@pytest.mark.parametrize("potential, name", CASES, ids=[name for _, name in CASES])
def test_what_is_written_is_read_again(potential, name, tmp_path):
    first = potential.from_lammps(FILES / name)
    first.to_lammps(tmp_path / name)
    second = potential.from_lammps(tmp_path / name)
    assert second.species == first.species and second.cutoff == first.cutoff
    for key, value in first.parameters().items():
        assert np.array_equal(value, second.parameters()[key])
    second.to_lammps(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / name).read_bytes()


def test_species_are_taken_in_the_given_order():
    reverse = StillingerWeber.from_lammps(FILES / "GaN.sw", ["N", "Ga"])
    forward = StillingerWeber.from_lammps(FILES / "GaN.sw", ["Ga", "N"])
    assert forward.species == ["Ga", "N"]
    assert np.array_equal(reverse.parameters()["epsilon"], forward.parameters()["epsilon"][::-1, ::-1, ::-1])
    alone = StillingerWeber.from_lammps(FILES / "GaN.sw", "N")
    assert alone.species == ["N"] and alone.parameters()["sigma"].item() == 1.3


def broken(tmp_path, old, new):
    text = (FILES / "GaN.sw").read_text()
    assert old in text
    (tmp_path / "GaN.sw").write_text(text.replace(old, new, 1))
    return tmp_path / "GaN.sw"


LINE = "N  Ga N  1.6136914 0.0   0.0 32.5 0.0 -0.333333333333 0.0   0.0  0.0 0.0 0.0"


@pytest.mark.parametrize(
    "new, words",
    [
        ("", "no entry for N Ga N"),
        (
            LINE.rsplit(" ", 1)[0],
            r"line \d+: an entry has 3 elements and 11 numbers \(epsilon .* tol\). The entry N Ga N has 10 numbers before 'N'",
        ),
        (LINE + " 0.0", "The entry N Ga N has 12 numbers before 'N'"),
        (LINE.replace("N  Ga", "Ga Ga"), r"line \d+: a second entry Ga Ga N; the first is in line \d+"),
        (LINE.replace("32.5", "-32.5"), r"line \d+, entry N Ga N: lam is -32.5, and must be finite and not negative"),
        (LINE.replace("32.5", "nan"), r"entry N Ga N: lam is nan"),
        (LINE.replace("32.5", "3_2.5"), r"line \d+, entry N Ga N: lam is 3_2.5, and must be a finite number"),
        (LINE.rsplit(" ", 1)[0] + " 1e400", r"entry N Ga N: tol is 1e400"),
        (LINE.replace("32.5", "30"), r"line \d+, entry N .*: lam must be symmetric in neighbors. It is 3"),
        ("# UNITS: real\n" + LINE, r"line \d+: units are 'real'"),
    ],
)
def test_broken_files_are_named_with_the_line(new, words, tmp_path):
    path = broken(tmp_path, LINE, new)
    with pytest.raises(ValueError, match=words) as error:
        StillingerWeber.from_lammps(path, ["Ga", "N"])
    assert "GaN.sw" in str(error.value)


def test_an_entry_cut_short_at_the_end(tmp_path):
    text = (FILES / "Si.sw").read_text().rstrip()
    (tmp_path / "Si.sw").write_text(text.rsplit(" ", 2)[0])
    with pytest.raises(ValueError, match=r"Si\.sw, line \d+: .* The entry Si Si Si has 9 numbers where the file ends"):
        StillingerWeber.from_lammps(tmp_path / "Si.sw")
    (tmp_path / "Si.sw").write_text("# nothing\n")
    with pytest.raises(ValueError, match="has no entries"):
        StillingerWeber.from_lammps(tmp_path / "Si.sw")


def test_an_unknown_element():
    with pytest.raises(ValueError, match=r"no entry for Ga Ga As.* entries for \['Ga', 'N'\]"):
        StillingerWeber.from_lammps(FILES / "GaN.sw", ["Ga", "As"])


@pytest.mark.parametrize("potential", [StillingerWeber, EDIP, Tersoff, SplineMEAM])
def test_what_is_no_text_is_named(potential, tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ValueError, match="binary is no text"):
        potential.from_lammps(tmp_path / "binary")
    with pytest.raises(ValueError, match="is a folder"):
        potential.from_lammps(tmp_path)


def test_an_umlaut_in_a_comment_is_read(tmp_path):
    (tmp_path / "GaN.sw").write_bytes("# Bl\u00f6chl\n".encode("latin-1") + (FILES / "GaN.sw").read_bytes())
    assert StillingerWeber.from_lammps(tmp_path / "GaN.sw").species == ["Ga", "N"]
