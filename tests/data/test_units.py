import numpy as np
import pytest
from ase.units import GPa

from keras_ff.data.units import VASP, StressConvention


@pytest.mark.parametrize("unit, size", [("eV/A3", 1.0), ("eV/Å^3", 1.0), ("GPa", GPa), ("kbar", 0.1 * GPa), ("kB", 0.1 * GPa)])
def test_units(unit, size):
    assert StressConvention.named(unit).scale == pytest.approx(size, rel=1e-9)


# "in kB" of OUTCAR: XX YY ZZ XY YZ ZX, https://www.vasp.at/wiki/index.php/OUTCAR
def test_six_numbers_of_vasp():
    stress = StressConvention.named("kbar", "compression", "xy, yz, zx").apply(np.arange(1.0, 7.0))
    np.testing.assert_allclose(stress, -0.1 * GPa * np.array([1, 2, 3, 5, 6, 4]))


def test_what_a_user_says_comes_before_what_the_format_says():
    assert StressConvention.named(sign="tension").over(VASP) == StressConvention(VASP.scale, 1.0)
    assert not StressConvention().is_given


@pytest.mark.parametrize("words", [("psi", None, None), (None, "up", None), (None, None, "xx yy zz"), (None, None, "xy xy yz")])
def test_unknown_words_are_refused(words):
    with pytest.raises(ValueError, match="Received stress_(unit|sign|order)"):
        StressConvention.named(*words)
