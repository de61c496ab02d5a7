"""An outer optimiser around properties."""

import warnings
from pathlib import Path

import numpy as np
import scipy.optimize
from keras import ops
from tqdm import tqdm

from keras_ff.files.state import read_state, write_state
from keras_ff.properties.base import derivative

# Length of the first quasi-Newton step, in the units of the weights: relative for parameters of classical potentials.
FIRST_STEP = 0.02

# A loss that is not finite counts as this many times the best one: a line search retreats from it.
LOST = 100.0

# Of the folder: the best weights, their losses and the history, in one file that is whole or absent.
STATE = "fit.state"


class Fit:
    """Fits the trainable weights of a model to several targets, whose losses are added.

        fit = Fit(model, {
            "elastic": Target(ElasticConstants(model, silicon), measured),
            "forces": DataTarget(structures, model, weight=0.1),
        }, folder="fit")
        fit.minimize()
        keras_ff.properties.plots.fit_history(fit.history)

    With a folder the best weights so far and the history are on disk at any time, and a fit that was killed goes on from there when
    it is made again.

    Args:
        model: `ForceField`, in float64 for second derivatives.
        targets: Dict from names to `Target`, `DataTarget`, or anything with `inputs()` and `loss(inputs)`.
        folder: Where the best model and the history are kept.

    Attributes:
        history: List of dicts, one for each evaluation: the losses of the targets and their sum, `total`.
    """

    def __init__(self, model, targets, folder=None):
        if not model.trainable_weights:
            raise ValueError("The model has no trainable weights. Make the potential with train=True, or the names of parameters.")
        self.model, self.targets = model, dict(targets)
        self.folder = Path(folder) if folder else None
        self.history, self.best = [], None
        self._derivative = derivative(model, self._losses, has_aux=True)
        if self.folder and (self.folder / STATE).exists():
            self._resume()

    def _losses(self, inputs):
        losses = {name: target.loss(inputs[name]) for name, target in self.targets.items()}
        return sum(losses.values()), losses

    def evaluate(self):
        """Losses with the weights as they are now, and the derivatives of their sum.

        Returns:
            Tuple of a dict of floats with the sum as `total`, and a list of NumPy arrays in the order of `model.trainable_weights`.
        """
        inputs = {name: target.inputs() for name, target in self.targets.items()}
        (total, losses), gradients = self._derivative(inputs)
        losses = {**{name: float(loss) for name, loss in losses.items()}, "total": float(total)}
        return losses, [ops.convert_to_numpy(gradient).astype("float64") for gradient in gradients]

    def minimize(self, steps=200, tolerance=1e-10, verbose=1):
        """Quasi-Newton steps (L-BFGS of SciPy) until the loss or its gradient no longer changes. The weights end as the best found.

        Args:
            steps: Most steps.
            tolerance: Change of the sum of the losses, relative to it, at which the fit ends.
            verbose: 0 shows no progress.

        Returns:
            Losses of the best weights.

        Raises:
            ValueError: If the loss is not finite at the start.
        """
        weights = self.model.trainable_weights
        shapes = [tuple(weight.shape) for weight in weights]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

        def put(x):
            for weight, shape, first, last in zip(weights, shapes, ends[:-1], ends[1:]):
                weight.assign(x[first:last].reshape(shape))

        with tqdm(total=steps, desc="fit", disable=not verbose, leave=False) as bar:
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

    def train(self, optimizer, steps, verbose=1):
        """Steps of a Keras optimizer. The weights end as the best found.

        Args:
            optimizer: `keras.optimizers.Optimizer`.
            steps: Number of steps.
            verbose: 0 shows no progress.

        Returns:
            Losses of the best weights.
        """
        optimizer.build(self.model.trainable_weights)
        for _ in (bar := tqdm(range(steps), "fit", disable=not verbose, leave=False)):
            losses, gradients = self._checked(bar)
            if not np.isfinite(losses["total"]):
                warnings.warn(f"The loss is no longer finite: {losses}. The best weights so far are kept.", stacklevel=2)
                break
            optimizer.apply([gradient.astype(self.model.compute_dtype) for gradient in gradients], self.model.trainable_weights)
        self._checked(bar)
        self.restore()
        return self.best[0]

    def restore(self):
        """Give the model the best weights so far."""
        for weight, value in zip(self.model.trainable_weights, self.best[1]):
            weight.assign(value)

    def _checked(self, bar):
        """`evaluate`, noted and shown; where a structure is lost, infinite losses that a line search retreats from."""
        weights = self.model.trainable_weights
        try:
            losses, gradients = self.evaluate()
        except ValueError as error:
            if not self.history:
                raise
            warnings.warn(f"Weights that were tried leave no structure to look at: {error}", stacklevel=2)
            losses, gradients = {"total": np.inf}, [np.zeros(weight.shape) for weight in weights]
        if not np.isfinite(losses["total"]) or not all(np.isfinite(gradient).all() for gradient in gradients):
            losses = {**losses, "total": np.inf}
            gradients = [np.zeros(weight.shape) for weight in weights]
        self.history.append(losses)
        bar.set_postfix_str("  ".join(f"{name} {loss:.5g}" for name, loss in losses.items()))
        if self.best is None or losses["total"] < self.best[0]["total"]:
            self.best = (losses, [ops.convert_to_numpy(weight).copy() for weight in weights])
            if self.folder:
                self._keep()
        return losses, gradients

    def _keep(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.save(self.folder / "best.keras")
        losses, values = self.best
        write_state(self.folder / STATE, {"losses": losses, "values": values, "history": self.history})

    def _resume(self):
        state = read_state(self.folder / STATE)
        values = state["values"]
        shapes = [tuple(weight.shape) for weight in self.model.trainable_weights]
        if [value.shape for value in values] != shapes:
            raise ValueError(
                f"{self.folder} holds a fit of weights of shapes {[value.shape for value in values]}, and this model has {shapes}. "
                "Give the fit another folder."
            )
        self.history, self.best = state["history"], (state["losses"], values)
        self.restore()
