import pytest

import keras_ff as kff

TINY = {"cutoff": 3.0, "n_max": 1}


@pytest.mark.slow
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
