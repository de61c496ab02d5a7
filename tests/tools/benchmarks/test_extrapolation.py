import pytest


@pytest.mark.slow_on_tensorflow
def test_extrapolation(mlearn, tmp_path, rows):
    from keras_ff_tools.benchmarks import extrapolation

    extrapolation.grades(mlearn, tmp_path, n_max=1)
    assert len(rows()) == 4 and (tmp_path / "extrapolation.png").exists()
