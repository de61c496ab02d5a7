"""Coulomb energies: Madelung constants, LAMMPS, laws, and what must not matter."""

import keras
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from lammps_reference import check_parameter_derivatives, energies_of

import keras_ff as kff
from keras_ff.data import Batcher, Dataset
from keras_ff.potentials import DampedShiftedForce, Ewald, RepulsiveMorse, Sum
from keras_ff.potentials.repulsion import COULOMB_CONSTANT
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

SALT = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
# Borwein, Borwein and Taylor, J. Math. Phys. 26, 2999 (1985) for NaCl; Sakamoto, J. Chem. Phys. 28, 164 (1958) for the others:
# energies of a pair of ions in units of K q^2 / nearest distance.
MADELUNG = {
    "rocksalt": (1.747564594633182, 0.5),
    "cesiumchloride": (1.762674773070988, np.sqrt(0.75)),
    "zincblende": (1.638055053388789, np.sqrt(3) / 4),
}


def skewed(charges=(1.3, -0.7, -0.6), seed=0):
    """Six atoms of three species in a triclinic cell, neutral with the given charges."""
    rng = np.random.default_rng(seed)
    cell = [[5.0, 0.4, -0.3], [1.7, 5.6, 0.5], [-1.1, 0.9, 6.2]]
    places = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 0.5]])
    atoms = Atoms("NaClBr" * 2, scaled_positions=places + 0.05 * rng.normal(size=(6, 3)), cell=cell, pbc=True)
    return atoms, ["Na", "Cl", "Br"], list(charges)


def evaluate(potential, atoms):
    return Probe(potential, atoms, rattle=0.0).evaluate([atoms])[0]


def test_madelung_constants():
    structures = [bulk("NaCl", structure, a=4.0) for structure in MADELUNG]
    potential = Ewald(["Na", "Cl"], [1.0, -1.0], cutoff=6.0, accuracy=1e-12)
    results = Probe(potential, structures[0], rattle=0.0).evaluate(structures)
    for result, (constant, nearest) in zip(results, MADELUNG.values()):
        assert -result["energy"] * nearest * 4.0 / COULOMB_CONSTANT == pytest.approx(constant, rel=1e-10)
        np.testing.assert_allclose(result["energies"], result["energy"] / 2, rtol=1e-10)


def test_a_charge_in_its_background_has_the_energy_of_a_wigner_crystal():
    # Of a simple cubic lattice: Nijboer and Ruijgrok, J. Stat. Phys. 53, 361 (1988)
    atoms = Atoms("Na", cell=np.eye(3) * 7.0, pbc=True)
    [energy] = energies_of(Ewald(["Na"], [2.0], cutoff=6.0, accuracy=1e-12), [atoms])
    assert energy * 7.0 / COULOMB_CONSTANT / 4.0 == pytest.approx(-0.5 * 2.837297479480619, rel=1e-10)


@pytest.mark.slow_on_tensorflow
def test_results_depend_on_the_cutoff_by_the_accuracy():
    atoms, species, charges = skewed((1.3, -0.7, 0.2))
    exact = evaluate(Ewald(species, charges, 4.0, accuracy=1e-14), atoms)
    for cutoff, accuracy in ((6.5, 1e-13), (7.0, 1e-4)):
        found = evaluate(Ewald(species, charges, cutoff, accuracy), atoms)
        for name in ("energies", "forces", "stress"):
            error = np.abs(found[name] - exact[name]).max() / np.abs(exact[name]).max()
            assert error < 20 * accuracy, (accuracy, name, error)


@pytest.mark.slow_on_tensorflow
def test_laws_of_ewald():
    """Of a charged cell: a neutral one has fewer terms."""
    check_potential(Ewald(["Na", "Cl"], [1.0, -0.8], cutoff=5.0, accuracy=1e-14, train=True), SALT, smoothness=2)


@pytest.mark.slow_on_tensorflow
def test_a_sum_adds_long_ranges():
    atoms, species, charges = skewed()
    one, same = (Ewald(species, charges, cutoff, accuracy=1e-13) for cutoff in (4.0, 5.0))
    total = Sum([same, Sum([one, DampedShiftedForce(species, [0.0, 0.0, 0.0], cutoff=4.0)])])
    assert kff.ForceField(total).wave_cutoff == one.wave_cutoff > same.wave_cutoff
    expected, found = evaluate(one, atoms), evaluate(total, atoms)
    for name in ("energies", "forces", "stress"):
        np.testing.assert_allclose(found[name], 2 * expected[name], rtol=0, atol=1e-10, err_msg=name)


def test_laws_of_damped_shifted_force():
    check_potential(DampedShiftedForce(["Na", "Cl"], [1.0, -1.0], alpha=0.3, cutoff=5.0, train=True), SALT)


def test_a_dimer_has_the_damped_shifted_force_of_the_formula():
    from math import erfc, exp, pi, sqrt

    alpha, R = 0.2, 6.0
    potential = DampedShiftedForce(["Na", "Cl"], [0.9, -0.8], alpha=alpha, cutoff=R, coulomb_constant=14.4)
    slope = -erfc(alpha * R) / R**2 - 2 * alpha / sqrt(pi) * exp(-((alpha * R) ** 2)) / R
    own = -0.5 * (erfc(alpha * R) / R - R * slope) - alpha / sqrt(pi)
    lengths = (1.5, 5.9, 6.0, 9.0)
    for r, energy in zip(lengths, energies_of(potential, [Atoms("NaCl", [[0, 0, 0], [0, 0, r]]) for r in lengths])):
        pair = erfc(alpha * r) / r - erfc(alpha * R) / R - (r - R) * slope if r < R else 0.0
        assert energy == pytest.approx(14.4 * (-0.72 * pair + (0.81 + 0.64) * own), abs=1e-12)


def test_long_damped_shifted_forces_approach_ewald():
    """The energy of a crystal, to two thousandths."""
    [exact] = energies_of(Ewald(["Na", "Cl"], [1.0, -1.0]), [SALT])
    [found] = energies_of(DampedShiftedForce(["Na", "Cl"], [1.0, -1.0], 0.2, 12.0), [SALT])
    assert found == pytest.approx(exact, rel=2e-3)


@pytest.mark.slow_on_jax
def test_parameter_derivatives_go_through_all_parts():
    """Both are among those of test_bks.py, of which TensorFlow tries one."""
    atoms, species, charges = skewed((1.3, -0.7, 0.2))
    check_parameter_derivatives(Ewald(species, charges, cutoff=5.0, train=True), [atoms])
    check_parameter_derivatives(DampedShiftedForce(species, charges, cutoff=5.0, train=True), [atoms])


@pytest.mark.slow_on_tensorflow
def test_the_calculator_follows_atoms_and_cell():
    """Forces and stress against energy differences, with cells that grow past the room for their waves."""
    atoms, species, charges = skewed()
    calculator = kff.Calculator(kff.ForceField(Ewald(species, charges, cutoff=5.0, accuracy=1e-12)))
    atoms.calc = calculator
    forces, stress, volume = atoms.get_forces(), atoms.get_stress(voigt=False), atoms.get_volume()
    step, energies = 1e-4, []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[2] += sign * step * np.array([0.6, 0.0, 0.8])
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * step * np.array([[0, 0, 0.5], [0, 1, 0], [0.5, 0, 0]])), True)
        moved.calc = strained.calc = calculator
        energies.append([moved.get_potential_energy(), strained.get_potential_energy()])
    slopes = np.subtract(*energies) / (2 * step)
    assert slopes[0] == pytest.approx(-forces[2] @ [0.6, 0.0, 0.8], abs=1e-6)
    assert slopes[1] / volume == pytest.approx(stress[0, 2] + stress[1, 1], abs=1e-7)
    double = atoms * (1, 1, 2)
    double.calc = calculator
    assert double.get_potential_energy() == pytest.approx(2 * atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(double.get_stress(), atoms.get_stress(), atol=1e-10)
    data = Dataset([atoms], calculator.force_field, batch_size=1)
    predicted = calculator.force_field.predict(data, verbose=0)
    np.testing.assert_allclose(predicted["forces"][0], forces, atol=1e-12)


@pytest.mark.slow_on_tensorflow
def test_molecular_dynamics_conserves_the_energy():
    repulsion = RepulsiveMorse(["Na", "Cl"], well_depth=1.0, stiffness=1.7, bond_length=2.7, cutoff=5.5)
    calculator = kff.Calculator(kff.ForceField(Sum([repulsion, Ewald(["Na", "Cl"], [1.0, -1.0], cutoff=5.5)])))
    spreads = []
    for step, count in ((4.0, 30), (2.0, 60)):
        atoms = SALT.copy()
        atoms.calc = calculator
        MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(0))
        md = VelocityVerlet(atoms, step * units.fs)
        energies = []
        md.attach(lambda atoms=atoms, energies=energies: energies.append(atoms.get_total_energy()))
        md.run(count)
        spreads.append(np.ptp(energies))
    assert spreads[1] < 5e-3
    assert spreads[0] / spreads[1] == pytest.approx(4.0, rel=0.2)


@pytest.mark.slow_on_tensorflow
def test_a_fit_finds_the_charges():
    species = ["Na", "Cl"]
    truth = kff.ForceField(Ewald(species, [1.0, -1.0], cutoff=5.0))
    structures = []
    for seed in range(2):
        atoms = SALT.copy()
        atoms.rattle(0.1, seed=seed)
        atoms.calc = kff.Calculator(truth)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        structures.append(atoms)
    model = kff.ForceField(Ewald(species, [0.9, -0.9], cutoff=5.0, train=True))
    data = Dataset(structures, model, batch_size=2)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss={"forces": kff.losses.LogCosh(0.1)}, jit_compile=True)
    losses = model.fit(data, epochs=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0] / 2
    np.testing.assert_allclose(model.potential.parameters()["charge"], [1.0, -1.0], atol=0.06)


@pytest.mark.slow_on_tensorflow
def test_float32_agrees_with_float64():
    atoms, species, charges = skewed()
    atoms.positions += 3 * atoms.cell[0]
    double = kff.ForceField(Ewald(species, charges, cutoff=6.0))
    single = kff.astype(double, "float32")
    outputs = []
    for model in (double, single):
        atoms.calc = kff.Calculator(model)
        outputs.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    for expected, found in zip(*outputs):
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_errors_say_what_to_do():
    model = kff.ForceField(Ewald(["Na", "Cl"], [1.0, -1.0]))
    slab = SALT.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match=r"Structure 0 \(Cl4Na4\).*DampedShiftedForce"):
        Dataset([slab], model)
    slab.calc = kff.Calculator(model)
    with pytest.raises(ValueError, match=r"Cl4Na4.*pbc=\[True, True, False\].*DampedShiftedForce"):
        slab.get_potential_energy()
    inputs, _ = Dataset([SALT], Batcher(["Na", "Cl"], model.cutoff))[0]
    with pytest.raises(ValueError, match="Dataset"):
        model.atomic(inputs)
    with pytest.raises(ValueError, match="accuracy=0"):
        Ewald(["Na"], [1.0], accuracy=0)
    with pytest.raises(ValueError, match="alpha=-1"):
        DampedShiftedForce(["Na"], [1.0], alpha=-1)
    with pytest.raises(ValueError, match="coulomb_constant=nan"):
        Ewald(["Na"], [1.0], coulomb_constant=np.nan)
    with pytest.raises(ValueError, match=r"charge .*\(2,\)"):
        Ewald(["Na", "Cl"], [1.0, -1.0, 0.0])
