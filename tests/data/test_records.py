import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff.data.batches import Batcher
from keras_ff.data.records import labelled_record


def test_a_broken_structure_is_named():
    with pytest.raises(ValueError, match=r"^Structure 7 \(H2\): Atom 0 and atom 1 are 0.000 Å apart: atoms lie on top"):
        labelled_record(Atoms("H2"), 7, Batcher(["H"], 2.5))
    with pytest.raises(ValueError, match=r"^Structure 3 \(H2\): Atom 0 and atom 1 are 0.050 Å apart: atoms lie on top"):
        labelled_record(Atoms("H2", [[0, 0, 0], [0, 0, 0.05]]), 3, Batcher(["H"], 2.5))


def test_a_stress_needs_three_periodic_directions():
    atoms = Atoms("H", cell=[2, 2, 20], pbc=[True, True, False])
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, stress=np.ones(6))
    record = labelled_record(atoms, 0, Batcher(["H"], 1.0))
    assert record["stress_set_aside"] and np.isnan(record["stress"]).all() and record["energy"] == 1.0
    atoms.pbc = True
    atoms.calc = SinglePointCalculator(atoms, stress=np.ones(6))
    record = labelled_record(atoms, 0, Batcher(["H"], 1.0))
    assert not record["stress_set_aside"] and record["stress"].tolist() == [1.0] * 6
