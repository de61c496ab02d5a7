import os
import subprocess
import sys

import numpy as np
from ase.build import bulk

from keras_ff.files.fingerprints import differences, fingerprint, of_config, of_structures

VALUES = {"b": [1, 2.5, None, True, "å"], "a": np.arange(6.0).reshape(2, 3), "nan": np.array([np.nan, 1.0], "float32"), "f": len}


def test_a_fingerprint_is_the_same_in_another_process_and_changes_with_any_value():
    program = (
        f"import numpy as np; from numpy import array, nan, float32; from keras_ff.files.fingerprints import fingerprint\n{CODE}"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == fingerprint(VALUES), other.stderr
    assert fingerprint({**VALUES, "b": [1, 2.5, None, True, "a"]}) != fingerprint(VALUES)
    assert fingerprint(np.zeros(4)) != fingerprint(np.zeros((2, 2)))
    assert fingerprint([np.float32(0.5), np.int64(3)]) == fingerprint((0.5, 3))


CODE = (
    "print(fingerprint({'f': len, 'nan': array([nan, 1], 'float32'), 'a': np.arange(6.0).reshape(2, 3), "
    "'b': [1, 2.5, None, True, 'å']}))"
)


def test_structures_and_labels_count_to_the_seventh_decimal():
    silicon, moved = bulk("Si"), bulk("Si")
    known = of_structures([silicon], [{"energy": -8.67, "forces": np.zeros((2, 3))}])
    moved.positions += 1e-12
    assert of_structures([moved], [{"energy": -8.67, "forces": np.full((2, 3), -1e-12)}]) == known
    assert of_structures([moved], [{"energy": -8.6701, "forces": np.zeros((2, 3))}]) != known
    moved.positions[0] += 1e-4
    assert of_structures([moved], [{"energy": -8.67, "forces": np.zeros((2, 3))}]) != known


def test_differences_are_named():
    then = {"count": 2, "pool": {"size": [1, 2], "kind": "a"}}
    assert differences(then, {"count": 2, "pool": {"size": (1, 2), "kind": "a"}}) == []
    assert differences(then, {"pool": {"size": [1, 3], "kind": "a"}, "new": 1.0}) == [
        "count: 2 then, None now",
        "pool size: [1, 2] then, [1, 3] now",
        "new: None then, 1.0 now",
    ]
    assert of_config({"name": "a", "config": [{"name": "b", "cutoff": 5.0}]}) == {"config": [{"cutoff": 5.0}]}
