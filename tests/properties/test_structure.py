"""Structures of pymatgen in, structures of pymatgen out."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian, FixedLine, FixedPlane, FixScaled, FixSymmetry

import keras_ff as kff
from keras_ff import backend
from keras_ff.data import to_atoms, to_structure
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import ElasticConstants, EnergyPerAtom, Phonons, relax, structure
from keras_ff.properties.structure import Relaxation

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
def test_a_structure_of_pymatgen_relaxes_to_one(silicon_model):
    pymatgen = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    model = silicon_model
    start = to_structure(bulk("Si", a=5.5))
    start.properties = {"energy": -1.0, "origin": "here"}
    start.add_site_property("forces", [[0.0, 0.0, 1.0]] * 2)
    found = relax(model, start)
    assert isinstance(found, pymatgen.Structure) and start.lattice.a == pytest.approx(5.5 / 2**0.5)
    # The lattice constant is that of LAMMPS: see the tests of elastic constants.
    np.testing.assert_allclose(found.lattice.matrix, bulk("Si", a=5.430949778405213).cell.array, rtol=0, atol=1e-9)
    # Energies and forces of before are not those of the structure at rest.
    assert found.properties == {"origin": "here"} and not found.site_properties
    assert Phonons(model, found, [[0, 0, 0]]).atoms == to_atoms(found)
    found.lattice = found.lattice.from_parameters(*found.lattice.abc, *found.lattice.angles, pbc=(True, True, False))
    with pytest.raises(ValueError, match="no crystal"):
        ElasticConstants(model, found)


def held_silicon():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    atoms.set_constraint(
        [FixAtoms([0, 1]), FixCartesian([3], (1, 0, 0)), FixedPlane([4], (1, 1, 0)), FixedLine([5], (1, 2, 3)), FixScaled([6])]
    )
    return atoms


@pytest.mark.slow_on_tensorflow
def test_constraints_hold_to_the_last_digit_while_the_rest_relaxes(silicon_model):
    model, atoms = silicon_model, held_silicon()
    relaxation = Relaxation(model, cell=False)
    relaxed = relaxation(atoms)
    moved = relaxed.positions - atoms.positions
    assert not moved[[0, 1, 6]].any() and moved[3, 0] == 0.0
    assert abs(moved[4] @ [1, 1, 0]) < 1e-14 and np.abs(np.cross(moved[5], [1, 2, 3])).max() < 1e-14
    np.testing.assert_array_equal(relaxed.cell, atoms.cell)
    assert [type(one) for one in relaxed.constraints] == [type(one) for one in atoms.constraints]
    relaxed.calc = kff.Calculator(model)
    # Forces along free directions; those on fixed atoms are not zero.
    assert np.abs(relaxed.get_forces()).max() < 1e-10 < 0.1 < np.abs(relaxed.get_forces(apply_constraint=False)).max()
    with pytest.raises(ValueError, match="cannot relax: it would move the atoms that constraints hold .*FixAtoms"):
        relax(model, atoms, cell=True)
    with pytest.raises(ValueError, match="constraints .*clamped-ion constants with relaxed=False"):
        ElasticConstants(model, atoms)
    atoms.set_constraint(FixAtoms(range(8)))
    np.testing.assert_array_equal(relaxation(atoms).positions, atoms.positions)


@pytest.mark.slow_on_tensorflow
def test_displaced_copies_are_computed_in_groups(silicon_model, monkeypatch):
    """So that the memory is bounded; the Hessian is that of second derivatives, to the accuracy of differences."""
    monkeypatch.setattr(structure, "TOGETHER", 9 * 7)
    model, atoms = silicon_model, bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=0)
    atoms.append("Si")
    atoms.positions[-1] = [2.7, 2.7, 2.7]
    batch = kff.data.Batcher.of(model).exact([kff.data.Batcher.of(model).record(atoms)])
    exact = np.asarray(backend.jit(lambda batch: structure.derivatives(model, batch, True), layer=model)(batch)[1])
    hessian = structure.hessian_by_differences(model, batch, 3 * 9 + 6, 7)
    np.testing.assert_allclose(hessian, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    relaxed = Relaxation(model)(atoms)
    relaxed.calc = kff.Calculator(model)
    assert np.abs(relaxed.get_forces()).max() < 1e-10 and np.abs(relaxed.get_stress()).max() < 1e-12


@pytest.mark.slow_on_tensorflow
def test_constraints_of_several_atoms_are_those_of_the_search_of_ase(silicon_model):
    model, atoms = silicon_model, bulk("Si", cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.set_constraint(FixBondLengths([(0, 1)]))
    relaxed = relax(model, atoms)
    assert relaxed.get_distance(0, 1, mic=True) == pytest.approx(atoms.get_distance(0, 1, mic=True), abs=1e-9)
    atoms = bulk("Si", a=5.5, cubic=True)
    atoms.set_constraint(FixSymmetry(atoms))
    np.testing.assert_allclose(relax(model, atoms).cell.lengths(), 5.430949778405213, rtol=0, atol=1e-9)


@pytest.mark.slow_on_tensorflow
def test_a_property_of_held_atoms_follows_the_weights():
    model = kff.ForceField(StillingerWeber.silicon(train=["lam"]))
    atoms = held_silicon()
    energy = EnergyPerAtom(model, atoms, free="atoms")
    _, (gradient,) = energy.gradient(lambda x: x)
    weight, energies = model.trainable_weights[0], []
    value = weight.numpy() if hasattr(weight, "numpy") else np.asarray(weight)
    for step in (1e-4, -1e-4):
        weight.assign(value + step)
        energies.append(float(energy()))
        assert not (energy.atoms.positions - atoms.positions)[:2].any()
    assert gradient.item() == pytest.approx((energies[0] - energies[1]) / 2e-4, rel=1e-6)


@pytest.mark.slow_on_tensorflow
def test_motions_that_cost_no_energy_are_not_made(silicon_model):
    relaxation, calculator = Relaxation(silicon_model, cell=False), kff.Calculator(silicon_model)
    for atoms in (
        Atoms("Si"),
        Atoms("Si3", [[0, 0, 0], [0, 0, 3e4], [1e7, 0, 0]]),
        # Two molecules.
        Atoms("Si4", [[0, 0, 0], [0.3, 1.2, 2.0], [50, 0, 0], [52, 1, 1]]),
    ):
        relaxed = relaxation(atoms)
        relaxed.calc = calculator
        assert np.abs(relaxed.get_forces()).max() < 1e-10 and np.abs(relaxed.positions - atoms.positions).max() < 0.1


def test_what_cannot_relax_is_a_sentence(silicon_model):
    model = silicon_model
    with pytest.raises(ValueError, match="The structure has no atoms"):
        relax(model, Atoms())
    with pytest.raises(ValueError, match="Atom 0 and atom 1 are 0.000 Å apart"):
        relax(model, Atoms("Si2", [[0, 0, 0], [0, 0, 0]]))
    relaxation = Relaxation(model, cell=False)
    with pytest.raises(ValueError, match="has not relaxed within 1 steps: a force component is .* on atom"):
        relaxation(held_silicon(), steps=1)
    with pytest.raises(ValueError, match="force is a positive number"):
        relax(model, bulk("Si"), force=0.0)
    steep = Atoms("Si3", [[0, 0, 0], [0, 0, 0.05], [5, 5, 5]], cell=[10] * 3)
    with pytest.raises(ValueError, match="relaxation of Si3 failed in step 1: the search along the forces does not end. Does"):
        relax(model, steep)
    known = model.get_weights()
    model.reference_energies.assign([np.nan])
    with pytest.raises(ValueError, match="energy or the forces of Si8 are not finite"):
        relaxation(held_silicon())
    model.set_weights(known)
