"""The settings of a training run, and the only place of their defaults."""

import ast
import os
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

# Number of epochs of a run that names neither epochs nor minutes.
DEFAULT_EPOCHS = 100

# What a new model is where nothing else is said. A run that starts from a saved model keeps what that has.
NEW_MODEL = {"cutoff": 5.0, "n_max": 6, "dtype": "float32"}

# Arguments of `keras_ff.data.read`.
READING = ("energy_key", "forces_key", "stress_key", "stress_unit", "stress_sign", "stress_order", "keep_unconverged", "skip_bad")

# What a saved model has decided.
OF_THE_MODEL = ("species", "cutoff", "n_max")


class Settings(BaseModel):
    """What determines the result of a run, together with the data, the versions and the machine.

    Attributes:
        train: Files of the training set.
        valid: Files of the validation set; without any, `valid_fraction` of the training set is set aside.
        test: Files that the finished model is evaluated on.
        valid_fraction: Fraction of the training set that validates; 0 trains on everything, without validation.
        energy_key: Name of the energy in the files, where the common names are not meant; `forces_key`, `stress_key` likewise.
        stress_unit: Unit of the stress in the files, where they do not say it; `stress_sign`, `stress_order` likewise.
        keep_unconverged: Whether ionic steps of VASP are kept whose electronic steps did not converge.
        skip_bad: Whether broken frames are left out.
        force: Whether data are accepted whose energies, forces and stresses contradict each other.
        start: Saved model (`.keras`), or folder of a run, that the training starts from; without it a new NeuralIL is trained.
        adapt: With `start`: fit reference energies, and the statistics of descriptors, to the training set before the training.
        species: Chemical symbols of a new model; those of the training set by default.
        cutoff: Radius of a new model in Å.
        n_max: Size of the descriptor of a new model.
        batch_size: Number of structures in a batch.
        max_shapes: Number of padded shapes of batches. Each is compiled; more of them pad less.
        epochs: Length of the run in epochs,
        minutes: or in minutes of wall time, from which epochs are planned.
        learning_rate: Peak of the one-cycle schedule of Adam.
        energy_weight: Weight of the error of the energy per atom in the loss; 0 leaves it out.
        forces_weight: Weight of the errors of the force components.
        stress_weight: Weight of the errors of the stress components.
        config_type_weights: Weights of structures by their `config_type`, which multiply those in the files; "Default" is the type
            of structures without one. A dict, or the text of one.
        energy_p: Errors of the energy above 1/p, 10 meV/atom, count linearly, smaller ones by their square; in atom/eV.
        forces_p: Likewise for force components, 0.1 eV/Å; in Å/eV.
        stress_p: Likewise for stress components, 0.001 eV/Å³ or 0.16 GPa; in Å³/eV.
        seed: Seed of the initial weights, the order of batches and the split.
        dtype: "float32" or "float64"; by default float32 for a new model, and that of the model that `start` names.
        devices: Number of devices that divide each batch, see `keras_ff.training.data_parallel`.
        backend: "jax" or "tensorflow"; the one of the process by default.

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

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    valid_fraction: float = Field(0.1, ge=0, lt=1)
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    stress_unit: str | None = None
    stress_sign: str | None = None
    stress_order: str | None = None
    keep_unconverged: bool = False
    skip_bad: bool = False
    force: bool = False
    start: str | None = None
    adapt: bool = False
    species: tuple[str, ...] | None = None
    cutoff: float | None = Field(None, gt=0, le=100)
    n_max: int | None = Field(None, ge=1, le=16)
    batch_size: PositiveInt = 4
    max_shapes: PositiveInt = 4
    epochs: PositiveInt | None = None
    minutes: PositiveFloat | None = None
    learning_rate: PositiveFloat = 3e-3
    energy_weight: float = Field(1.0, ge=0)
    forces_weight: float = Field(1.0, ge=0)
    stress_weight: float = Field(0.0, ge=0)
    config_type_weights: dict[str, NonNegativeFloat] | None = None
    energy_p: PositiveFloat = 100.0
    forces_p: PositiveFloat = 10.0
    stress_p: PositiveFloat = 1000.0
    seed: int = 0
    dtype: Literal["float32", "float64"] | None = None
    devices: PositiveInt = 1
    backend: Literal["jax", "tensorflow"] | None = None

    # Pydantic's own text has the address of its documentation, and no sentence.
    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(" ".join(_sentence(one) for one in error.errors())) from None

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values):
        given = {name: value for name, value in values.items() if value is not None}
        length = {} if {"epochs", "minutes"} & set(given) else {"epochs": DEFAULT_EPOCHS}
        return {**({} if "start" in given else NEW_MODEL), **length, **given}

    @field_validator("train", "valid", "test", "species", mode="before")
    @classmethod
    def _several(cls, values):
        return (str(values),) if isinstance(values, (str, os.PathLike)) else tuple(map(str, values))

    @field_validator("config_type_weights", mode="before")
    @classmethod
    def _dict(cls, value):
        try:
            value = ast.literal_eval(value) if isinstance(value, str) else value
        except (ValueError, SyntaxError):
            pass
        if value is None or isinstance(value, dict):
            return value
        raise ValueError(
            f"Weights of types are a dict from config_type to weight, such as {{'Default': 1.0, 'dimer': 0.1}}. Received {value!r}."
        )

    @field_validator("start", mode="before")
    @classmethod
    def _path(cls, value):
        return os.fspath(value)

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
        fixed = {name: getattr(self, name) for name in OF_THE_MODEL if getattr(self, name) is not None}
        if self.start and fixed:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in fixed)
            raise ValueError(
                f"A run that starts from a saved model keeps the species, cutoff and descriptor of that. Received {options} with "
                f"--start {self.start}. Leave out the one or the other."
            )
        if self.adapt and not self.start:
            raise ValueError("A new model is always adapted to its training set. Received --adapt without --start.")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each label in the loss."""
        return {"energy": self.energy_weight, "forces": self.forces_weight, "stress": self.stress_weight}

    @property
    def reading(self) -> dict[str, str | bool | None]:
        """How the files are read, as `keras_ff.data.read` takes it."""
        return {name: getattr(self, name) for name in READING}

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, as JSON takes them."""
        return self.model_dump()

    def replaced(self, **changes: Any) -> Self:
        """The same settings but for some, checked again."""
        return type(self)(**{**self.to_dict(), **changes})


def _sentence(error: dict) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"The setting {name!r} is not known to this version, which has {sorted(Settings.model_fields)}."
    return f"{name}: {error['msg']}. Received {name}={error['input']!r}."
