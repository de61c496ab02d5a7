"""Stillinger-Weber: LAMMPS' numbers, derivatives with respect to its parameters, a fit that finds them again."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from lammps_reference import FILES, check_parameter_derivatives, check_second_derivatives, compare, frames, two_elements

import keras_ff as kff
from keras_ff.potentials import StillingerWeber
from keras_ff.testing import Probe, check_potential, continuity, padding, permutation, rotation, saving, supercell

pytestmark = pytest.mark.usefixtures("float64")

SILICON = bulk("Si", cubic=True)
MOVED = {
    "epsilon": 2.05, "sigma": 2.13, "a": 1.77, "lam": 24.3, "gamma": 1.11, "cos_theta0": -0.3, "A": 7.3, "B": 0.58, "p": 4.2,
    "q": 0.15,
}  # fmt: skip


def test_laws():
    check_potential(StillingerWeber.silicon(cutoff=4.0), SILICON, smoothness=2)


@pytest.mark.slow
def test_symmetries_of_two_elements():
    probe = Probe(StillingerWeber.from_lammps(FILES / "GaN.sw"), bulk("GaN", "zincblende", a=4.5, cubic=True))
    for law in (permutation, rotation, supercell, padding, saving):
        assert law(probe).passed


def test_every_configuration_of_lammps():
    compare(StillingerWeber.silicon(), frames("si_sw.xyz.gz"))


def test_every_parameter_moved():
    compare(StillingerWeber(["Si"], MOVED), frames("si_sw_modified_params.xyz.gz"))


def test_parameters_set_later_are_as_good():
    potential = StillingerWeber.silicon(cutoff=3.9)
    moved = {name: value for name, value in MOVED.items() if name != "q"}
    potential.set_parameters(**moved, q=0.15)
    compare(potential, frames("si_sw_modified_params.xyz.gz"))


@pytest.mark.parametrize("file", [pytest.param("GaN.sw", marks=pytest.mark.slow_on_tensorflow), "invented.sw"])
def test_two_elements(file):
    structures = two_elements("sw", file)
    compare(StillingerWeber.from_lammps(FILES / file, sorted(set(structures[0].symbols))), structures)


def test_second_derivatives():
    check_second_derivatives(StillingerWeber.silicon(), "sw")


@pytest.mark.slow
def test_parameter_derivatives_of_every_configuration():
    check_parameter_derivatives(StillingerWeber.silicon(cutoff=4.0), frames("si_sw.xyz.gz"))


@pytest.mark.slow_on_tensorflow
def test_parameter_derivatives_of_two_elements():
    structures = two_elements("sw", "invented.sw")[:3]
    reach = StillingerWeber.from_lammps(FILES / "invented.sw").cutoff
    potential = StillingerWeber.from_lammps(FILES / "invented.sw", cutoff=reach + 0.2)
    check_parameter_derivatives(potential, structures)


def test_float32_follows_float64():
    structure = frames("si_sw.xyz.gz")[20]
    forces = []
    for dtype in ("float32", "float64"):
        atoms = structure.copy()
        atoms.calc = kff.Calculator(kff.ForceField(StillingerWeber.silicon(dtype=dtype), dtype=dtype))
        forces.append(atoms.get_forces())
    assert forces[0].dtype != np.float32 and np.abs(forces[0]).max() > 1
    np.testing.assert_allclose(forces[0], forces[1], rtol=0, atol=2e-5)


@pytest.mark.slow
def test_fit_finds_the_parameters_again():
    truth = kff.Calculator(kff.ForceField(StillingerWeber.silicon()))
    rng, structures = np.random.default_rng(0), []
    for _ in range(32):
        atoms = bulk("Si", a=5.431 * rng.uniform(0.85, 1.12), cubic=True)
        atoms.positions += rng.normal(scale=0.3, size=atoms.positions.shape)
        atoms.calc = truth
        atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy(), forces=atoms.get_forces())
        structures.append(atoms)
    # Without epsilon, which stands in products only, and sigma, whose change the others can nearly undo.
    trained = ["a", "lam", "gamma", "cos_theta0", "A", "B", "p"]
    potential = StillingerWeber.silicon(cutoff=4.5, train=trained)
    expected = potential.parameters()
    potential.set_parameters(a=1.9, lam=15.0, gamma=1.0, cos_theta0=-0.25, A=6.0, B=0.7, p=3.7)
    model = kff.ForceField(potential)
    data = kff.data.Dataset(structures, model, batch_size=16, max_shapes=1)
    model.adapt(data)
    model.compile(
        keras.optimizers.Adam(kff.training.one_cycle(0.02, 400 * len(data))),
        loss={"energy_per_atom": kff.losses.LogCosh(p=100.0), "forces": kff.losses.LogCosh(p=10.0)},
        jit_compile=True,
    )
    losses = model.fit(data, epochs=400, verbose=0).history["loss"]
    assert losses[-1] < 1e-5 * losses[0]
    for name, value in potential.parameters().items():
        np.testing.assert_allclose(value, expected[name], rtol=5e-4, err_msg=name)
        assert name in trained or np.array_equal(value, expected[name])


def test_a_fit_cannot_move_the_range_beyond_the_cutoff():
    potential = StillingerWeber.silicon(cutoff=3.8)
    potential.set_parameters(sigma=2.3)
    found = potential.parameters()
    assert found["a"][0, 0] * found["sigma"][0, 0] == pytest.approx(3.8, abs=1e-12)
    probe = Probe(potential, SILICON)
    for order in range(3):
        assert continuity(probe, order).passed


def test_a_tolerance_is_refused(tmp_path):
    text = (FILES / "Si.sw").read_text().replace("4.0  0.0 0.0", "4.0  0.0 0.01")
    (tmp_path / "Si.sw").write_text(text)
    with pytest.raises(ValueError, match=r"Si\.sw, line \d+, entry Si Si Si: tol is 0\.01"):
        StillingerWeber.from_lammps(tmp_path / "Si.sw")


def test_the_preset_is_the_file_of_lammps():
    preset, file = StillingerWeber.silicon().parameters(), StillingerWeber.from_lammps(FILES / "Si.sw").parameters()
    for name, value in preset.items():
        np.testing.assert_allclose(value, file[name], rtol=2e-12)
