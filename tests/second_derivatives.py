"""All second derivatives of a function, from products of its Hessian with unit vectors."""

import numpy as np
from keras import ops

from keras_ff.backend import grad, scan, vjp, vmap


def hessian(function, x, chunk=None):
    """Second derivatives `x.shape + x.shape` of a scalar function at `x`, all together or `chunk` rows at a time."""
    x = ops.convert_to_tensor(x)
    shape, size = tuple(x.shape), int(np.prod(x.shape))
    # Outside of the loop: TensorFlow cannot differentiate what is differentiated within a compiled one once more.
    _, pullback = vjp(grad(function), x)
    rows = vmap(lambda v: pullback(v)[0])
    # The last chunk repeats rows to be of the same size as the others.
    count = size if chunk is None else -(-size // chunk) * chunk
    units = np.eye(size)[np.minimum(np.arange(count), size - 1)].reshape(count, *shape)
    if chunk is None:
        found = rows(units)
    else:
        found = scan(lambda carry, some: (carry, rows(some)), 0, units.reshape(-1, chunk, *shape))[1]
    return ops.reshape(ops.reshape(found, (count, *shape))[:size], (*shape, *shape))
