"""Force fields as Keras layers, on JAX and TensorFlow.

import keras_ff as kff

structures = kff.data.read("train.xyz")
model = kff.ForceField(kff.potentials.NeuralIL(species=["Si"]))
data = kff.data.Dataset(structures, model)
model.adapt(data)
"""

from importlib import import_module

from keras_ff.backend.selection import check_backend

# Before Keras is imported: it would fail far from the cause, or run on a backend that cannot differentiate.
check_backend()

__version__ = "0.1.0"

# Where the public names live. They are imported at first use, so that `import keras_ff` needs Keras and NumPy alone.
_HOMES = {
    "Calculator": "keras_ff.interfaces.ase",
    "Ensemble": "keras_ff.models",
    "ForceField": "keras_ff.models",
    "astype": "keras_ff.models",
    "enable_float64": "keras_ff.backend",
    "load": "keras_ff.models",
}
_MODULES = (
    "active",
    "backend",
    "data",
    "export",
    "fitting",
    "geometry",
    "layers",
    "models",
    "plots",
    "potentials",
    "properties",
    "simulation",
    "testing",
    "training",
)
_ALIASES = {"losses": "keras_ff.training.losses", "metrics": "keras_ff.training.metrics"}

__all__ = sorted([*_HOMES, *_MODULES, *_ALIASES])


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _ALIASES:
        value = import_module(_ALIASES[name])
    elif name in _MODULES:
        value = import_module(f"keras_ff.{name}")
    else:
        raise AttributeError(f"module 'keras_ff' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return __all__
