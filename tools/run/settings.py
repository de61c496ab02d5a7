"""The settings of a training run: the only place of their names, defaults, limits and descriptions."""

import ast
import os
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, ValidationError, field_validator, model_validator

from keras_ff_tools.arguments import FORCE, READING, meant, option
from keras_ff_tools.run import potentials

# Number of epochs of a run that names neither epochs nor minutes.
DEFAULT_EPOCHS = 100

# What a saved model has decided.
OF_THE_MODEL = ("potential", "species", "cutoff", "size", "n_max", "units", "members", "core")


def _of(group, text, default=None, metavar=None, **limits):
    """A setting: `--help` of the command line shows it in its group."""
    return Field(default, description=text, json_schema_extra={"group": group, "metavar": metavar}, **limits)


def _reading(name):
    text, metavar = READING[name]
    return _of("data", text, None if metavar else False, metavar)


class SettingsError(ValueError):
    """Settings that cannot be used.

    Attributes:
        problems: Pairs of the name of a setting, "" where several contradict each other, and a sentence.
    """

    def __init__(self, problems: list[tuple[str, str]]):
        super().__init__(" ".join(text for _, text in problems))
        self.problems = problems


class Settings(BaseModel):
    """What determines the result of a run, together with the data, the versions and the machine.

    The fields describe themselves: `Settings.model_fields["cutoff"].description`.

    Raises:
        ValueError: If a setting is unknown or out of its range, or two contradict each other.

    Example:
        >>> Settings(train="data.xyz", minutes=5).cutoff
        5.0
        >>> Settings(train="data.xyz", cutoff=-1)
        Traceback (most recent call last):
        ValueError: cutoff: Input should be greater than 0. Received cutoff=-1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    train: tuple[str, ...] = _of("data", "files to train on", (), "FILE")
    valid: tuple[str, ...] = _of("data", "files that choose the best model; else a fraction of the training files", (), "FILE")
    valid_fraction: float = _of("data", "this fraction, 0 for none", 0.1, "X", ge=0, lt=1)
    test: tuple[str, ...] = _of("data", "files that the finished model is evaluated on", (), "FILE")
    replay: tuple[str, ...] = _of(
        "data", "with --start: files with data that it knows, mixed in so that it does not forget them", (), "FILE"
    )
    config_type_weights: dict[str, NonNegativeFloat] | None = _of(
        "data",
        'weights of structures by their config_type, such as \'{"Default": 1.0, "dimer": 0.1}\'; Default are those without one',
        metavar="DICT",
    )
    outliers: Literal["keep", "down-weight"] = _of(
        "data",
        "keep, or down-weight: energies and forces far beyond those of the other structures count less, as the square of the ratio",
        "keep",
        "WORD",
    )
    energy_key: str | None = _reading("energy_key")
    forces_key: str | None = _reading("forces_key")
    stress_key: str | None = _reading("stress_key")
    stress_unit: str | None = _reading("stress_unit")
    stress_sign: str | None = _reading("stress_sign")
    stress_order: str | None = _reading("stress_order")
    reference_energies: dict[str, float] | str | None = _of(
        "data",
        "energies of free atoms: a file of {symbol: eV} in JSON or YAML, a file of structures with isolated atoms, isolated (those "
        "of the data, which must have all), or fit (default: those that the data have; the others are fitted)",
        metavar="FILE|isolated|fit",
    )
    keep_unconverged: bool = _reading("keep_unconverged")
    skip_bad: bool = _of("data", "leave broken frames out and continue", False)
    force: bool = _of("data", FORCE, False)

    potential: str | None = _of(
        "model",
        f"one of {', '.join(potentials.POTENTIALS)}, or a parameter file of LAMMPS (default {potentials.DEFAULT})",
        metavar="NAME|FILE",
    )
    start: str | None = _of("model", "saved model (.keras), or folder of a run, to train further", metavar="MODEL")
    adapt: bool = _of("model", "with --start: first fit its reference energies and statistics to the training set", False)
    species: tuple[str, ...] | None = _of("model", "chemical symbols (default: those of the training files)", metavar="SYMBOL")
    cutoff: float | None = _of("model", "radius in Å (default 5, or that of the potential)", metavar="R", gt=0, le=100)
    size: Literal["fast", "default", "accurate"] | None = _of(
        "model", "size of neuralil: fast, default, or accurate", metavar="NAME"
    )
    n_max: int | None = _of("model", "size of the descriptor of neuralil (default: that of --size)", metavar="N", ge=1, le=16)
    units: tuple[int, ...] | None = _of(
        "model", "widths of the hidden layers of a network (default 16 16, or those of --size)", metavar="N"
    )
    members: int | None = _of("model", "train a committee of so many networks", metavar="N", ge=2, le=1000)
    train_parameters: tuple[str, ...] | None = _of(
        "model",
        "parameters of a classical potential to train, such as A,B,lam (default: all but its radii; with --start as it was saved)",
        metavar="NAME",
    )
    core: Literal["auto", "zbl", "morse", "none"] = _of(
        "model",
        "repulsion at short range: zbl, morse or none (auto: zbl for networks without close contacts in the data)",
        "auto",
        "NAME",
    )
    freeze: tuple[str, ...] = _of("model", "parts that are not trained, such as descriptor, network, embedding, core", (), "PART")
    dtype: Literal["float32", "float64"] | None = _of(
        "model", "float32 or float64 (default float32, or that of the saved model)", metavar="NAME"
    )

    epochs: int | None = _of("training", f"length of the run (default {DEFAULT_EPOCHS})", metavar="N", gt=0)
    minutes: float | None = _of("training", "or wall time of the run; epochs are planned to fit", metavar="M", gt=0)
    batch_size: int = _of("training", "structures in a batch", 4, "N", gt=0)
    max_shapes: int = _of("training", "padded shapes of batches; each is compiled once, more of them pad less", 4, "N", gt=0)
    learning_rate: float = _of("training", "peak of the one-cycle schedule of Adam", 3e-3, "X", gt=0)
    ema: float | None = _of(
        "training",
        "average the weights over the steps with this decay, such as 0.99; the average is validated and delivered (default none)",
        metavar="X",
        ge=0,
        lt=1,
    )
    energy_weight: float = _of("training", "weight of the energy per atom in the loss, 0 leaves it out", 1.0, "X", ge=0)
    forces_weight: float = _of("training", "weight of the force components", 1.0, "X", ge=0)
    stress_weight: float = _of("training", "weight of the stress components", 0.0, "X", ge=0)
    energy_p: float = _of("training", "errors of energies beyond 1/p count linearly, in atom/eV", 100.0, "P", gt=0)
    forces_p: float = _of("training", "the same for forces, in Å/eV", 10.0, "P", gt=0)
    stress_p: float = _of("training", "the same for stresses, in Å³/eV", 1000.0, "P", gt=0)
    seed: int = _of("training", "seed of new weights, order of the data and split", 0, "N")
    devices: int = _of("training", "devices that divide each batch", 1, "N", gt=0)
    # An option of every verb.
    backend: Literal["jax", "tensorflow"] | None = _of(None, "jax or tensorflow")

    log: tuple[Literal["wandb", "mlflow"], ...] = _of(
        "output", "also log to Weights & Biases (wandb) or MLflow (mlflow); files for TensorBoard are always written", (), "NAME"
    )

    # Pydantic's own text has the address of its documentation, and no sentence.
    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError([_problem(one) for one in error.errors()]) from None

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values):
        given = {name: value for name, value in values.items() if value is not None}
        if "epochs" not in given and "minutes" not in given:
            given["epochs"] = DEFAULT_EPOCHS
        if "start" not in given and potentials.is_saved_model(str(given.get("potential", ""))):
            given["start"] = given.pop("potential")
        if "start" in given:
            return given
        given = {"potential": potentials.DEFAULT, "dtype": "float32", **given}
        return {**potentials.defaults(os.fspath(given["potential"])), **given}

    @field_validator("train", "valid", "test", "replay", "species", "log", mode="before")
    @classmethod
    def _several(cls, values):
        if isinstance(values, (str, os.PathLike)):
            return (str(values),)
        return tuple(map(str, values)) if isinstance(values, (list, tuple)) else values

    @field_validator("freeze", "train_parameters", mode="before")
    @classmethod
    def _separate(cls, values):
        """Words, also where commas join them."""
        values = [values] if isinstance(values, str) else values
        if not isinstance(values, (list, tuple)):
            return values
        return tuple(word.strip() for value in values for word in str(value).split(",") if word.strip())

    @field_validator("units", mode="before")
    @classmethod
    def _widths(cls, values):
        """Positive whole numbers, also where commas join them."""
        if values is None:
            return None
        words = cls._separate(list(values) if isinstance(values, (list, tuple)) else str(values))
        if not all(word.isdecimal() and int(word) for word in words):
            raise ValueError(f"Widths of hidden layers are whole numbers above 0, such as --units 32 32. Received {values!r}.")
        return tuple(map(int, words))

    @field_validator("config_type_weights", mode="before")
    @classmethod
    def _weights_of_types(cls, value):
        try:
            value = ast.literal_eval(value) if isinstance(value, str) else value
        except (ValueError, SyntaxError):
            pass
        if value is None or isinstance(value, dict):
            return value
        raise ValueError(
            f"Weights of types are a dict from config_type to weight, such as {{'Default': 1.0, 'dimer': 0.1}}. Received {value!r}."
        )

    @field_validator("reference_energies", mode="before")
    @classmethod
    def _dict_or_word(cls, value):
        try:
            return ast.literal_eval(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
        except (ValueError, SyntaxError):
            return value

    @field_validator("start", "potential", mode="before")
    @classmethod
    def _path(cls, value):
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @model_validator(mode="after")
    def _contradictions(self):
        if not self.train:
            raise ValueError("There is nothing to train on: name one or more files of structures with --train.")
        if self.epochs is not None and self.minutes is not None:
            raise ValueError(f"Give the length of a run in epochs or in minutes. Received both: {self.epochs} and {self.minutes}.")
        if not any(self.weights.values()):
            raise ValueError(
                "All weights of the loss are 0, so there is nothing to learn. Give one of energy, forces, stress a weight."
            )
        if self.batch_size % self.devices:
            raise ValueError(
                f"{self.devices} devices do not divide batches of {self.batch_size} structures. Give --batch-size too."
            )
        (self._check_start if self.start else self._check_new)()
        return self

    def _check_start(self):
        fixed = [name for name in OF_THE_MODEL if getattr(self, name) not in (None, "auto", "none")]
        if fixed:
            raise ValueError(
                f"A run that starts from a saved model keeps the potential, species, cutoff and descriptor of that. Received "
                f"{', '.join(map(option, fixed))} with --start {self.start}. Leave out the one or the other."
            )
        if self.reference_energies is not None and not self.adapt:
            raise ValueError(
                f"A saved model keeps its reference energies. Received --reference-energies {self.reference_energies} with --start "
                "and without --adapt: add --adapt, which sets them anew, or leave it out."
            )

    def _check_new(self):
        if self.adapt:
            raise ValueError("A new model is always adapted to its training set. Received --adapt without --start.")
        if self.replay:
            raise ValueError("A new model has nothing to forget: give all its data to --train. Received --replay without --start.")
        known = potentials.defaults(self.potential)
        if wrong := [name for name in potentials.OPTIONS if getattr(self, name) is not None and name not in known]:
            others = [name for name, kind in potentials.POTENTIALS.items() if set(wrong) <= set(kind.options)]
            verb = "is no option" if len(wrong) == 1 else "are no options"
            raise ValueError(
                f"{', '.join(map(option, wrong))} {verb} of {self.potential}, which has {', '.join(map(option, known))}. "
                f"Leave it out, or train {' or '.join(others)}."
            )

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each label in the loss."""
        return {"energy": self.energy_weight, "forces": self.forces_weight, "stress": self.stress_weight}

    @property
    def reading(self) -> dict[str, str | bool | None]:
        """How the files are read, as `keras_ff.data.read` takes it."""
        return {name: getattr(self, name) for name in (*READING, "skip_bad")}

    @property
    def potential_file(self) -> str | None:
        """The parameter file of LAMMPS that the potential is read from, or None."""
        return self.potential if self.potential and potentials.is_file(self.potential) else None

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, as JSON and YAML take them."""
        return self.model_dump(mode="json")

    def replaced(self, **changes: Any) -> Self:
        """The same settings but for some, checked again."""
        return type(self)(**{**self.to_dict(), **changes})


def _problem(error):
    """Name of the setting and sentence of an error of pydantic."""
    name = ".".join(map(str, error["loc"]))
    first = name.partition(".")[0]
    if error["type"] == "value_error":
        return first, str(error["ctx"]["error"])
    if error["type"] == "extra_forbidden":
        return first, f"The setting {name!r} is not known to this version.{meant(name, Settings.model_fields)}"
    # Words of the command line stand for numbers.
    given = error["input"] if isinstance(error["input"], str) and error["type"] != "literal_error" else repr(error["input"])
    return first, f"{name}: {error['msg']}. Received {name}={given}."
