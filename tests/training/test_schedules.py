import doctest

import keras
import numpy as np
import pytest

from keras_ff.backend import jit
from keras_ff.training import one_cycle, one_cycle_rate, schedules


def test_one_cycle_rises_to_its_peak_and_falls_to_its_end():
    schedule = jit(one_cycle(peak=2e-3, steps=50, warmup=0.2, start=0.1, final=0.01))
    rates = np.array([float(schedule(step)) for step in range(60)])
    assert rates[0] == pytest.approx(2e-4)
    assert rates.argmax() == 10
    assert rates[10] == pytest.approx(2e-3)
    assert rates[30] == pytest.approx(2e-3 * (0.99 * 0.5 + 0.01))
    assert rates[50:] == pytest.approx(2e-5)
    assert (np.diff(rates[:11]) > 0).all()
    assert (np.diff(rates[10:51]) < 0).all()


def test_the_rate_at_a_moment_is_that_of_the_schedule():
    numbers = dict(peak=2e-3, warmup=0.2, start=0.1, final=0.01)
    schedule = one_cycle(steps=50, **numbers)
    for step in range(60):
        assert float(schedule(step)) == pytest.approx(one_cycle_rate(done=step / 50, **numbers), rel=1e-5)


def test_without_warmup_the_first_step_has_the_peak():
    assert float(one_cycle(peak=1e-3, steps=10, warmup=0.0)(0)) == pytest.approx(1e-3)


def test_an_optimizer_with_one_cycle_is_saved_as_the_schedule_of_keras():
    config = keras.optimizers.serialize(keras.optimizers.Adam(one_cycle(peak=1e-3, steps=10)))
    assert config["config"]["learning_rate"]["class_name"] == "CosineDecay"


@pytest.mark.parametrize("wrong", [dict(peak=0.0), dict(steps=0), dict(steps=2.5), dict(warmup=1.0), dict(final=-0.1)])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"Received {next(iter(wrong))}="):
        one_cycle(**{"peak": 1e-3, "steps": 10, **wrong})


def test_doctests():
    assert doctest.testmod(schedules).failed == 0
