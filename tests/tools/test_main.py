import importlib.util
import os
import subprocess
import sys

import keras
import pytest

import keras_ff as kff
from keras_ff_tools.main import VERBS


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


@pytest.mark.parametrize("verb", VERBS)
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


def test_version_and_near_verbs(capsys):
    from keras_ff_tools.main import main

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("keras_ff ")
    with pytest.raises(SystemExit) as ended:
        main(["trian", "--train", "x.xyz"])
    assert ended.value.code == 2 and "Did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.slow_on_tensorflow
def test_classes_of_a_module_of_the_user_are_known_to_every_verb(keras_ff, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import keras\nfrom keras_ff.potentials import RepulsiveMorse\n\n\n"
        "@keras.saving.register_keras_serializable('mine')\nclass Mine(RepulsiveMorse):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    sys.modules["mine"] = mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    kff.ForceField(mine.Mine(["Cu"], cutoff=3.0)).save("mine.keras")
    # As in a process that has not imported it.
    del sys.modules["mine"], keras.saving.get_custom_objects()["mine>Mine"]
    unknown = keras_ff("info", "mine.keras")
    assert unknown.status == 2 and "it needs mine.Mine" in unknown.err
    monkeypatch.setenv("PYTHONPATH", "")
    done = keras_ff("info", "mine.keras", "--import", "mine")
    assert done.status == 0 and "Mine" in done.out, done.err
    sys.modules.pop("mine")
