"""Arguments of constructors that exclude each other."""


def refuse_contradictions(name, part, **others):
    """Raise a ValueError if a part is given together with arguments that would make another one in its place.

    Args:
        name: Name of the argument that takes the part.
        part: The part, or None.
        others: Arguments that make the part where none is given; None if they are not given.
    """
    given = [f"{other}={value}" for other, value in others.items() if value is not None]
    if part is not None and given:
        raise ValueError(
            f"A {name} that is given decides {', '.join(others)} by itself. Received {name}={type(part).__name__}(...) and "
            f"{', '.join(given)}: leave out one or the other."
        )
