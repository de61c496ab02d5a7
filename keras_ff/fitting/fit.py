"""Fits of models to properties and data."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize
from keras import ops
from tqdm import tqdm

from keras_ff.files import checksum_of, differences, exclusive
from keras_ff.files.state import DamagedFile, read_state, write_state
from keras_ff.fitting.job import described, same_weights
from keras_ff.properties.base import derivative

if TYPE_CHECKING:
    import keras

    from keras_ff.fitting.targets import DataTarget, Target
    from keras_ff.models import ForceField

# Length of the first quasi-Newton step in the units of the weights, which for classical potentials are relative changes.
FIRST_STEP = 0.02

# A loss that is not finite counts as this many times the best one, so that a line search retreats from it.
LOST = 100.0

# Name of the file with the best weights, their losses and the history, which is complete or absent at any time.
STATE = "fit.state"


class Fit:
    """Fit of the trainable weights of a model to properties, energies and forces: minimizes the sum of the losses of targets.

        fit = Fit(model, {
            "elastic": Target(ElasticConstants(model, silicon), measured),
            "forces": DataTarget(structures, model, weight=0.1),
        }, folder="fit")
        fit.minimize()
        keras_ff.plots.fit_history(fit.history)

    With a folder the best model so far and the history are on disk at any time, and a fit that was killed continues from there when
    the same script runs again. The folder belongs to this model with these starting weights, these targets and their data; those of
    another fit are refused. The best weights in it are evaluated again before they count. One process at a time fits in a folder.

    Args:
        model: `ForceField` with trainable weights, in float64 if a property is a second derivative of the energy.
        targets: Dict from names to `Target`, `DataTarget`, or any object with the methods `inputs()` and `loss(inputs)`.
        folder: Folder for the best model, `best.keras`, and the history; nothing is written without it.

    Attributes:
        history: List of dicts, one for each evaluation: the losses of the targets by name, and their sum as `total`.
        best: Tuple of the losses of the best weights so far and these weights; None before the first evaluation.

    Raises:
        ValueError: If the model has no trainable weights, a target is of another model, or the folder holds another fit or a
            damaged file.
        OSError: If another process fits in the folder.

    Example:
        A potential with bonds that are 10 % too weak, and the cohesive energy that it should have:

        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> potential = kff.potentials.StillingerWeber.silicon(train=["epsilon"])
        >>> potential.set_parameters(epsilon=1.95)
        >>> model = kff.ForceField(potential)
        >>> energy = kff.properties.CohesiveEnergy(model, bulk("Si", a=5.431))
        >>> losses = kff.fitting.Fit(model, {"cohesion": kff.fitting.Target(energy, 4.3366)}).minimize(verbose=0)
        >>> round(float(potential.parameters()["epsilon"].item()), 2)
        2.17
    """

    def __init__(self, model: ForceField, targets: dict[str, Target | DataTarget], folder: str | Path | None = None):
        if not model.trainable_weights:
            raise ValueError("The model has no trainable weights. Make the potential with train=True, or the names of parameters.")
        self.model, self.targets = model, dict(targets)
        foreign = sorted(name for name, target in self.targets.items() if getattr(target, "model", model) is not model)
        if foreign:
            raise ValueError(f"The targets {foreign} are of another model, and no weight of this one moves them.")
        self.folder = Path(folder) if folder else None
        self.history, self.best = [], None
        self._derivative = derivative(model, self._losses, has_aux=True)
        self._job, self._start, self._seen = described(model, self.targets), _values(model.trainable_weights), None
        if self.folder and (self.folder / STATE).exists():
            with exclusive(self.folder):
                self._resume()

    def _losses(self, inputs):
        losses = {name: target.loss(inputs[name]) for name, target in self.targets.items()}
        return sum(losses.values()), losses

    def evaluate(self) -> tuple[dict[str, float], list[np.ndarray]]:
        """Compute the losses with the weights as they are now, and the derivatives of their sum.

        Returns:
            Tuple of a dict from the names of the targets and `total`, their sum, to floats, and a list of the derivatives of the
            sum, NumPy arrays of float64 in the order of `model.trainable_weights`.

        Raises:
            ValueError: If a structure cannot be relaxed, or atoms of a simulation fly apart.
        """
        inputs = {name: target.inputs() for name, target in self.targets.items()}
        (total, losses), gradients = self._derivative(inputs)
        losses = {**{name: float(loss) for name, loss in losses.items()}, "total": float(total)}
        return losses, [ops.convert_to_numpy(gradient).astype("float64") for gradient in gradients]

    def minimize(self, steps: int = 200, tolerance: float = 1e-10, verbose: int = 1) -> dict[str, float]:
        """Minimize the sum of the losses with a quasi-Newton method (L-BFGS of SciPy), then give the model the best weights.

        It is the fastest way for a few up to a few thousand weights and losses without noise. For averages over simulations that
        are made anew use `train`.

        Args:
            steps: Largest number of steps.
            tolerance: Relative change of the sum of the losses in a step at which the fit ends.
            verbose: 1 for a progress bar, 0 for none.

        Returns:
            Dict from the names of the targets and `total` to the losses of the best weights, floats.

        Raises:
            ValueError: If the loss is not finite at the start.

        Reference:
            Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1190 (1995).
        """
        weights = self.model.trainable_weights
        shapes = [tuple(weight.shape) for weight in weights]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

        def put(x):
            for weight, shape, first, last in zip(weights, shapes, ends[:-1], ends[1:]):
                weight.assign(x[first:last].reshape(shape))

        with self._alone(), tqdm(total=steps, desc="fit", disable=not verbose, leave=False) as bar:
            start = np.concatenate([ops.convert_to_numpy(weight).ravel() for weight in weights]).astype("float64")

            def evaluated(x):
                put(start + FIRST_STEP * x)
                losses, gradients = self._checked(bar)
                best = self.best[0]["total"]
                if not np.isfinite(best):
                    raise ValueError(f"The loss is not finite at the start: {losses}. Check the structure and the targets.")
                total = losses["total"] if np.isfinite(losses["total"]) else LOST * best
                return total, FIRST_STEP * np.concatenate([gradient.ravel() for gradient in gradients])

            # The first step of L-BFGS has the length 1.
            scipy.optimize.minimize(
                evaluated,
                np.zeros_like(start),
                jac=True,
                method="L-BFGS-B",
                callback=lambda _: bar.update(),
                options={"maxiter": steps, "ftol": tolerance, "gtol": 1e-10, "maxcor": 20},
            )
        self.restore()
        return self.best[0]

    def train(self, optimizer: keras.optimizers.Optimizer, steps: int, verbose: int = 1) -> dict[str, float]:
        """Take steps of a Keras optimizer along the gradient of the sum of the losses, then give the model the best weights.

        Args:
            optimizer: Optimizer such as `keras.optimizers.Adam(0.01)`.
            steps: Number of steps.
            verbose: 1 for a progress bar, 0 for none.

        Returns:
            Dict from the names of the targets and `total` to the losses of the best weights, floats.

        Raises:
            ValueError: If a structure cannot be relaxed, or atoms of a simulation fly apart, at the start.

        Warns:
            UserWarning: If the loss is no longer finite, which ends the training.
        """
        optimizer.build(self.model.trainable_weights)
        with self._alone():
            for _ in (bar := tqdm(range(steps), "fit", disable=not verbose, leave=False)):
                losses, gradients = self._checked(bar)
                if not np.isfinite(losses["total"]):
                    warnings.warn(f"The loss is no longer finite: {losses}. The best weights so far are kept.", stacklevel=2)
                    break
                optimizer.apply([gradient.astype(self.model.compute_dtype) for gradient in gradients], self.model.trainable_weights)
            self._checked(bar)
        self.restore()
        return self.best[0]

    def restore(self) -> None:
        """Give the model the best weights so far; after an evaluation at least."""
        for weight, value in zip(self.model.trainable_weights, self.best[1]):
            weight.assign(value)

    def _checked(self, bar):
        """Evaluate, record and show the losses; infinite ones where a structure cannot be relaxed or a simulation fails."""
        weights = self.model.trainable_weights
        try:
            losses, gradients = self.evaluate()
        except ValueError as error:
            if not self.history:
                raise
            warnings.warn(f"These weights are left out, as a property cannot be computed with them: {error}", stacklevel=2)
            losses, gradients = {"total": np.inf}, [np.zeros(weight.shape) for weight in weights]
        if not np.isfinite(losses["total"]) or not all(np.isfinite(gradient).all() for gradient in gradients):
            losses = {**losses, "total": np.inf}
            gradients = [np.zeros(weight.shape) for weight in weights]
        self.history.append(losses)
        bar.set_postfix_str("  ".join(f"{name} {loss:.5g}" for name, loss in losses.items()))
        if self.best is None or losses["total"] < self.best[0]["total"]:
            self.best = (losses, _values(weights))
            if self.folder:
                self._keep()
        return losses, gradients

    @contextlib.contextmanager
    def _alone(self):
        """Context in which no other process fits in the folder."""
        if not self.folder:
            yield
            return
        with exclusive(self.folder):
            path = self.folder / STATE
            if path.exists() and checksum_of(path) != self._seen:
                raise ValueError(
                    f"Another process has fitted in {self.folder} since this fit was made. Make it again to continue there."
                )
            yield

    def _keep(self):
        self.model.save(self.folder / "best.keras")
        losses, values = self.best
        fixed = _values(self.model.non_trainable_weights)
        job = {"job": json.dumps(self._job), "start": self._start, "fixed": fixed}
        write_state(self.folder / STATE, {"losses": losses, "values": values, "history": self.history, **job})
        self._seen = checksum_of(self.folder / STATE)

    def _resume(self):
        path = self.folder / STATE
        try:
            state = read_state(path)
            values, history = state["values"], state["history"]
        except (DamagedFile, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is no state of a fit, or damaged: {error} Remove it to begin anew; best.keras has the best weights."
            ) from error
        # Files of earlier versions do not say what they belong to.
        job = json.loads(state.get("job", json.dumps(self._job)))
        found = differences(job, self._job)
        shapes = [[list(np.shape(value)) for value in array] for array in (values, self._start)]
        if shapes[0] != shapes[1]:
            found.append(f"shapes of the trained weights: {shapes[0]} then, {shapes[1]} now")
        elif not any(same_weights(self._start, known) for known in (state.get("start", self._start), values)):
            found.append("the weights that the fit starts from")
        if not same_weights(_values(self.model.non_trainable_weights), state.get("fixed")):
            found.append("the weights that are not trained")
        if found:
            raise ValueError(
                f"{self.folder} holds another fit. What differs: {'; '.join(found)}. Give this fit another folder, or remove that."
            )
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError(f"{path} holds weights that are not finite. Remove it to begin anew.")
        self._seen, self.history = checksum_of(path), history
        self.best = ({}, values)
        self.restore()
        # Averages over simulations differ each time, and a target may be a function that no file describes.
        self.best = (self.evaluate()[0], values)


def _values(weights):
    return [ops.convert_to_numpy(weight).copy() for weight in weights]
