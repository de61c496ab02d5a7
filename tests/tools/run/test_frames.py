"""Structures with the results of a calculator."""

from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from keras_ff_tools.run.frames import with_results


def test_a_copy_has_the_results_and_the_calculator_may_go_on():
    crystal, calculator = bulk("Ar", a=5.3), LennardJones()
    copy = with_results(crystal, calculator)
    with_results(Atoms("Ar2", [[0, 0, 0], [0, 0, 3.0]]), calculator)
    crystal.calc = LennardJones()
    assert copy.get_potential_energy() == crystal.get_potential_energy()
    assert (copy.get_stress() == crystal.get_stress()).all() and copy.positions is not crystal.positions
