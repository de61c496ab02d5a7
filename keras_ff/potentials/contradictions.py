"""Arguments of constructors that exclude each other."""

from __future__ import annotations


def refuse_contradictions(name: str, part, **others) -> None:
    """Check that a layer is not given together with arguments that would make another one in its place.

    Args:
        name: Name of the argument that takes the layer, such as "descriptor".
        part: The layer, or None.
        others: Arguments that make the layer where none is given; None if they are not given.

    Raises:
        ValueError: If the layer and one of the others are given.

    Example:
        >>> from keras_ff.potentials.contradictions import refuse_contradictions
        >>> refuse_contradictions("descriptor", None, cutoff=5.0, n_max=6)
    """
    given = [f"{other}={value}" for other, value in others.items() if value is not None]
    if part is not None and given:
        raise ValueError(
            f"A {name} that is given decides {', '.join(others)} by itself. Received {name}={type(part).__name__}(...) and "
            f"{', '.join(given)}: leave out one or the other."
        )
