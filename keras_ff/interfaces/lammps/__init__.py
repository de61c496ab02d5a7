"""Exported force fields in LAMMPS, as `pair_style keras_ff`."""

from keras_ff.interfaces.lammps.plugin import build, plugin_path

__all__ = ["build", "plugin_path"]
