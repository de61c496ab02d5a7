"""The potentials that `keras-ff train --potential` makes: by name, or from a parameter file of LAMMPS."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from keras_ff_tools.arguments import meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_ff.potentials import Potential
    from keras_ff_tools.run.settings import Settings


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of potential.

    Attributes:
        name: Name of its class in `keras_ff.potentials`.
        options: Settings that belong to it, with their defaults; None is the default of the class.
        maker: Class method that makes an untrained one; the constructor by default.
        published: Class method that makes the one with published parameters.
        species: Chemical symbols that it has published parameters for.
        suffixes: Ends of the names of its parameter files.
        held: Parameters that stay as they are unless `train_parameters` names them.
    """

    name: str
    options: dict[str, Any]
    maker: str | None = None
    published: str | None = None
    species: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


_CLASSICAL = {"cutoff": None, "train_parameters": None}

# Held are lengths that end the interactions, beyond which neighbors are not listed, and factors that others determine.
POTENTIALS = {
    "neuralil": Kind("NeuralIL", {"cutoff": 5.0, "size": "default", "n_max": None, "units": None, "members": None}),
    "spline-network": Kind("SplineNetwork", {"cutoff": 5.0, "units": None, "members": None}),
    "element-networks": Kind("ElementNetworks", {"cutoff": 5.0, "units": None}),
    "spline-meam": Kind("SplineMEAM", {"cutoff": 5.5}, maker="untrained", suffixes=(".meam.spline", ".spline")),
    "pair-spline": Kind("PairSpline", {"cutoff": 5.0}),
    "sw": Kind("StillingerWeber", _CLASSICAL, None, "silicon", ("Si",), (".sw",), ("epsilon", "sigma", "a")),
    "edip": Kind("EDIP", _CLASSICAL, None, "silicon", ("Si",), (".edip",), ("a", "c")),
    "tersoff": Kind("Tersoff", _CLASSICAL, None, "silicon", ("Si",), (".tersoff",), ("gamma", "R", "D")),
    "bks": Kind("BKS", {**_CLASSICAL, "cutoff": 10.0}, None, "silica", ("O", "Si")),
}
DEFAULT = "neuralil"

# Settings that belong to some kind of potential.
OPTIONS = tuple(dict.fromkeys(name for kind in POTENTIALS.values() for name in kind.options))


def is_saved_model(text: str) -> bool:
    """Whether `--potential` names a saved model, a `.keras` file or a folder of a run, as `--start` takes it."""
    return text.endswith(".keras") or (text.lower() not in POTENTIALS and os.path.isdir(text))


def is_file(text: str) -> bool:
    """Whether `--potential` names a parameter file of LAMMPS."""
    return text.lower() not in POTENTIALS and ("." in os.path.basename(text) or os.sep in text)


def defaults(text: str) -> dict[str, Any]:
    """The settings that belong to a kind of potential, with their defaults: those of a parameter file are in the file.

    Raises:
        ValueError: If there is no such kind.
    """
    options = kind_of(text).options
    return dict.fromkeys(options) if is_file(text) else options


def kind_of(text: str) -> Kind:
    """The kind of potential that a name or the name of a parameter file means.

    Raises:
        ValueError: If there is none.

    Example:
        >>> kind_of("sw").name, kind_of("GaN.tersoff").name
        ('StillingerWeber', 'Tersoff')
    """
    if text.lower() in POTENTIALS:
        return POTENTIALS[text.lower()]
    for kind in POTENTIALS.values():
        if kind.suffixes and text.lower().endswith(kind.suffixes):
            return kind
    suffixes = [suffix for kind in POTENTIALS.values() for suffix in kind.suffixes]
    raise ValueError(
        f"A potential is one of {', '.join(POTENTIALS)}, a parameter file of LAMMPS ({', '.join(suffixes)}), or a saved model "
        f"(.keras). Received --potential {text}.{meant(text, POTENTIALS)}"
    )


def make(settings: Settings, species: Sequence[str], path: str | os.PathLike | None = None) -> Potential:
    """An untrained or published potential, or that of a parameter file.

    Args:
        settings: Settings without `start`.
        species: Chemical symbols.
        path: The parameter file, if the settings name one.

    Raises:
        ValueError: If there are no parameters for the species, or the options do not fit the potential.
    """
    from keras_ff import potentials
    from keras_ff.potentials.lammps_files import LammpsPotential

    kind = kind_of(settings.potential)
    cls = getattr(potentials, kind.name)
    options = {name: getattr(settings, name) for name in kind.options if name != "train_parameters"}
    options = {name: value for name, value in options.items() if value is not None} | {"dtype": settings.dtype}
    if "train_parameters" in kind.options:
        options["train"] = _trained(settings, cls, kind.held)
    if issubclass(cls, potentials.Learned):
        options["seed"] = settings.seed
    if path is not None:
        potential = cls.from_lammps(path, list(species), **options)
    elif kind.published:
        if unknown := sorted(set(species) - set(kind.species)):
            raise ValueError(_no_parameters(settings.potential, kind, unknown))
        potential = getattr(cls, kind.published)(**options)
    else:
        potential = getattr(cls, kind.maker)(list(species), **options) if kind.maker else cls(list(species), **options)
    if isinstance(potential, LammpsPotential) and potential.cutoff < (needed := float(cls.reach(potential.start))):
        raise ValueError(
            f"The parameters of {settings.potential} reach to {needed:g} Å. Received --cutoff {potential.cutoff:g}: give a "
            "larger one, or leave it out."
        )
    return potential


def _trained(settings, cls, held):
    """Names of the parameters that are trained."""
    names = [name for name, table in cls.TABLES.items() if not table.fixed]
    if settings.train_parameters is None:
        return [name for name in names if name not in held]
    check_parameters(settings.train_parameters, names, cls.__name__)
    return list(settings.train_parameters)


def check_parameters(words: Sequence[str], known: Sequence[str], owner: str) -> None:
    """Check that words of `--train-parameters` are names of parameters.

    Args:
        words: The words.
        known: Names of the parameters that can be trained.
        owner: What has these parameters.

    Raises:
        ValueError: If one is not.
    """
    for word in words:
        if word not in known:
            which = f"that can be trained are {', '.join(known)}" if known else "are not chosen by name (--freeze names its parts)"
            raise ValueError(f"The parameters of {owner} {which}. Received --train-parameters {word}.{meant(word, known)}")


def _no_parameters(name, kind, unknown):
    file = f"give a parameter file of LAMMPS with entries for them, --potential FILE{kind.suffixes[0]}" if kind.suffixes else ""
    ways = " or ".join(filter(None, [file, f"train a network, --potential {DEFAULT}"]))
    return f"{name} has published parameters for {', '.join(kind.species)}, and none for {', '.join(unknown)}: {ways}."
