"""The folder that LAMMPS asks for when it starts."""

from pathlib import Path

from keras_ff_tools import lammps


def test_lammps_starts_whatever_is_wrong_with_the_plugin(monkeypatch):
    def broken():
        raise ImportError("no TensorFlow")

    monkeypatch.setattr(lammps, "plugin", broken)
    assert not Path(lammps.plugin_folder()).exists()


def test_the_plugin_is_found_without_the_library():
    module = lammps.plugin()
    assert module.__name__ == "keras_ff_lammps_plugin" and callable(module.build)
    assert Path(module.__file__).parts[-4:] == ("keras_ff", "interfaces", "lammps", "plugin.py")
