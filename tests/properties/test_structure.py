"""Structures of pymatgen in, structures of pymatgen out."""

import numpy as np
import pytest
from ase.build import bulk

import keras_ff as kff
from keras_ff.data import to_atoms, to_structure
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import ElasticConstants, Phonons, relax

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.slow_on_tensorflow
def test_a_structure_of_pymatgen_relaxes_to_one():
    pymatgen = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    model = kff.ForceField(StillingerWeber.silicon())
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
