import numpy as np
import pytest

from keras_ff.files.state import DamagedFile, read_state, write_state


def test_values_and_arrays_return_from_a_state_file_bit_for_bit(tmp_path):
    state = {
        "numbers": [1, 0.1, float("inf"), None, True, "å"],
        "arrays": {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": [np.array(3), np.zeros(0)]},
        "scalar": np.float64(0.1),
    }
    write_state(tmp_path / "new" / "a.state", state)
    again = read_state(tmp_path / "new" / "a.state")
    assert again["numbers"] == state["numbers"]
    assert again["scalar"] == 0.1
    np.testing.assert_array_equal(again["arrays"]["a"], state["arrays"]["a"])
    assert again["arrays"]["a"].dtype == "float32"
    assert [array.shape for array in again["arrays"]["b"]] == [(), (0,)]


def test_every_truncation_and_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "a.state"
    write_state(path, {"x": np.arange(3)})
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises((DamagedFile, ValueError)):
            read_state(path)
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        with pytest.raises((DamagedFile, ValueError)):
            read_state(path)


def test_what_cannot_be_stored_is_named(tmp_path):
    with pytest.raises(TypeError, match="Received set"):
        write_state(tmp_path / "a.state", {"x": {1, 2}})
    assert not list(tmp_path.iterdir())
