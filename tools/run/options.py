"""The options of the command line, made from the settings of a run."""

import argparse
import types
import typing

from keras_ff_tools.arguments import option
from keras_ff_tools.run.settings import Settings

GROUPS = {
    "data": "data (extended XYZ, ASE database, VASP output, pymatgen JSON, folder, pattern, file@frames, .h5 of convert)",
    "model": "model",
    "training": "training",
    "output": "output",
}


def add_settings(parser: argparse.ArgumentParser) -> dict[str, argparse._ArgumentGroup]:
    """Add an option for each setting; what is not given does not arrive.

    Words arrive as they are typed, and `Settings` reads them.

    Args:
        parser: Parser of a verb.

    Returns:
        Dict of the groups of options by their names.
    """
    groups = {name: parser.add_argument_group(title) for name, title in GROUPS.items()}
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        if extra["group"] is None:
            continue
        text, kind, default = field.description, _kind(field.annotation), field.default
        if isinstance(default, (int, float, str)) and not isinstance(default, bool):
            text += f" (default {default:g})" if isinstance(default, float) else f" (default {default})"
        if kind is bool:
            form = {"action": argparse.BooleanOptionalAction}
        else:
            form = {"metavar": extra["metavar"]} | ({"nargs": "+"} if kind is tuple else {})
        groups[extra["group"]].add_argument(option(name), default=argparse.SUPPRESS, help=text.replace("%", "%%"), **form)
    return groups


def _kind(annotation):
    """The type of a setting, without `None` and without what is in a tuple."""
    if isinstance(annotation, types.UnionType):
        annotation = next(one for one in typing.get_args(annotation) if one is not types.NoneType)
    return typing.get_origin(annotation) or annotation
