import os
import subprocess
import sys

import keras
import pytest


def test_help_teaches_and_does_not_import_keras():
    for words in ([], ["train"], ["convert"], ["evaluate"], ["info"]):
        program = (
            "import sys\nfrom keras_ff_tools.main import main\n"
            f"try:\n    main([*{words}, '--help'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
            "assert not {'keras', 'numpy'} & set(sys.modules), 'slow'"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("keras-ff") >= 3, done.stdout


@pytest.mark.parametrize("verb", ["convert", "train", "evaluate", "info", "check", "export", "lammps", "ipi", "benchmark"])
def test_every_verb_has_a_description_with_examples(verb):
    from importlib import import_module

    module = import_module(f"keras_ff_tools.{verb}")
    assert f"keras-ff {verb}" in module.__doc__
    assert callable(module.add_arguments) and callable(module.run)


def test_unknown_backend_is_refused(keras_ff):
    done = keras_ff("info", "x.keras", "--backend", "torch")
    assert done.status == 2 and "jax and tensorflow" in done.err and "torch" in done.err


def test_backend_that_is_not_the_running_one_needs_another_process(keras_ff):
    other = {"jax": "tensorflow", "tensorflow": "jax"}[keras.config.backend()]
    done = keras_ff("info", "x.keras", "--backend", other)
    assert done.status == 2 and "another process" in done.err


def test_unknown_backend_in_the_environment_is_refused():
    program = "import sys; from keras_ff_tools.main import main; sys.exit(main(['info', 'x.xyz']))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ, KERAS_BACKEND="torch")
    )
    assert done.returncode == 2
    assert "'torch'" in done.stderr and "Traceback" not in done.stderr


def test_debug_shows_the_traceback(keras_ff):
    assert "Traceback" in keras_ff("info", "nowhere.xyz", "--debug").err
    assert "Traceback" not in keras_ff("info", "nowhere.xyz").err
