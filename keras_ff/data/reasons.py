"""Reasons why a frame of a file is not taken although it is not broken."""


class LeftOut(ValueError):
    """Reason why a frame is left out and counted in a note, such as a calculation that did not converge."""


class NoStructures(ValueError):
    """Reason why a file holds no structures at all; in a folder it is passed over with a note."""
