"""The base class of all properties, and derivatives with respect to the weights of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.data.pymatgen import to_atoms
from keras_ff.properties.structure import Relaxation, free_directions, newton_step
from keras_ff.simulation.start import check_model
from keras_ff.stateless import values_of, with_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import numpy as np
    from ase import Atoms
    from pymatgen.core import Structure

FREE = (None, "atoms", "cell")


class Property:
    """Base class of properties: functions of a structure, differentiable with respect to the weights of a model.

    Calling a property returns its value with the weights as they are now; `gradient` differentiates a scalar function of it. A
    property of your own is a subclass with a method `compute`.

    Everything is computed in the dtype of the model. Properties that are second derivatives of the energy (elastic constants,
    phonons) need float64: call `keras_ff.enable_float64()` before you make the model, or convert a trained model with
    `keras_ff.astype(model, "float64")`.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms`, or a `Structure` of pymatgen.
        free: Which coordinates are relaxed, now and whenever the weights have changed: None for no relaxation, "atoms" for the
            positions, "cell" for positions and cell. Derivatives with respect to the weights then include the change of the
            relaxed structure itself (implicit differentiation).

    Attributes:
        atoms: The structure, relaxed if it is free, as `ase.Atoms`.
        batch: The structure as a batch of one: dict of arrays that `compute` takes.

    Raises:
        TypeError: If the model is no `ForceField`.
        ValueError: If `free` is none of the three, the structure has elements that the model does not know, or a free structure
            cannot be relaxed, also for its constraints.

    Example:
        The energy of this potential is proportional to epsilon, and its weight is the logarithm of epsilon. So the energy is
        also its own derivative:

        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon(train=["epsilon"]))
        >>> energy = kff.properties.EnergyPerAtom(model, bulk("Si", a=5.431))
        >>> round(float(energy()), 3)
        -4.337
        >>> value, gradient = energy.gradient(lambda e: e)
        >>> round(value, 3), round(gradient[0].item(), 3)
        (-4.337, -4.337)
    """

    # Neighbors are listed within this many cutoffs.
    reach = 1.0

    @property
    def abscissa(self) -> tuple[str, np.ndarray | None]:
        """Label of the horizontal axis of a figure and the values on it; None for a property that is no curve."""
        return "", None

    def __init__(self, model: keras.Model, atoms: Atoms | Structure, free: str | None = None):
        check_model(model)
        if free not in FREE:
            raise ValueError(f"free is one of {FREE}. Received {free!r}.")
        self.model, self.free = model, free
        self.atoms = to_atoms(atoms).copy()
        self._relax = Relaxation(model, cell=free == "cell") if free else None
        self._batcher = Batcher.of(model, self.reach * model.cutoff)
        self._take(self.atoms)
        self.update()
        self._value, self._gradient = None, (None, None)

    def compute(self, batch: dict):
        """Compute the property of a batch of one structure.

        Args:
            batch: Dict of arrays, as `self.batch`.

        Returns:
            Tensor of the shape that the class describes.
        """
        raise NotImplementedError

    def update(self) -> None:
        """Relax the structure with the weights as they are now, if it is free."""
        if self.free:
            self._take(self._relax(self.atoms))

    def _take(self, atoms):
        """Make `atoms` the structure that the property is of."""
        self.atoms = atoms
        self.batch = self._batcher.exact([self._batcher.record(atoms)])

    def of_weights(self, batch: dict):
        """Compute the property as a function of the weights: like `compute`, but a free structure follows the weights.

        Args:
            batch: Dict of arrays of one structure, relaxed if it is free.

        Returns:
            Tensor as `compute` returns it.
        """
        if self.free:
            batch = newton_step(self.model, batch, self.free == "cell", free_directions(self.atoms))
        return self.compute(batch)

    def __call__(self) -> np.ndarray:
        """Return the property with the weights as they are now, as a NumPy array."""
        self.update()
        if self._value is None:
            self._value = backend.jit(self.compute, layer=self.model)
        return ops.convert_to_numpy(self._value(self.batch))

    def gradient(self, function: Callable) -> tuple[float, list[np.ndarray]]:
        """Differentiate a scalar function of the property with respect to the trainable weights of the model.

        It is compiled at the first call and kept for as long as the same function object is given.

        Args:
            function: Takes the tensor that `compute` returns, returns a scalar tensor.

        Returns:
            Tuple of the value, a float, and its derivatives, a list of NumPy arrays in the order of `model.trainable_weights`.
        """
        self.update()
        key = (function, *map(id, self.model.trainable_weights))
        if self._gradient[0] != key:
            self._gradient = key, derivative(self.model, lambda batch: function(self.of_weights(batch)))
        value, gradients = self._gradient[1](self.batch)
        return float(value), [ops.convert_to_numpy(gradient) for gradient in gradients]


def derivative(model: keras.Model, function: Callable, has_aux: bool = False) -> Callable:
    """Compiled function that returns a scalar and its derivatives with respect to the trainable weights of a model.

    Args:
        model: `ForceField`.
        function: Takes arrays or nests of arrays, returns a scalar tensor that depends on the weights; with `has_aux` a tuple of
            the scalar and anything else.
        has_aux: Whether `function` returns such a tuple, as in `backend.value_and_grad`.

    Returns:
        Function of the same arguments that returns a tuple of what `function` returns and a list of derivatives, in the order of
        `model.trainable_weights`.
    """
    trained = {id(weight) for weight in model.trainable_weights}
    indices = [index for index, weight in enumerate(model.weights) if id(weight) in trained]

    def of_weights(trainable, values, args):
        values = list(values)
        for index, value in zip(indices, trainable):
            values[index] = value
        return with_weights(model, values, function, *args)

    def of_now(*args):
        # Read inside: on TensorFlow, XLA would compile for the values of weights that are arguments.
        values = values_of(model)
        return backend.value_and_grad(of_weights, has_aux=has_aux)([values[index] for index in indices], values, args)

    return backend.jit(of_now, layer=model)
