import pytest

RESULT = {
    "epochs": 9,
    "lowest_epoch": 4,
    "last_is_delivered": True,
    "errors": {"lowest": [2.0, 60.0], "last": [2.2, 64.0], "delivered": [2.2, 64.0]},
    "why": [],
}


def test_a_run_with_a_result_is_not_repeated_and_its_ratios_are_printed(tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import choice

    asked = []
    monkeypatch.setattr(choice, "_result", lambda problem, seed, data, folder: asked.append(folder.name) or RESULT)
    for _ in range(2):
        choice.compare({"Si": None, "Ge": None}, 2, tmp_path, tmp_path)
    assert asked == ["Si_2", "Ge_2"]
    first, second, *again = rows()
    assert "Si, seed 2" in first and "(last of epochs 4, 9); 1.100, 1.067 times the better, TOO MUCH" in first
    assert again == [first, second]


@pytest.mark.slow
def test_three_models_of_a_run_are_evaluated(mlearn, tmp_path, rows, monkeypatch):
    from keras_ff_tools.benchmarks import choice

    monkeypatch.setattr("keras_ff_tools.run.report.write_run", lambda result: None)
    problem = choice.Problem("Si_train.xyz", "Si_test.xyz", 2, {"cutoff": 3.0, "n_max": 1})
    choice.compare({"Si": problem}, 0, mlearn, tmp_path)
    [row] = rows()
    assert all(name in row for name in ("lowest", "last", "delivered", "times the better"))
