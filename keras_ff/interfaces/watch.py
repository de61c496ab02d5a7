"""Observer of simulations in ASE that notices when a model extrapolates."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from keras_ff.models.extrapolation import extrapolation_grades

if TYPE_CHECKING:
    from ase import Atoms


class Extrapolating(RuntimeError):
    """Error that stops a simulation which has left the range of structures that the model was trained on."""


class Watch:
    """Observer of a simulation in ASE, which warns, stops it or collects structures when the model extrapolates.

    Args:
        atoms: `ase.Atoms` with a `keras_ff.Calculator` whose model has seen `keras_ff.models.learn_extrapolation`.
        action: "warn" at the first extrapolation, "stop" with the error `Extrapolating`, or "collect" copies of the
            structures.

    Attributes:
        grades: Largest extrapolation grade at each call, see `keras_ff.models.extrapolation_grades`; above 1 is extrapolation.
        collected: List of the structures, with the grades of the atoms in `arrays["extrapolation"]`.

    Raises:
        ValueError: If the action is another, or the model has no thresholds.

    Example:
        ::

            from keras_ff.interfaces.watch import Watch

            kff.models.learn_extrapolation(model, training_data)
            atoms.calc = kff.Calculator(model)
            watch = Watch(atoms, "collect")
            dynamics.attach(watch, interval=10)
    """

    def __init__(self, atoms: Atoms, action: str = "warn"):
        if action not in ("warn", "stop", "collect"):
            raise ValueError(f'The action is "warn", "stop" or "collect". Received action={action!r}.')
        self.atoms, self.action = atoms, action
        self.grades, self.collected = [], []
        self._function = extrapolation_grades(atoms.calc.force_field)

    def __call__(self) -> None:
        """Compute the extrapolation grades of the present structure, and act if one exceeds 1.

        Raises:
            Extrapolating: If one exceeds 1 and the action is "stop".

        Warns:
            UserWarning: If one exceeds 1 for the first time, and the action is "warn".
        """
        count = len(self.atoms)
        grades = {name: np.asarray(values)[0, :count] for name, values in self._function(self.atoms.calc.batch(self.atoms)).items()}
        worst = max(grades, key=lambda name: grades[name].max())
        grade, atom = float(grades[worst].max()), int(grades[worst].argmax())
        before = max(self.grades, default=0.0)
        self.grades.append(grade)
        if grade <= 1:
            return
        message = (
            f"The model extrapolates: the {worst} of atom {atom} ({self.atoms.symbols[atom]}) is {grade:.2f} of its threshold, "
            f"at look {len(self.grades)}."
        )
        if self.action == "stop":
            raise Extrapolating(message)
        if self.action == "warn" and before <= 1:
            warnings.warn(message, stacklevel=2)
        if self.action == "collect":
            copy = self.atoms.copy()
            copy.arrays["extrapolation"] = np.max(list(grades.values()), axis=0)
            self.collected.append(copy)
