"""What the tests of the benchmarks share: data in the form of the published sets, and the printed rows."""

import importlib
import json

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from keras_ff_tools.benchmarks import measure


@pytest.fixture(autouse=True)
def precision(float64):
    """Some benchmarks switch to float64; the next test starts anew."""


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch):
    """Nothing is timed more than once."""

    def timed(function, repeats, warm_up=0):
        return measure.once(function)

    for name in (
        "speed",
        "classical",
        "splines",
        "spline_networks",
        "crystal_fits",
        "silica_fit",
        "dispersion",
        "dynamics",
        "ensembles",
    ):
        monkeypatch.setattr(importlib.import_module(f"keras_ff_tools.benchmarks.{name}"), "timed", timed)


@pytest.fixture
def rows(capsys):
    """What was printed as rows of the table."""

    def printed():
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ") and line.endswith(" |")]

    capsys.readouterr()
    return printed


def labelled(atoms, energy, rng):
    atoms.rattle(0.05, rng=rng)
    forces = rng.normal(scale=0.1, size=(len(atoms), 3))
    atoms.calc = SinglePointCalculator(atoms, energy=energy * len(atoms), forces=forces - forces.mean(axis=0))
    return atoms


@pytest.fixture(scope="session")
def mlearn(tmp_path_factory):
    """A folder in the form of mlearn: crystals of 8 atoms, with labels that are noise."""
    folder, rng = tmp_path_factory.mktemp("mlearn"), np.random.default_rng(0)
    for symbol, a in (("Si", 5.43), ("Ge", 5.66), ("C", 5.2)):
        kinds = [("Crystal", -5.4)] * 6 + [("Surface", -5.0), ("AIMD-NVT", -4.7)]
        structures = [labelled(bulk(symbol, "diamond", a=a, cubic=True), energy + 0.01 * rng.normal(), rng) for _, energy in kinds]
        for atoms, (group, _), number in zip(structures, kinds, range(8)):
            atoms.info["group"], atoms.info["description"] = group, f"at {(2530, 3374)[number % 2]} K"
        structures.append(labelled(structures[-1].copy(), -4.7, rng))
        structures[-1].info["description"] = "at 2530 K"
        ase.io.write(folder / f"{symbol}_train.xyz", structures)
        ase.io.write(folder / f"{symbol}_test.xyz", structures[5:7])
    return folder


@pytest.fixture(scope="session")
def ean(tmp_path_factory):
    """A folder in the form of the published data of ethylammonium nitrate."""
    folder, rng = tmp_path_factory.mktemp("ean"), np.random.default_rng(0)
    molecule = Atoms("CHNO", [[0, 0, 0], [1.1, 0, 0], [0, 1.4, 0], [0, 0, 1.3]], cell=[6, 6, 6], pbc=True)
    structures = [labelled(molecule.copy(), -5.0, rng) for _ in range(6)]
    for number, atoms in enumerate(structures):
        atoms.info["kind"] = ("md", "relaxed")[number % 2]
    ase.io.write(folder / "ean_validation.xyz", structures)
    (folder / "ean_split_60_15.json").write_text(json.dumps({"train": [0, 1, 2, 3], "test": [4, 5]}))
    return folder


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    """A folder in the form of phonopy: 64 atoms of silicon, each of which is bound to its site."""
    folder = tmp_path_factory.mktemp("paper")
    ase.io.write(folder / "SPOSCAR", bulk("Si", a=5.46, cubic=True) * (2, 2, 2), format="vasp")
    lines = ["64 64"]
    for i in range(64):
        for j in range(64):
            lines += [f"{i + 1} {j + 1}", *(" ".join(f"{10.0 * (i == j) * (x == y):.6f}" for y in range(3)) for x in range(3))]
    (folder / "FORCE_CONSTANTS_VASP").write_text("\n".join(lines))
    return folder
