"""Phonons against phonopy, force constants against finite differences."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff import plots
from keras_ff.potentials import BKS, EDIP, Ewald, StillingerWeber, Sum
from keras_ff.properties import ForceConstants, Phonons, band_path
from keras_ff.testing import Probe

pytestmark = pytest.mark.usefixtures("float64")

# Stillinger-Weber silicon with phonopy and LAMMPS, displacements of 0.004 Å: THz.
WAVE_VECTORS = {"X": [0.5, 0, 0.5], "L": [0.5, 0.5, 0.5], "W": [0.5, 0.25, 0.75]}
FREQUENCIES = {
    "X": [6.651808186, 6.651808186, 12.993546289, 12.993546289, 15.628623848, 15.628623848],
    "L": [4.703532513, 4.703532513, 11.768415637, 13.397891018, 16.766822533, 16.766822533],
    "W": [7.395841482, 7.395841482, 12.112329440, 12.112329440, 15.997677488, 15.997677488],
}


@pytest.fixture
def silicon():
    return bulk("Si", a=5.430949778405213)


def test_frequencies_are_those_of_phonopy(silicon):
    model = kff.ForceField(StillingerWeber.silicon())
    found = Phonons(model, silicon, [[0, 0, 0], *WAVE_VECTORS.values()])()
    assert found[1:] == pytest.approx(np.array([FREQUENCIES[name] for name in WAVE_VECTORS]), abs=1e-3)
    assert found[0] == pytest.approx([0, 0, 0, 17.832523889, 17.832523889, 17.832523889], abs=1e-3)


def test_force_constants_are_differences_of_forces():
    """Of a rattled crystal of two elements whose atoms see images of themselves."""
    atoms = bulk("SiC", "zincblende", a=4.36)
    atoms.rattle(0.05, seed=0)
    potential = kff.potentials.PairSpline(["Si", "C"], cutoff=4.0)
    potential.phi.values.assign(np.random.default_rng(0).normal(size=(12, 3)))
    model = kff.ForceField(potential)
    constants = ForceConstants(model, atoms)()
    step, moved = 1e-4, []
    for coordinate in range(6):
        for sign in (1, -1):
            other = atoms.copy()
            other.positions.ravel()[coordinate] += sign * step
            moved.append(other)
    forces = np.array([result["forces"].ravel() for result in Probe(model, atoms, rattle=0.0).evaluate(moved)])
    assert constants == pytest.approx((forces[1::2] - forces[::2]) / (2 * step), abs=1e-6)
    assert constants.reshape(6, 2, 3).sum(axis=1) == pytest.approx(0.0, abs=1e-10)


def test_derivatives_of_equal_frequencies_exist(silicon):
    model = kff.ForceField(StillingerWeber.silicon(train=["lam"]))
    phonons = Phonons(model, silicon, [[0, 0, 0], *WAVE_VECTORS.values()])
    value, gradient = phonons.gradient(lambda f: ops.sum(f * f) / 100.0)
    weight = model.trainable_weights[0]
    values = []
    for change in (1e-4, -1e-4):
        weight.assign(np.full(weight.shape, change))
        values.append(np.sum(phonons() ** 2) / 100.0)
    assert gradient[0].ravel()[0] == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-6)


@pytest.mark.slow_on_tensorflow
def test_pictures(silicon):
    path = band_path(silicon, "GXL", points=5)
    found = Phonons(kff.ForceField(EDIP.silicon()), silicon, path.kpts)()
    axes = plots.bands(path, {"EDIP": found, "twice": 2 * found}, {"X": FREQUENCIES["X"]}).axes[0]
    # Six bands twice, dots at the three special points, and the line of zero.
    assert len(axes.lines) == 16 and list(axes.lines[13].get_ydata()) == FREQUENCIES["X"]
    assert axes.get_xticklabels()[0].get_text() == "Γ"
    assert len(plots.density_of_states([0.0, 1.0], {"EDIP": [0.0, 1.0]}).axes[0].lines) == 1
    volumes = np.linspace(19.8, 20.2, 7)
    figure = plots.equation_of_state(volumes, -4.0 + 0.01 * (volumes - 20.0) ** 2)
    # V d²E/dV² = 20 * 0.02 eV/Å³
    assert "B = 64.1 GPa" in figure.axes[0].texts[0].get_text()


@pytest.mark.slow_on_tensorflow
def test_long_range():
    """Force constants are differences of forces; phonons need them from elsewhere."""
    repulsion = BKS(["Cs", "Cl"], {"A": [[0.0, 2000.0], [2000.0, 0.0]], "b": 3.0, "C": 0.0}, cutoff=5.0)
    model = kff.ForceField(Sum([repulsion, Ewald(["Cs", "Cl"], [1.0, -1.0], cutoff=5.0)]))
    salt = bulk("CsCl", "cesiumchloride", a=4.1)
    salt.rattle(0.1, seed=0)
    constants = ForceConstants(model, salt)()
    salt.calc = kff.Calculator(model)
    step, rows = 1e-3, []
    for atom in range(2):
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                moved = salt.copy()
                moved.calc = salt.calc
                moved.positions[atom, axis] += sign * step
                forces.append(moved.get_forces().ravel())
            rows.append((forces[1] - forces[0]) / (2 * step))
    np.testing.assert_allclose(constants, rows, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="long range.*DampedShiftedForce"):
        Phonons(model, salt, [[0.0, 0.0, 0.0]])()


@pytest.mark.slow_on_tensorflow
def test_an_unstable_crystal_is_named():
    model = kff.ForceField(StillingerWeber.silicon())
    with pytest.warns(
        UserWarning, match=r"Si is unstable: 1 of 6 frequencies are imaginary, the lowest 5.91i THz at .* \[0.5, 0.0"
    ):
        Phonons(model, bulk("Si", "bcc", a=3.2), [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])()
