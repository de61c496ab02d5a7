"""What all properties share: a structure, a model, and a function of the weights of the model."""

from keras import ops

from keras_ff import backend
from keras_ff.data.batches import Batcher
from keras_ff.data.pymatgen import to_atoms
from keras_ff.properties.structure import Relaxation, rest
from keras_ff.stateless import values_of, with_weights

FREE = (None, "atoms", "cell")


class Property:
    """A property of a structure as a differentiable function of the weights of a model.

    Calling it gives the value as it is now; `gradient` differentiates it:

        elastic = ElasticConstants(model, atoms)
        elastic()                                         # NumPy
        elastic.gradient(lambda C: C[0, 0] - C[0, 1])     # a float, and its derivatives by the trainable weights

    Everything is computed in the dtype of the model: give float64, which second derivatives need, with
    `keras_ff.models.astype(model, "float64")`.

    Args:
        model: `ForceField`.
        atoms: `ase.Atoms`, or a `Structure` of pymatgen.
        free: What of the structure follows the weights, which then is relaxed: None, "atoms", or "cell" for atoms and cell.
            Derivatives are total ones, that of the minimum itself included (implicit differentiation).

    Raises:
        ValueError: If the atoms have elements that the model does not know, or do not come to rest.
    """

    # Neighbors are listed within this many cutoffs.
    reach = 1.0

    def __init__(self, model, atoms, free=None):
        if free not in FREE:
            raise ValueError(f"free is one of {FREE}. Received {free!r}.")
        self.model, self.free = model, free
        self.atoms = to_atoms(atoms).copy()
        self._relax = Relaxation(model, cell=free == "cell") if free else None
        self._batcher = Batcher.of(model, self.reach * model.cutoff)
        self._take(self.atoms)
        self.update()
        self._value, self._gradient = None, (None, None)

    def compute(self, batch):
        """The property of a batch of one structure, as a tensor."""
        raise NotImplementedError

    def update(self):
        """Relax the structure with the weights as they are now, if it is free."""
        if self.free:
            self._take(self._relax(self.atoms))

    def _take(self, atoms):
        """Make `atoms` the structure that the property is of."""
        self.atoms = atoms
        self.batch = self._batcher.exact([self._batcher.record(atoms)])

    def of_weights(self, batch):
        """`compute`, with the structure as a function of the weights of the model if it is free."""
        if self.free:
            batch, *_ = rest(self.model, batch, cell=self.free == "cell")
        return self.compute(batch)

    def __call__(self):
        self.update()
        if self._value is None:
            self._value = backend.jit(self.compute, layer=self.model)
        return ops.convert_to_numpy(self._value(self.batch))

    def gradient(self, function):
        """A scalar function of the property and its derivatives by the trainable weights of the model.

        Compiled once for as long as the same function object is given.

        Args:
            function: From what `compute` returns to a scalar tensor.

        Returns:
            Tuple of a float and a list of NumPy arrays, in the order of `model.trainable_weights`.
        """
        self.update()
        key = (function, *map(id, self.model.trainable_weights))
        if self._gradient[0] != key:
            self._gradient = key, derivative(self.model, lambda batch: function(self.of_weights(batch)))
        value, gradients = self._gradient[1](self.batch)
        return float(value), [ops.convert_to_numpy(gradient) for gradient in gradients]


def derivative(model, function, has_aux=False):
    """Compiled function of the same arguments: a scalar and its derivatives by the trainable weights of the model.

    Args:
        model: `ForceField`.
        function: From arrays to a scalar, or with `has_aux` to a scalar and anything.
        has_aux: As in `backend.value_and_grad`.
    """
    trained = {id(weight) for weight in model.trainable_weights}
    places = [place for place, weight in enumerate(model.weights) if id(weight) in trained]

    def of_weights(chosen, values, args):
        values = list(values)
        for place, value in zip(places, chosen):
            values[place] = value
        return with_weights(model, values, function, *args)

    def of_now(*args):
        # Read inside: on TensorFlow, XLA would compile for the values of weights that are arguments.
        values = values_of(model)
        return backend.value_and_grad(of_weights, has_aux=has_aux)([values[place] for place in places], values, args)

    return backend.jit(of_now, layer=model)
