"""64-bit numbers on TensorFlow, which always has them."""


def allow_float64():
    """Nothing is to be done."""


def has_float64():
    """Whether new arrays of float64 are what they say: always."""
    return True
