"""Source of the calculator of artifacts: one file that needs nothing of keras_ff."""

from __future__ import annotations

import ast
import inspect

from keras_ff import forks
from keras_ff.data import geometry_checks, neighbors, placement
from keras_ff.files import checksums
from keras_ff.interfaces import artifact, description

# Modules that make up the file, each after those that it imports.
MODULES = (geometry_checks, neighbors, placement, checksums, forks, description, artifact)


def calculator_source() -> str:
    """Source of `keras_ff.interfaces.artifact` together with what it imports from this library.

    Returns:
        A Python program.

    Example:
        >>> "class ArtifactCalculator(Calculator):" in calculator_source()
        True
    """
    pieces = [f'"""{inspect.getdoc(artifact)}\n"""', "from __future__ import annotations"]
    for module in MODULES:
        source = inspect.getsource(module)
        lines, first, *others = source.splitlines(), *ast.parse(source).body
        # The docstring and imports of the library.
        for node in [first, *(node for node in others if _of_the_library(node))]:
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
        pieces.append("\n".join(lines).strip())
    return "\n\n\n".join(pieces) + "\n"


def _of_the_library(node):
    return isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.module.startswith("keras_ff"))
