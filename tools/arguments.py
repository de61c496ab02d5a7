"""Options that several verbs share."""

import argparse
import difflib
import re
import warnings
from collections.abc import Iterable

KINDS = ("energy", "forces", "stress")

# What the options of reading mean, and the word that stands for their value. `train` has them among its settings.
READING = {
    **{f"{kind}_key": (f"name of the {kind} in the files, if it is no common one", "NAME") for kind in KINDS},
    "stress_unit": ("unit of the stress, if the files do not say it: eV/A3 (default), GPa, kbar, ...", "UNIT"),
    "stress_sign": (
        "tension (default) or compression: under which the stress is positive in the files; compression is that of VASP",
        "WORD",
    ),
    "stress_order": ('last three of six numbers of a stress: "yz xz xy" (default), or "xy yz xz" as VASP prints them', "WORDS"),
    "keep_unconverged": ("keep ionic steps of VASP whose electronic steps did not converge", None),
}
# What the library recommends in Python is another spelling here.
SPELLINGS = (
    (r"\b(energy|forces|stress)_key=(\.\.\.)?", r"--\1-key "),
    (r"\b(stress)_(unit|sign|order)\b=?", r"--\1-\2 "),
    (r'\breference_energies="?(\w+)"?', r"--reference-energies \1"),
    (r"\bskip_bad=True", "--skip-bad"),
    (r"\bkeep_unconverged=True", "--keep-unconverged"),
)
FORCE = "continue although energies, forces and stress contradict each other"


def option(name: str) -> str:
    """An option as it is typed.

    Example:
        >>> option("n_max")
        '--n-max'
    """
    return "--" + name.replace("_", "-")


def meant(word: str, known: Iterable[str]) -> str:
    """The question whether another word was meant, with a space before it; empty if none is near.

    Example:
        >>> meant("cutof", ["cutoff", "n_max"])
        " Did you mean 'cutoff'?"
    """
    near = difflib.get_close_matches(word.lower(), {name.lower(): name for name in known}, 1)
    return "".join(f" Did you mean {name!r}?" for name in known if near and name.lower() == near[0])


def spelled(text: str) -> str:
    """A sentence of the library with its arguments as options.

    Example:
        >>> spelled("skip_bad=True leaves such frames out")
        '--skip-bad leaves such frames out'
    """
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return text


def leave_to_the_report() -> None:
    """Do not print the warnings that the printed report of reading repeats, with their number."""
    warnings.filterwarnings("ignore", "(Skipped|Reading structures:|Labels of structures:) ")


def add_reading(parser: argparse._ActionsContainer) -> None:
    """Add the options of reading: names of labels, the convention of the stress, and what is kept.

    Args:
        parser: Parser of a verb, or a group of it.
    """
    for name, (text, metavar) in READING.items():
        value = {"metavar": metavar} if metavar else {"action": "store_true"}
        parser.add_argument(option(name), help=text, **value)


def reading(args: argparse.Namespace) -> dict[str, str | bool | None]:
    """What was given of the options of `add_reading`, as `keras_ff.data.read` takes it."""
    return {name: getattr(args, name) for name in READING}


def add_force(parser: argparse._ActionsContainer) -> None:
    """Add `--force`.

    Args:
        parser: Parser of a verb, or a group of it.
    """
    parser.add_argument("--force", action="store_true", help=FORCE)
