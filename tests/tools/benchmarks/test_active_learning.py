import pytest

TINY = {"cutoff": 3.0, "n_max": 1}


# Committees are compiled anew in each round.
@pytest.mark.slow
def test_active_learning(mlearn, tmp_path, rows):
    from keras_ff_tools.benchmarks.active_learning import Experiment, curves

    size = Experiment(start=2, count=2, rounds={"active": 1, "random": 1}, seeds=(0,), members=2, steps=1, **TINY)
    curves(mlearn, tmp_path, size)
    assert len(rows()) == 4 and (tmp_path / "active_learning" / "active_learning.png").exists()
