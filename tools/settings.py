"""The settings of a training run, and the only place of their defaults."""

import dataclasses
import math
import os


@dataclasses.dataclass(frozen=True)
class Settings:
    """What determines the result of a run, together with the data, the versions and the machine.

    Attributes:
        train: Files of the training set.
        valid: Files of the validation set; without any, `valid_fraction` of the training set is set aside.
        test: Files that the finished model is evaluated on.
        valid_fraction: 0 trains on everything, without validation.
        energy_key: Name of the energy in the files, where the common names are not meant; `forces_key`, `stress_key` likewise.
        species: Chemical symbols; those of the training set by default.
        cutoff: Radius in Å.
        n_max: Size of the descriptor of NeuralIL.
        batch_size: Structures in a batch.
        max_shapes: Number of padded shapes of batches. Each is compiled; more of them pad less.
        epochs: Length of the run in epochs,
        minutes: or in minutes of wall time, from which epochs are planned.
        learning_rate: Peak of the one-cycle schedule of Adam.
        energy_weight: Of the error of the energy per atom in the loss; 0 leaves it out. `forces_weight`, `stress_weight` likewise.
        energy_p: Errors above 1/p count linearly, smaller ones by their square: 10 meV/atom.
        forces_p: The same, 0.1 eV/Å.
        stress_p: The same, 0.001 eV/Å³ or 0.16 GPa.
        seed: Of the initial weights, the order of batches and the split.
        dtype: "float32" or "float64".
        devices: Number of devices that divide each batch, see `keras_ff.training.data_parallel`.
        backend: "jax" or "tensorflow"; the one of the process by default.
    """

    train: tuple = ()
    valid: tuple = ()
    test: tuple = ()
    valid_fraction: float = 0.1
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    species: tuple | None = None
    cutoff: float = 5.0
    n_max: int = 6
    batch_size: int = 4
    max_shapes: int = 4
    epochs: int | None = None
    minutes: float | None = None
    learning_rate: float = 3e-3
    energy_weight: float = 1.0
    forces_weight: float = 1.0
    stress_weight: float = 0.0
    energy_p: float = 100.0
    forces_p: float = 10.0
    stress_p: float = 1000.0
    seed: int = 0
    dtype: str = "float32"
    devices: int = 1
    backend: str | None = None

    def __post_init__(self):
        for name in ("train", "valid", "test"):
            files = getattr(self, name)
            object.__setattr__(self, name, (str(files),) if isinstance(files, (str, os.PathLike)) else tuple(map(str, files)))
        if self.species is not None:
            object.__setattr__(self, "species", (self.species,) if isinstance(self.species, str) else tuple(self.species))
        if not self.train:
            raise ValueError("There is nothing to train on: name one or more files of structures with --train.")
        if self.epochs is None and self.minutes is None:
            object.__setattr__(self, "epochs", DEFAULT_EPOCHS)
        elif self.epochs is not None and self.minutes is not None:
            raise ValueError(f"Give the length of a run in epochs or in minutes. Received both: {self.epochs} and {self.minutes}.")
        for name in (
            "cutoff",
            "batch_size",
            "max_shapes",
            "devices",
            "epochs",
            "minutes",
            "learning_rate",
            "energy_p",
            "forces_p",
            "stress_p",
        ):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is a positive number. Received {name}={value}.")
        for kind, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"The weight of the {kind} in the loss is 0 or positive. Received {weight}.")
        if not any(self.weights.values()):
            raise ValueError(
                "All weights of the loss are 0, so there is nothing to learn. Give one of energy, forces, stress a weight."
            )
        if not 0 <= self.valid_fraction < 1:
            raise ValueError(f"valid_fraction is from 0 to less than 1. Received valid_fraction={self.valid_fraction}.")
        if self.batch_size % self.devices:
            raise ValueError(
                f"{self.devices} devices do not divide batches of {self.batch_size} structures. Give --batch-size too."
            )
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f'dtype is "float32" or "float64". Received dtype={self.dtype!r}.')

    @property
    def weights(self):
        """Weight of each label in the loss."""
        return {"energy": self.energy_weight, "forces": self.forces_weight, "stress": self.stress_weight}

    def to_dict(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Raises a ValueError for names that this version does not know."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"The settings {unknown} are not known to this version, which has {sorted(known)}.")
        return cls(**values)


# Of a run that names neither epochs nor minutes.
DEFAULT_EPOCHS = 100
