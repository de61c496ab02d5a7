"""Prints the lower bounds of pyproject.toml as constraints for pip, such as "keras==3.15.1" for "keras>=3.15.1"."""

import re
import tomllib
from pathlib import Path


def constraints(project):
    """Lines of constraints for the dependencies and extras of a project.

    Args:
        project: Table `project` of a pyproject.toml.

    Returns:
        Sorted list of one line for each package that has a lower bound.
    """
    requirements = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    bounds = (re.match(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", requirement) for requirement in requirements)
    return sorted({f"{name}=={oldest}" for name, oldest in (bound.groups() for bound in bounds if bound)})


if __name__ == "__main__":
    print(*constraints(tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]), sep="\n")
