import ase.io


def test_ean(ean, tmp_path, monkeypatch):
    from keras_ff_tools.benchmarks import ean as benchmark_ean

    calls = []
    monkeypatch.setattr(benchmark_ean, "train_and_test", lambda *words, **settings: calls.append((words, settings)))
    benchmark_ean.accuracy(ean, 0.01, tmp_path)
    [((name, train, test, minutes, out), settings)] = calls
    assert [len(ase.io.read(file, ":")) for file in (train, test)] == [4, 2] and settings["groups"]
    assert {atoms.info["group"] for atoms in ase.io.read(test, ":")} == {"md", "relaxed"}
