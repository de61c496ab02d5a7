import pytest

from keras_ff.training import one_cycle
from keras_ff_tools.run.schedule import OneCycle


class Clock:
    """Time that the test moves."""

    now = 100.0

    def monotonic(self):
        return self.now


class Model:
    class optimizer:
        learning_rate = 0.0

    stop_training = False


def simulate(monkeypatch, minutes, first, epoch, start_up=0.0):
    """Run a training whose epochs take `epoch` seconds; returns the seconds it took, the rates and the callback."""
    clock = Clock()
    monkeypatch.setattr("keras_ff_tools.run.schedule.time", clock)
    cycle = OneCycle(1.0, minutes=minutes, began=clock.now)
    cycle.set_model(Model())
    cycle.set_params({"epochs": cycle.most_epochs})
    clock.now += start_up
    cycle.on_train_begin()
    rates = []
    for number in range(cycle.most_epochs):
        cycle.on_epoch_begin(number)
        rates.append(cycle.model.optimizer.learning_rate)
        clock.now += epoch if number else first
        cycle.on_epoch_end(number)
        if cycle.model.stop_training:
            break
    return clock.now - 100.0, rates, cycle


@pytest.mark.parametrize(("first", "epoch", "start_up"), [(10.0, 1.0, 5.0), (30.0, 0.01, 0.0), (20.0, 19.0, 0.0)])
def test_run_ends_in_time_at_a_low_rate(monkeypatch, first, epoch, start_up):
    seconds, rates, cycle = simulate(monkeypatch, 2.0, first, epoch, start_up)
    assert 120 * 0.96 - epoch - 1e-6 <= seconds <= 120 * 0.96 + 1e-6
    assert len(rates) == cycle.epochs == cycle.params["epochs"]
    assert rates[-1] < 0.2 and max(rates) <= 1.0


def test_half_of_the_minutes_are_trained_however_long_compilation_takes(monkeypatch):
    seconds, rates, cycle = simulate(monkeypatch, 0.1, 10.0, 1.0)
    assert cycle.epochs == len(rates) == 4
    assert cycle.overrun == pytest.approx(seconds - 6 + 0.04 * 6)
    assert simulate(monkeypatch, 2.0, 10.0, 1.0)[2].overrun == 0.0


def test_planned_run_has_the_same_rates_when_resumed(monkeypatch):
    _, rates, cycle = simulate(monkeypatch, 2.0, 10.0, 1.0)
    resumed = OneCycle(1.0, epochs=cycle.epochs, measured=cycle.measured)
    assert [resumed.rate(epoch) for epoch in range(cycle.epochs)] == rates


def test_unknown_length_prints_as_such():
    assert f"1/{OneCycle(1.0, minutes=1.0).most_epochs}" == "1/?"
    assert OneCycle(1.0, epochs=7).most_epochs == 7


def test_the_rates_are_those_of_the_schedule_of_the_library():
    cycle, schedule = OneCycle(3e-3, epochs=20), one_cycle(3e-3, steps=200)
    assert [cycle.rate(epoch) for epoch in range(20)] == pytest.approx(
        [float(schedule(10 * epoch + 5)) for epoch in range(20)], 1e-5
    )
