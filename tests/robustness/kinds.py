"""Kinds of files that are damaged: a name, a function that makes a good one in a folder, and one that reads it.

A reader returns nothing; it raises AssertionError if what it read cannot be right. To add a kind, add a line to KINDS.
"""

import gzip
import json
import shutil
import warnings
from pathlib import Path

import ase.db
import ase.io
import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from vasp_files import outcar, vasprun

from keras_ff.data import labels, read, to_structure
from keras_ff.potentials import EDIP, SplineMEAM, StillingerWeber, Tersoff

FILES = Path(__file__).parents[1] / "potentials" / "files"


def silicon():
    """Two small structures with labels."""
    structures = []
    for seed in range(2):
        atoms = bulk("Si")
        atoms.rattle(0.05, seed=seed)
        random = np.random.default_rng(seed)
        forces = random.normal(size=(2, 3)).round(3)
        atoms.calc = SinglePointCalculator(atoms, energy=-10.5 - seed, forces=forces, stress=random.normal(size=6).round(4) / 100)
        structures.append(atoms)
    return structures


def written(name, write):
    def make(folder):
        write(folder / name)
        return folder / name

    return make


def records(layout):
    """Function that writes JSON of some layout."""

    def write(path):
        from monty.json import MontyEncoder

        items = [layout(index, atoms, to_structure(atoms)) for index, atoms in enumerate(silicon())]
        path.write_text(json.dumps(items[0] if layout is trajectory else items, cls=MontyEncoder))

    return write


def plain(index, atoms, structure):
    return structure


def matpes(index, atoms, structure):
    found = labels(atoms)
    bare = to_structure(bulk("Si"))
    return {"matpes_id": f"m{index}", "structure": bare, "energy": -1.0, "forces": found["forces"], "stress": [1.0, 2, 3, 4, 5, 6]}


def mlearn(index, atoms, structure):
    found = labels(atoms)
    outputs = {"energy": found["energy"], "forces": found["forces"], "virial_stress": [1.0, 2, 3, 4, 5, 6]}
    return {"structure": to_structure(bulk("Si")), "outputs": outputs, "group": "Elastic", "element": "Si"}


def entry(index, atoms, structure):
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    return ComputedStructureEntry(structure, -3.0, correction=1.0, data={"forces": labels(atoms)["forces"]})


def trajectory(index, atoms, structure):
    from pymatgen.core.trajectory import Trajectory

    run = [to_structure(atoms) for atoms in silicon()]
    return Trajectory.from_structures(run, constant_lattice=False, frame_properties=[one.properties for one in run])


def mptrj(path):
    frame = {"structure": to_structure(bulk("Si")).as_dict(), "uncorrected_total_energy": -3.0, "stress": np.eye(3).tolist()}
    path.write_text(json.dumps({"mp-1": {"mp-1-0-0": {**frame, "force": [[0.0] * 3] * 2}}, "mp-2": {"mp-2-0-0": frame}}))


def database(path):
    with ase.db.connect(path) as connection:
        for atoms in silicon():
            connection.write(atoms, key_value_pairs={"dft_energy": -1.0})


def structures(path):
    """Read structures, and again without those that are bad."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(read(path))
        except (ValueError, OSError):
            try:
                check(read(path, skip_bad=True))
            except (ValueError, OSError):
                pass
            raise


def check(found):
    assert found
    for atoms in found:
        n = len(atoms)
        assert n and (atoms.numbers > 0).all() and np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell[:]).all()
        one = labels(atoms)
        assert isinstance(one["energy"], float) and not np.isinf(one["energy"])
        for value, shape in ((one["forces"], (n, 3)), (one["stress"], (6,))):
            assert value.shape == shape and (np.isfinite(value).all() or np.isnan(value).all())


def potential(kind, **options):
    def read_potential(path):
        for value in kind.from_lammps(path, **options).weights:
            assert np.isfinite(np.asarray(value)).all()

    return read_potential


def copied(name):
    return written(Path(name).name, lambda path: shutil.copy(FILES / name, path))


KINDS = [
    ("extended XYZ", written("s.xyz", lambda path: ase.io.write(path, silicon(), format="extxyz")), structures),
    (
        "extended XYZ of gzip",
        written("s.xyz.gz", lambda path: path.write_bytes(gzip.compress(_xyz().encode()))),
        structures,
    ),
    ("JSON of pymatgen", written("s.json", records(plain)), structures),
    ("JSON of MatPES", written("matpes.json", records(matpes)), structures),
    ("JSON of mlearn", written("mlearn.json", records(mlearn)), structures),
    ("JSON of entries", written("entries.json", records(entry)), structures),
    ("JSON of a trajectory", written("run.json", records(trajectory)), structures),
    ("JSON of MPtrj", written("mptrj.json", mptrj), structures),
    ("POSCAR", written("POSCAR", lambda path: ase.io.write(path, silicon()[0], format="vasp")), structures),
    ("OUTCAR", written("OUTCAR", lambda path: path.write_text(outcar(silicon()))), structures),
    ("vasprun.xml", written("vasprun.xml", lambda path: path.write_text(vasprun(silicon()))), structures),
    ("database of ASE", written("s.db", database), structures),
    ("JSON database of ASE", written("db.json", database), structures),
    ("trajectory of ASE", written("s.traj", lambda path: ase.io.write(path, silicon())), structures),
    ("Stillinger-Weber file", copied("GaN.sw"), potential(StillingerWeber)),
    ("EDIP file", copied("SiC.edip"), potential(EDIP)),
    ("Tersoff file", copied("SiC.tersoff"), potential(Tersoff)),
    ("spline-MEAM file of one element", copied("meam_spline/Ti.meam.spline"), potential(SplineMEAM, species="Ti")),
    ("spline-MEAM file of two elements", copied("meam_spline/TiO.meam.spline"), potential(SplineMEAM)),
]


def _xyz():
    import io

    text = io.StringIO()
    ase.io.write(text, silicon(), format="extxyz")
    return text.getvalue()
