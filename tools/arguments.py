"""Options that several verbs share."""

import argparse

KINDS = ("energy", "forces", "stress")
STRESS = ("stress_unit", "stress_sign", "stress_order")


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


def add_reading(parser: argparse._ActionsContainer, **options) -> None:
    """Add the options of reading: names of labels, the convention of the stress, and what is kept.

    Args:
        parser: Parser of a verb, or a group of it.
        options: Options of `add_argument` for each, such as a default.
    """
    add_label_keys(parser, **options)
    unit = "unit of the stress, if the files do not say it: eV/A3 (default), GPa, kbar, ..."
    sign = "tension (default) or compression: under which the stress is positive in the files; compression is that of VASP"
    order = 'last three of six numbers of a stress: "yz xz xy" (default), or "xy yz xz" as VASP prints them'
    parser.add_argument("--stress-unit", metavar="UNIT", help=unit, **options)
    parser.add_argument("--stress-sign", metavar="WORD", help=sign, **options)
    parser.add_argument("--stress-order", metavar="WORDS", help=order, **options)
    text = "keep ionic steps of VASP whose electronic steps did not converge"
    parser.add_argument("--keep-unconverged", action="store_true", help=text, **options)


def reading(args: argparse.Namespace) -> dict[str, str | bool | None]:
    """What was given of the options of `add_reading`, as `keras_ff.data.read` takes it."""
    return {**label_keys(args), **{name: getattr(args, name) for name in STRESS}, "keep_unconverged": args.keep_unconverged}


def add_force(parser: argparse._ActionsContainer, **options) -> None:
    """Add `--force`.

    Args:
        parser: Parser of a verb, or a group of it.
        options: Options of `add_argument`, such as a default.
    """
    text = "continue although energies, forces and stress contradict each other"
    parser.add_argument("--force", action="store_true", help=text, **options)
