"""Targets of fits: values of properties, and energies and forces of structures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_ff.data import Dataset, label_weights, labels
from keras_ff.files.fingerprints import of_structures
from keras_ff.losses import with_trailing_axes

if TYPE_CHECKING:
    from ase import Atoms

    from keras_ff.models import ForceField
    from keras_ff.properties import Property

MEASURES = ("squares", "norm")


class Target:
    """Target of a fit: the value that a property should have, and how much a deviation from it counts.

    The loss is, with x the property and t the value,

        weight * mean(((x - t) / scale)²)            for the measure "squares"
        weight * sqrt(sum((x - t)²)) / scale         for the measure "norm"

    Args:
        property: Property of a structure or average over a simulation, `keras_ff.properties.Property`.
        value: Value it should have, an array of the shape of the property; with `transform`, the value of the transformed property.
        weight: Weight of the loss in the sum over all targets.
        scale: Deviation that counts as 1, in the unit of the value; by default the root mean square of the value.
        transform: Function that is applied to the property, a tensor, before it is compared, such as `keras_ff.properties.mandel`.
        measure: "squares" or "norm".

    Attributes:
        before: What was compared with the value when the target was made, NumPy.

    Raises:
        ValueError: If the value has another shape than the property, or is not finite.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> energy = kff.properties.CohesiveEnergy(model, bulk("Si", a=5.431))
        >>> target = kff.fitting.Target(energy, 4.63, scale=0.1)
        >>> round(float(target.before), 2)
        4.34
    """

    def __init__(
        self,
        property: Property,
        value,
        weight: float = 1.0,
        scale: float | None = None,
        transform: Callable | None = None,
        measure: str = "squares",
    ):
        if measure not in MEASURES:
            raise ValueError(f"measure is one of {MEASURES}. Received {measure!r}.")
        self.property, self.weight, self.measure = property, float(weight), measure
        self.transform = transform or (lambda x: x)
        self.value = np.asarray(value, dtype="float64")
        self.before = self.current()
        if self.before.shape != self.value.shape or not np.isfinite(self.value).all():
            name = type(property).__name__
            raise ValueError(
                f"A target for {name} has finite values of shape {self.before.shape}. Received "
                f"{np.array2string(self.value, threshold=9)} of shape {self.value.shape}."
            )
        self.scale = float(scale if scale is not None else np.sqrt(np.mean(self.value**2)) or 1.0)

    @property
    def model(self) -> ForceField:
        """Model of the property."""
        return self.property.model

    def current(self) -> np.ndarray:
        """Return what is compared with the value, with the weights as they are now, NumPy in the shape of the value."""
        return ops.convert_to_numpy(self.transform(ops.convert_to_tensor(self.property())))

    def inputs(self) -> dict:
        """Return the arrays that `loss` takes, after a free structure or a simulation has followed the weights."""
        self.property.update()
        return self.property.batch

    def loss(self, batch: dict):
        """Compute the loss as a function of the weights of the model.

        Args:
            batch: Dict of arrays, as `inputs` returns it.

        Returns:
            Scalar tensor.
        """
        values = self.transform(self.property.of_weights(batch))
        difference = values - ops.convert_to_tensor(self.value, dtype=values.dtype)
        if self.measure == "norm":
            squared = ops.sum(difference * difference)
            return self.weight / self.scale * ops.sqrt(ops.where(squared > 0, squared, 1e-30))
        return self.weight / self.scale**2 * ops.mean(difference * difference)


class DataTarget:
    """Target of a fit: the energies and forces of labeled structures.

    The loss is

        weight * [mean((dE / N / energy_error)²) + mean((dF / forces_error)²)]

    with the errors dE of the energies of N atoms, and dF of the force components. Missing labels are left out.

    Args:
        structures: List of `ase.Atoms` with energies, forces, or both. They are computed in one batch: a few dozen, no more.
        model: `ForceField`.
        energy_error: Error in eV/atom that counts as 1.
        forces_error: Error in eV/Å that counts as 1.
        weight: Weight of the loss in the sum over all targets.

    Raises:
        ValueError: If the structures have neither energies nor forces.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> from ase.calculators.singlepoint import SinglePointCalculator
        >>> crystal = bulk("Si", a=5.431)
        >>> crystal.calc = SinglePointCalculator(crystal, energy=-8.7)
        >>> model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
        >>> fit = kff.fitting.Fit(model, {"data": kff.fitting.DataTarget([crystal], model, energy_error=0.1)})
        >>> round(fit.evaluate()[0]["total"], 3)
        0.018
    """

    def __init__(
        self,
        structures: Sequence[Atoms],
        model: ForceField,
        energy_error: float = 0.01,
        forces_error: float = 0.1,
        weight: float = 1.0,
    ):
        self.model, self.weight = model, float(weight)
        self.errors = {"energy_per_atom": float(energy_error), "forces": float(forces_error)}
        data = Dataset(structures, model, batch_size=len(structures), max_shapes=1, shuffle=False)
        if not (data.labels_found["energy"] or data.labels_found["forces"]):
            raise ValueError(f"The structures have neither energies nor forces. {data.report()}")
        self._batch = data[0]
        # What `Fit` compares when it continues.
        self.data = of_structures(
            structures, [labels(atoms) | {"weights": list(label_weights(atoms).values())} for atoms in structures]
        )

    def inputs(self) -> tuple[dict, dict]:
        """Return the inputs and labels of all structures, which `loss` takes."""
        return self._batch

    def loss(self, batch: tuple[dict, dict]):
        """Compute the loss as a function of the weights of the model.

        Args:
            batch: Tuple of inputs and labels, as `inputs` returns it.

        Returns:
            Scalar tensor.
        """
        inputs, labels, *weights = batch
        outputs = self.model(inputs, training=True)
        total = 0.0
        for name, error in self.errors.items():
            known = ops.isfinite(labels[name])
            difference = ops.where(known, outputs[name] - ops.where(known, labels[name], 0.0), 0.0) / error
            count = ops.maximum(ops.sum(ops.cast(known, difference.dtype)), 1.0)
            squares = difference * difference
            squares = squares * with_trailing_axes(weights[0][name], squares) if weights else squares
            total = total + ops.sum(squares) / count
        return self.weight * total
