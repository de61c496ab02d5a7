"""`keras-ff benchmark`: which measurements are run, and what becomes of their rows."""

import argparse
import importlib
import sys

import pytest

from keras_ff_tools import benchmark


def parsed(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.mark.parametrize("suite", benchmark.SUITES)
def test_every_measurement_of_the_table_is_a_function(suite):
    module = importlib.import_module(f"keras_ff_tools.benchmarks.{suite.replace('-', '_')}")
    for name in benchmark.SUITES[suite].measurements:
        assert callable(getattr(module, name.replace("-", "_")))


def test_elements_are_measured_one_by_one_and_together(tmp_path):
    for symbol in ("Si", "Ge", "C"):
        (tmp_path / f"{symbol}_train.xyz").touch()
    found = benchmark.commands(parsed("spline-networks", "--data", tmp_path))
    assert [(words[4], words[words.index("--elements") + 1 :]) for words in found] == [
        *(("single", [symbol]) for symbol in ("C", "Ge", "Si")),
        ("shared", ["C", "Ge", "Si"]),
        ("transfer", ["C", "Ge", "Si"]),
    ]


def test_what_lacks_its_data_is_left_out(capsys):
    assert [words[4] for words in benchmark.commands(parsed("speed"))] == ["scaling", "calculator", "reading"]
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
