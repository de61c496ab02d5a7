"""The laws pass on what is right: presets as they come, float32, trained models."""

import gzip
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import read
from trained_silicon import trained

from keras_ff import potentials
from keras_ff.potentials import ZBL, NeuralIL, StillingerWeber, Sum
from keras_ff.testing import Probe, check_potential

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "potentials" / "files"
SILICON = bulk("Si", cubic=True)
CARBIDE = bulk("SiC", "zincblende", a=4.36, cubic=True)
NITRIDE = bulk("GaN", "zincblende", a=4.5, cubic=True)
SALT = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
TITANIUM = bulk("Ti", "hcp", a=2.95, c=4.68)


def quartz():
    with gzip.open(FILES / "bks_quartz.xyz.gz", "rt", encoding="utf-8") as file:
        return next(atoms for atoms in read(file, ":", format="extxyz") if len(atoms) == 9)


# The potential in a precision, a structure, and the number of continuous derivatives that it is made to have.
PRESETS = {
    "RepulsiveMorse": (lambda d: potentials.RepulsiveMorse(["Si"], dtype=d), SILICON, 2),
    "ZBL": (lambda d: ZBL(["Si", "C"], dtype=d), CARBIDE, 2),
    "StillingerWeber": (lambda d: StillingerWeber.silicon(dtype=d), SILICON, 2),
    "StillingerWeber GaN": (lambda d: StillingerWeber.from_lammps(FILES / "GaN.sw", dtype=d), NITRIDE, 2),
    "EDIP": (lambda d: potentials.EDIP.silicon(dtype=d), SILICON, 1),
    "EDIP SiC": (lambda d: potentials.EDIP.from_lammps(FILES / "SiC.edip", dtype=d), CARBIDE, 1),
    "Tersoff": (lambda d: potentials.Tersoff.silicon(dtype=d), SILICON, 1),
    "Tersoff SiC": (lambda d: potentials.Tersoff.from_lammps(FILES / "SiC.tersoff", dtype=d), CARBIDE, 1),
    "DampedShiftedForce": (lambda d: potentials.DampedShiftedForce(["Na", "Cl"], [1.0, -1.0], train=True, dtype=d), SALT, 1),
    "Ewald": (lambda d: potentials.Ewald(["Na", "Cl"], [1.0, -1.0], cutoff=6.0, train=True, dtype=d), SALT, 1),
    # Ends at the cutoff without shift.
    "BKS": (lambda d: potentials.BKS.silica(dtype=d).parts[0], quartz(), -1),
    "SplineMEAM": (
        lambda d: potentials.SplineMEAM.from_lammps(FILES / "meam_spline" / "Ti.meam.spline", ["Ti"], dtype=d),
        TITANIUM,
        1,
    ),
    "SplineMEAM untrained": (lambda d: potentials.SplineMEAM.untrained(["Si"], cutoff=4.0, dtype=d), SILICON, 1),
    "NeuralIL": (lambda d: NeuralIL(["Si"], cutoff=4.0, n_max=3, dtype=d), SILICON, 2),
    "NeuralIL published": (lambda d: NeuralIL.published(["Si", "C"], n_max=2, dtype=d), CARBIDE, 2),
    "NeuralIL members": (lambda d: NeuralIL(["Si"], cutoff=4.0, n_max=2, members=3, dtype=d), SILICON, 2),
    "SplineNetwork": (lambda d: potentials.SplineNetwork(["Si", "C"], cutoff=3.5, dtype=d), CARBIDE, 2),
    "PairSpline": (lambda d: potentials.PairSpline(["Si"], dtype=d), SILICON, 2),
    "ElementNetworks": (lambda d: potentials.ElementNetworks(["Si", "C"], cutoff=3.5, dtype=d), CARBIDE, 2),
    "Sum": (lambda d: Sum([NeuralIL(["Si"], cutoff=4.0, n_max=2, dtype=d), ZBL(["Si"], dtype=d)], dtype=d), SILICON, 2),
    "Committee": (
        lambda d: potentials.Committee([NeuralIL(["Si"], cutoff=r, n_max=1, dtype=d) for r in (3.5, 4.0)], dtype=d),
        SILICON,
        2,
    ),
}


# Derivatives of a float32 potential are those of its float64 copy. test_checks.py and tests/potentials/test_tersoff.py have some.
@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PRESETS)
def test_presets_pass_as_they_come(name, dtype):
    make, structure, smoothness = PRESETS[name]
    with Probe.precision(dtype):
        check_potential(make(dtype), structure, smoothness)


@pytest.mark.slow
def test_a_freshly_trained_model_passes():
    model, structure = trained(epochs=20)
    check_potential(model, structure, smoothness=2)
