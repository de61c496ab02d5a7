"""A measurement as a program of its own."""

from keras_ff_tools.benchmarks import spline_networks
from keras_ff_tools.benchmarks.__main__ import main


def test_a_function_gets_the_options_that_it_takes(monkeypatch, capsys):
    given = []

    def single(elements, data, steps=3):
        given.append((elements, data, steps))

    monkeypatch.setattr(spline_networks, "single", single)
    main(["spline-networks", "single", "--elements", "Si", "Ge", "--data", "folder", "--minutes", "2", "--out", "table.md"])
    assert given == [(["Si", "Ge"], "folder", 3)]
    assert capsys.readouterr().out.startswith("backend ")
