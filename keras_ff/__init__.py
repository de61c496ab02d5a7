"""Force fields as Keras layers, on JAX and TensorFlow.

import keras_ff as kff

structures = kff.data.read("train.xyz")
model = kff.ForceField(kff.potentials.NeuralIL(species=["Si"]))
data = kff.data.Dataset(structures, model)
model.adapt(data)
"""

from importlib import import_module

from keras_ff.choose_backend import check_backend

# Before Keras is imported: it would fail far from the cause, or run on a backend that cannot differentiate.
check_backend()

__version__ = "0.1.0"

# Where the public names live. They are imported at first use, so that `import keras_ff` is quick.
_HOMES = {
    "Calculator": "keras_ff.interfaces.ase",
    "Ensemble": "keras_ff.models",
    "ForceField": "keras_ff.models",
    "astype": "keras_ff.models",
    "enable_float64": "keras_ff.backend",
    "load": "keras_ff.models",
    "presets": "keras_ff.models",
}
_MODULES = (
    "active",
    "backend",
    "data",
    "export",
    "fitting",
    "geometry",
    "interfaces",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plots",
    "potentials",
    "properties",
    "simulation",
    "testing",
    "training",
)

__all__ = sorted([*_HOMES, *_MODULES])


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"keras_ff.{name}")
    else:
        raise AttributeError(f"module 'keras_ff' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__version__"]
