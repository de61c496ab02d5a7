"""Files of splines of LAMMPS."""

import numpy as np
import pytest
from lammps_reference import FILES

from keras_ff.potentials import SplineMEAM

pytestmark = pytest.mark.usefixtures("float64")

FOLDER = FILES / "meam_spline"
NAMES = {"Ti": ("Ti",), "Si_1": ("Si",), "Si_2": ("Si",), "TiO": ("Ti", "O")}


def potential(name, **options):
    return SplineMEAM.from_lammps(FOLDER / f"{name}.meam.spline", NAMES[name], **options)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(name, tmp_path):
    first = potential(name, dtype="float32")
    first.to_lammps(tmp_path / "first")
    second = SplineMEAM.from_lammps(tmp_path / "first")
    assert second.species == first.species and second.cutoff == first.cutoff
    for key, spline in first.functions.items():
        for before, after in zip(spline.numbers(), second.functions[key].numbers()):
            assert np.array_equal(before, after)
        assert (spline.first, spline.last) == (second.functions[key].first, second.functions[key].last)
    second.to_lammps(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def broken(tmp_path, name, edit):
    lines = (FOLDER / f"{name}.meam.spline").read_text().splitlines()
    edit(lines)
    (tmp_path / "broken").write_text("\n".join(lines) + "\n")
    return tmp_path / "broken"


def replaced(place, text):
    def edit(lines):
        lines[place - 1] = text

    return edit


@pytest.mark.parametrize(
    "name, edit, words",
    [
        ("Ti", lambda lines: lines.pop(), "line 61: the file ends where knot 8 of 8 of g X-X"),
        ("Ti", lambda lines: lines.append("1 2 3"), "line 63: the file has more than the 5 functions phi X-X"),
        ("Ti", replaced(7, "2.3689 0.38"), "line 7: 3 numbers must stand here, knot 3 of 13 of phi X-X"),
        ("Ti", replaced(7, "2.40 0.38 1.0"), r"line 7: the knots of phi X-X must rise by equal steps.* from 2.05.* to 2.4 "),
        ("Ti", replaced(2, "thirteen"), "line 2: the number of knots of phi X-X must be an integer"),
        ("Ti", replaced(3, "-20.0 inf"), "line 3: 2 numbers must stand here, the derivatives of phi X-X"),
        ("Ti", replaced(3, "-2_0.0 1.0"), "line 3: 2 numbers must stand here"),
        ("TiO", replaced(2, "meam/spline 3 Ti O"), "line 2: the words must be meam/spline, a number"),
        ("TiO", replaced(3, "spline3"), "line 3: phi Ti-Ti must begin with the word spline3eq"),
    ],
)
def test_broken_files_are_named_with_the_line(name, edit, words, tmp_path):
    with pytest.raises(ValueError, match=words) as error:
        SplineMEAM.from_lammps(broken(tmp_path, name, edit), "Ti")
    assert "broken" in str(error.value)


def test_the_element_of_an_old_file_must_be_named():
    with pytest.raises(ValueError, match="does not name it"):
        SplineMEAM.from_lammps(FOLDER / "Ti.meam.spline")
    with pytest.raises(ValueError, match=r"functions for \['Ti', 'O'\]. Received species=\['N'\]"):
        SplineMEAM.from_lammps(FOLDER / "TiO.meam.spline", "N")
    functions = potential("Ti").functions
    with pytest.raises(ValueError, match=r"Missing: \['phi Ti-Ti'\]"):
        SplineMEAM("Ti", {name: spline for name, spline in functions.items() if name != "phi Ti-Ti"})
