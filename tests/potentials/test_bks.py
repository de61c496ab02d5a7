"""BKS silica against LAMMPS, with both kinds of Coulomb energy.

`bks_quartz.xyz.gz` holds rattled and strained alpha-quartz from `pair_style buck/coul/long` with `kspace_style ewald` (cutoff 10 Å)
and from `buck` with `coul/dsf` (alpha 0.25, cutoff 8 Å). These styles take erfc from tables or from a polynomial with an error of
1.5e-7 (Abramowitz and Stegun, eq. 7.1.26), which is 6e-6 eV per atom and 7e-6 eV/Å here.

`bks_quartz_exact_erfc.xyz.gz` holds some of the same structures from styles of LAMMPS (22 Jul 2025) with an exact erfc:
`born/coul/dsf`; and for Ewald `born/coul/wolf` with alpha 0.6 and cutoff 10 Å, whose shift is 1e-17 there, plus
`kspace_style ewald` with gewald 0.6 and waves up to 7.2/Å, from a run of `coul/long` without pairs in its cutoff, minus one of the
two self-energies. A sum in NumPy gives the same energies to 2e-11 eV. Names with "modified" have all parameters moved; "charged" a
charge of -1.1 for O.
"""

import numpy as np
import pytest
from ase import Atoms
from keras import ops
from lammps_reference import check_parameter_derivatives, compare, energies_of, frames

from keras_ff import backend
from keras_ff.potentials import BKS, DampedShiftedForce, Ewald
from keras_ff.testing import check_potential

pytestmark = pytest.mark.usefixtures("float64")

SPECIES, CHARGES = ["Si", "O"], [2.4, -1.2]
# qqr2e of LAMMPS in units metal
LAMMPS_CONSTANT = 14.399645
MODIFIED = {
    "A": [[0.0, 17500.0], [17500.0, 1450.0]],
    "b": [[0.0, 4.9], [4.9, 2.8]],
    "C": [[0.0, 140.0], [140.0, 170.0]],
}


def silica(kind, **options):
    if kind == "ewald":
        return BKS.silica(Ewald(SPECIES, CHARGES, accuracy=1e-13, coulomb_constant=LAMMPS_CONSTANT, **options))
    coulomb = DampedShiftedForce(SPECIES, CHARGES, alpha=0.25, cutoff=8.0, coulomb_constant=LAMMPS_CONSTANT, **options)
    return BKS.silica(coulomb, cutoff=8.0)


def quartz(file, kind, *, has=(), lacks=()):
    """Frames whose names have some words and lack others."""
    names = [atoms.info["config_name"] for atoms in frames(file)]
    return [
        atoms
        for name, atoms in zip(names, frames(file))
        if kind in name and all(word in name for word in has) and not any(word in name for word in lacks)
    ]


@pytest.mark.parametrize("kind", ["ewald", "dsf"])
def test_quartz_of_lammps_with_an_exact_error_function(kind):
    structures = quartz("bks_quartz_exact_erfc.xyz.gz", kind, lacks=["modified", "charged"])
    assert len(structures) == 3
    compare(silica(kind), structures)


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("kind", ["ewald", "dsf"])
def test_quartz_of_lammps_with_other_parameters(kind):
    potential = silica(kind)
    potential.parts[0].set_parameters(**MODIFIED)
    potential.parts[1].set_parameters(charge=[2.3, -1.15])
    compare(potential, quartz("bks_quartz_exact_erfc.xyz.gz", kind, has=["modified"]))


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("kind", ["ewald", "dsf"])
def test_charged_quartz_of_lammps(kind):
    potential = silica(kind)
    potential.parts[1].set_parameters(charge=[2.4, -1.1])
    # LAMMPS leaves the uniform background of a charged cell out of the stress.
    stress = 1.0 if kind == "ewald" else 1e-9
    compare(potential, quartz("bks_quartz_exact_erfc.xyz.gz", kind, has=["charged"]), stress=stress)


@pytest.mark.slow_on_tensorflow
def test_quartz_of_lammps_with_its_tables_and_polynomials():
    for kind in ("ewald", "dsf"):
        structures = quartz("bks_quartz.xyz.gz", kind)
        assert len(structures) == 5
        compare(silica(kind), structures, energy=5e-4, forces=1e-5, stress=3e-7)


@backend.custom_gradient
def polynomial_erfc(x):
    """Abramowitz and Stegun, eq. 7.1.26, with the derivative of the exact function, as in LAMMPS."""
    t, gaussian = 1.0 / (1.0 + 0.3275911 * x), ops.exp(-x * x)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return series * gaussian, lambda upstream: -upstream * 2.0 / np.sqrt(np.pi) * gaussian


def test_the_error_function_is_all_that_differs_from_coul_dsf(monkeypatch):
    monkeypatch.setattr(backend, "erfc", polynomial_erfc)
    compare(silica("dsf"), quartz("bks_quartz.xyz.gz", "dsf"))


@pytest.mark.slow_on_tensorflow
def test_laws_of_the_short_range():
    potential = BKS.silica(D=[[0.0, 29.0], [29.0, 113.0]], cutoff=5.0).parts[0]
    # No pair of this structure lies where a strain of 1e-4 would carry it across the cutoff, where the energy jumps.
    check_potential(potential, quartz("bks_quartz.xyz.gz", "dsf")[-1], smoothness=-1, seed=1)


@pytest.mark.parametrize("kind", [pytest.param("ewald", marks=pytest.mark.slow_on_tensorflow), "dsf"])
def test_derivatives_by_all_parameters(kind):
    check_parameter_derivatives(silica(kind, train=True), quartz("bks_quartz_exact_erfc.xyz.gz", kind, has=["charged"]))


def test_a_dimer_has_the_energy_of_the_formula():
    r = np.array([0.7, 1.6, 3.0, 4.99, 5.0])
    potential = BKS.silica(D=29.0, cutoff=5.0).parts[0]
    dimers = [Atoms("SiO", [[0, 0, 0], [0, 0, distance]]) for distance in r]
    found = energies_of(potential, dimers)
    expected = (18003.7572 * np.exp(-4.87318 * r) - 133.5381 / r**6 + 29.0 / r**24) * (r < 5.0)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_silica_is_neutral_ewald_by_default():
    potential = BKS.silica(cutoff=7.0)
    short_range, coulomb = potential.parts
    assert isinstance(coulomb, Ewald) and coulomb.cutoff == potential.cutoff == 7.0
    charges = coulomb.parameters()["charge"]
    assert charges[0] + 2 * charges[1] == 0.0 and not coulomb.trainable_weights
    assert not short_range.parameters()["D"].any()


def test_parameters_are_needed():
    with pytest.raises(ValueError, match=r"Missing: \['C'\]"):
        BKS(["O"], {"A": 1388.773, "b": 2.76})
