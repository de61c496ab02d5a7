import pytest

TINY = {"cutoff": 3.0, "n_max": 1}


@pytest.mark.slow_on_tensorflow
def test_accuracy(mlearn, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import accuracy

    # The figures are drawn in tests of runs.
    monkeypatch.setattr("keras_ff_tools.run.report.write_run", lambda result: None)
    accuracy.element(["Si"], mlearn, 0.01, tmp_path, epochs=1, groups=True, **TINY)
    total, group, _ = rows()
    assert "Si: test MAE (RMSE)" in total and "meV/atom" in total and "Crystal structures" in group
