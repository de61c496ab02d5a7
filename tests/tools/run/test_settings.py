import json
import math
from pathlib import Path

import pytest

from keras_ff_tools.run.settings import Settings


def test_defaults_are_those_of_a_new_model_unless_a_saved_one_has_decided():
    new, started = Settings(train="data.xyz"), Settings(train="data.xyz", start="a.keras", dtype="float64")
    assert (new.cutoff, new.size, new.n_max, new.dtype, new.epochs) == (5.0, "default", None, "float32", 100)
    assert (started.cutoff, started.n_max, started.dtype, started.epochs) == (None, None, "float64", 100)
    assert Settings(train="data.xyz", minutes=2).epochs is None


def test_settings_survive_a_file():
    settings = Settings(train=[Path("a.xyz"), "b.xyz"], species="Si", minutes=1.5)
    assert Settings(train="a", units="32,16").units == Settings(train="a", units=["32", "16"]).units == (32, 16)
    assert settings.train == ("a.xyz", "b.xyz") and settings.species == ("Si",)
    assert Settings(**json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cutoff": math.inf}, "cutoff: .*finite.* Received cutoff=inf"),
        ({"batch_size": 2.5}, "batch_size: .*integer.* Received batch_size=2.5"),
        ({"valid_fraction": 1.0}, "valid_fraction: .*less than 1"),
        ({"forces_weight": -1}, "forces_weight: .* Received forces_weight=-1"),
        ({"dtype": "float16"}, "dtype: .*'float32' or 'float64'. Received dtype='float16'"),
        ({"epochs": 3, "minutes": 1}, "Received both: 3 and 1"),
        ({"batch_size": 4, "devices": 3}, "3 devices do not divide batches of 4"),
        ({"units": [32, 0]}, r"whole numbers above 0, such as --units 32 32. Received \[32, 0\]"),
        ({"ema": 1.0}, "ema: .*less than 1"),
        ({"cut_off": 4}, "'cut_off' is not known to this version"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(values, message):
    with pytest.raises(ValueError, match=message) as error:
        Settings(train="data.xyz", **values)
    assert "\n" not in str(error.value) and "pydantic" not in str(error.value)


def test_a_change_is_checked():
    settings = Settings(train="data.xyz")
    assert settings.replaced(cutoff=4).cutoff == 4.0
    with pytest.raises(ValueError, match="cutoff"):
        settings.replaced(cutoff=-4)
