"""Options of the command line."""

import argparse

from keras_ff_tools.run.options import GROUPS, add_settings
from keras_ff_tools.run.settings import Settings


def test_every_setting_is_an_option_and_nothing_is_given_by_default():
    parser = argparse.ArgumentParser()
    groups = add_settings(parser)
    assert list(groups) == list(GROUPS)
    assert not vars(parser.parse_args([]))
    names = {action.dest for action in parser._actions} - {"help"}
    assert names == set(Settings.model_fields) - {"backend"}
    text = parser.format_help()
    for field in Settings.model_fields.values():
        if field.json_schema_extra["group"]:
            assert field.description.split()[0] in text


def test_words_become_settings():
    parser = argparse.ArgumentParser()
    add_settings(parser)
    words = "--train a.xyz b.xyz --n-max 4 --no-skip-bad --freeze network,core --learning-rate 1e-3 --log wandb mlflow".split()
    settings = Settings(**vars(parser.parse_args(words)))
    assert (settings.train, settings.n_max, settings.skip_bad) == (("a.xyz", "b.xyz"), 4, False)
    assert (settings.freeze, settings.learning_rate, settings.log) == (("network", "core"), 1e-3, ("wandb", "mlflow"))
