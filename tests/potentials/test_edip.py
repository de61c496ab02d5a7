"""EDIP: LAMMPS' numbers, and derivatives with respect to its parameters."""

import pytest
from ase.build import bulk
from lammps_reference import FILES, check_parameter_derivatives, check_second_derivatives, compare, frames, two_elements

from keras_ff.potentials import EDIP
from keras_ff.testing import Probe, check_potential, padding, permutation, rotation, saving, supercell

pytestmark = pytest.mark.usefixtures("float64")

MOVED = {
    "A": 8.10996084317053, "B": 1.5000453662950812, "a": 3.1971431075319754, "c": 2.633363527703844, "alpha": 3.1297715018844903,
    "beta": 0.006985551833669193, "eta": 0.24347277981543308, "gamma": 1.1462845300786233, "lam": 1.432524015224878,
    "mu": 0.7239038102245493, "rho": 1.1888367813099667, "sigma": 0.5856065597913167, "Q0": 305.85422683268087,
    "u1": -0.16472110509185975, "u2": 32.54591885024372, "u3": 0.2795106331729536, "u4": 0.674068514829609,
}  # fmt: skip


@pytest.mark.slow_on_tensorflow
def test_laws():
    check_potential(EDIP.silicon(cutoff=3.2), bulk("Si", cubic=True), smoothness=2)


@pytest.mark.slow
def test_symmetries_of_two_elements():
    probe = Probe(EDIP.from_lammps(FILES / "SiC.edip"), bulk("SiC", "zincblende", a=4.36, cubic=True))
    for law in (permutation, rotation, supercell, padding, saving):
        assert law(probe).passed


def test_every_configuration_of_lammps():
    compare(EDIP.silicon(), frames("si_edip.xyz.gz"))


def test_every_parameter_moved():
    compare(EDIP(["Si"], MOVED), frames("si_edip_modified_params.xyz.gz"))


@pytest.mark.parametrize("file", [pytest.param("SiC.edip", marks=pytest.mark.slow_on_tensorflow), "invented.edip"])
def test_two_elements(file):
    structures = two_elements("edip", file)
    compare(EDIP.from_lammps(FILES / file, sorted(set(structures[0].symbols))), structures)


def test_second_derivatives():
    check_second_derivatives(EDIP.silicon(), "edip")


@pytest.mark.slow
def test_parameter_derivatives_of_every_configuration():
    check_parameter_derivatives(EDIP.silicon(cutoff=3.3), frames("si_edip.xyz.gz"))


@pytest.mark.slow_on_tensorflow
def test_parameter_derivatives_of_two_elements():
    potential = EDIP.from_lammps(FILES / "invented.edip")
    check_parameter_derivatives(
        EDIP.from_lammps(FILES / "invented.edip", cutoff=potential.cutoff + 0.2), two_elements("edip", "invented.edip")[:2]
    )


def test_the_inner_cutoff_must_be_smaller(tmp_path):
    text = (FILES / "SiC.edip").read_text().replace("2.941586 2.540193", "2.941586 2.960193", 1)
    (tmp_path / "SiC.edip").write_text(text)
    with pytest.raises(ValueError, match=r"line \d+, entry Si Si Si: the inner cutoff 2.96"):
        EDIP.from_lammps(tmp_path / "SiC.edip")
