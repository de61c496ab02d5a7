"""Double precision on TensorFlow, which always has it."""


def allow_float64():
    """Do nothing, as TensorFlow always has 64-bit numbers."""


def has_float64():
    """Whether new tensors of dtype float64 really have it: always."""
    return True
