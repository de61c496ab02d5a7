"""Moduli of a solid from its elastic constants: of a polycrystal, and of a crystal along a direction."""

import numpy as np


def averaged_moduli(constants) -> dict[str, dict[str, float]]:
    """Moduli of a polycrystal of randomly oriented grains, in the unit of the elastic constants.

    Voigt's average takes the strain as uniform and is an upper bound, Reuss' average takes the stress as uniform and is a lower
    bound; Hill's is the mean of both.

    Args:
        constants: Elastic constants `(6, 6)` in the order of `ElasticConstants`, positive definite.

    Returns:
        Dictionary of "voigt", "reuss", "hill" to a dictionary of "bulk", "shear", "young" (moduli) and "poisson" (ratio).

    Example:
        >>> import keras_ff as kff
        >>> moduli = kff.properties.averaged_moduli(kff.properties.cubic(151.4, 76.4, 56.4))
        >>> {name: round(value, 2) for name, value in moduli["hill"].items()}
        {'bulk': 101.4, 'shear': 47.89, 'young': 124.13, 'poisson': 0.3}

    Reference:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), eqs. 1 to 6.
    """
    C = np.asarray(constants, dtype="float64")
    S = np.linalg.inv(C)
    along, shear = np.triu_indices(3, 1), np.arange(3, 6)
    bulk = {"voigt": C[:3, :3].sum() / 9.0, "reuss": 1.0 / S[:3, :3].sum()}
    rigidity = {
        "voigt": (np.trace(C[:3, :3]) - C[along].sum() + 3.0 * C[shear, shear].sum()) / 15.0,
        "reuss": 15.0 / (4.0 * (np.trace(S[:3, :3]) - S[along].sum()) + 3.0 * S[shear, shear].sum()),
    }
    for averages in (bulk, rigidity):
        averages["hill"] = 0.5 * (averages["voigt"] + averages["reuss"])
    return {name: _isotropic(float(bulk[name]), float(rigidity[name])) for name in bulk}


def youngs_modulus(constants, directions) -> np.ndarray:
    """Young's modulus of a crystal along directions, NumPy `(directions,)`, in the unit of the elastic constants.

    Args:
        constants: Elastic constants `(6, 6)` in the order of `ElasticConstants`.
        directions: `(directions, 3)` along the Cartesian axes, of any length.

    Returns:
        Stress over strain along each direction, where the sides are free.

    Example:
        >>> import keras_ff as kff
        >>> constants = kff.properties.cubic(151.4, 76.4, 56.4)
        >>> kff.properties.youngs_modulus(constants, [[1, 0, 0], [1, 1, 1]]).round(1).tolist()
        [100.2, 142.7]

    Reference:
        Nye, Physical Properties of Crystals (1957), section VIII.8.
    """
    x, y, z = (np.asarray(directions, dtype="float64") / np.linalg.norm(directions, axis=1, keepdims=True)).T
    stress = np.stack([x * x, y * y, z * z, y * z, x * z, x * y], axis=1)
    return 1.0 / np.einsum("ni,ij,nj->n", stress, np.linalg.inv(constants), stress)


def _isotropic(bulk, shear):
    """Moduli of an isotropic solid of given bulk and shear modulus."""
    young = 9.0 * bulk * shear / (3.0 * bulk + shear)
    return {"bulk": bulk, "shear": shear, "young": young, "poisson": 0.5 - young / (6.0 * bulk)}
