"""Settings of a run in a YAML file: written into its folder, and read back with the lines of what is wrong."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_ff_tools.arguments import meant
from keras_ff_tools.run.files import write_text
from keras_ff_tools.run.settings import Settings, SettingsError

HEAD = "# All settings of a run. `keras-ff train --config FILE` begins another one with them; options on the command line win.\n"

# Settings of which one excludes the other.
EITHER = {"epochs": "minutes", "minutes": "epochs"}


def write_config(path: str | os.PathLike, settings: Settings) -> None:
    """Write all settings, each with what it means, whole or not at all."""
    import yaml

    text, group = HEAD, None
    for name, value in settings.to_dict().items():
        field = Settings.model_fields[name]
        if (now := field.json_schema_extra["group"] or "training") != group:
            text, group = f"{text}\n# {now}\n", now
        written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf")).removesuffix("...\n")
        text += f"{name}: {written.strip()}  # {field.description}\n"
    write_text(path, text)


def read_config(path: str | os.PathLike, given: Mapping[str, Any] | None = None) -> Settings:
    """Settings of a YAML or JSON file.

    Values are read as the words of the command line are, so that `No` is an element, and 1e-3 a number.

    Args:
        path: The file.
        given: Settings that take the place of those in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or a setting is unknown or wrong; the text names file, line and setting.
    """
    values, lines = _read(path)
    given = dict(given or {})
    values = {name: value for name, value in values.items() if EITHER.get(name) not in given} | given
    try:
        return Settings(**values)
    except SettingsError as error:
        raise ValueError(" ".join(_with_line(path, lines, given, *problem) for problem in error.problems)) from None


def _with_line(path, lines, given, name, text):
    """A sentence about a setting with file and line, if it was given there; the first option in a sentence names it too."""
    names = [name, *(word.replace("-", "_") for word in re.findall(r"--([a-z][a-z-]+)", text))]
    line = next((lines[name] for name in names if name in lines and name not in given), None)
    return text if line is None else f"{path}, line {line}: {text}"


def _read(path):
    """Dict of the settings in a file, and dict of their lines."""
    import yaml

    text = Path(path).read_text(encoding="utf-8", errors="replace")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            raise ValueError(f"{path} has an alias (*name), which settings have no use for. Write the value itself.")
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "nested too deeply"
        raise ValueError(f"{path}{line} is no YAML: {problem}. Mend the line, or restore the file from a copy.") from None
    if not isinstance(root, yaml.MappingNode):
        raise ValueError(f"{path} holds no settings: it must have lines such as `cutoff: 5.0`. Restore it from a copy.")
    constructor, values, lines = yaml.BaseLoader(""), {}, {}
    for key, node in root.value:
        name, line = str(key.value).replace("-", "_"), key.start_mark.line + 1
        if name not in Settings.model_fields:
            raise ValueError(
                f"{path}, line {line}: the setting {name!r} is not known to this version.{meant(name, Settings.model_fields)}"
            )
        if name in lines:
            raise ValueError(f"{path}, line {line}: {name} stands in line {lines[name]} already. Remove one of them.")
        value = constructor.construct_object(node, deep=True)
        lines[name] = line
        values[name] = None if not getattr(node, "style", "") and value in ("null", "~", "") else value
    return values, lines
