"""Options that several verbs share."""

import argparse

KINDS = ("energy", "forces", "stress")


def add_label_keys(parser: argparse._ActionsContainer, **options) -> None:
    """Add `--energy-key`, `--forces-key` and `--stress-key`.

    Args:
        parser: Parser of a verb, or a group of it.
        options: Options of `add_argument` for each.
    """
    for kind in KINDS:
        text = f"name of the {kind} in the files, if it is no common one"
        parser.add_argument(f"--{kind}-key", metavar="NAME", help=text, **options)


def label_keys(args: argparse.Namespace) -> dict[str, str | None]:
    """What was given with `--energy-key`, `--forces-key` and `--stress-key`, as `keras_ff.data.read` takes it."""
    return {f"{kind}_key": getattr(args, f"{kind}_key") for kind in KINDS}
