from keras_ff.training import event_file


def test_large_steps_survive_the_encoding(tmp_path):
    path = tmp_path / "events.out.tfevents.0"
    for step in (1, 127, 128, 300, 70000):
        event_file.append(path, step, {"ä": 1.0})
    assert len(event_file.read(path, before=300)) == 4  # With the version of the file.
    assert len(event_file.read(path, before=70001)) == 6
