"""How tests of the backend compare numbers."""

import numpy as np
from keras import ops


def close(found, expected, rtol=1e-13):
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=rtol, atol=1e-14)
