"""An observer of simulations in ASE that notices when a model extrapolates."""

import warnings

import numpy as np

from keras_ff.models.extrapolation import extrapolation_grades


class Extrapolating(RuntimeError):
    """A simulation has left what the model was trained on."""


class Watch:
    """Looks at the atoms of a simulation, and warns, stops or collects where the model extrapolates.

        watch = Watch(atoms, "collect")
        dynamics.attach(watch, interval=10)

    Args:
        atoms: `ase.Atoms` with a `keras_ff.Calculator` whose model has seen `keras_ff.models.learn_extrapolation`.
        action: "warn" at the first time, "stop" with the error `Extrapolating`, or "collect" copies of the structures.

    Attributes:
        grades: Largest grade of each time it looked, see `extrapolation_grades`; above 1 is extrapolation.
        collected: The structures, with the grades of the atoms in `arrays["extrapolation"]`.

    Raises:
        ValueError: If the action is another, or the model has no thresholds.
    """

    def __init__(self, atoms, action="warn"):
        if action not in ("warn", "stop", "collect"):
            raise ValueError(f'The action is "warn", "stop" or "collect". Received action={action!r}.')
        self.atoms, self.action = atoms, action
        self.grades, self.collected = [], []
        self._function = extrapolation_grades(atoms.calc.force_field)

    def __call__(self):
        count = len(self.atoms)
        found = {name: np.asarray(values)[0, :count] for name, values in self._function(self.atoms.calc.batch(self.atoms)).items()}
        worst = max(found, key=lambda name: found[name].max())
        grade, atom = float(found[worst].max()), int(found[worst].argmax())
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
            copy.arrays["extrapolation"] = np.max(list(found.values()), axis=0)
            self.collected.append(copy)
