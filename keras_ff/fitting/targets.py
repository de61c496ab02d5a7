"""What a model is fitted to."""

import numpy as np
from keras import ops

from keras_ff.data import Dataset

MEASURES = ("squares", "norm")


class Target:
    """The value that a property should have, and how much a deviation counts.

    The loss is, with x what the property gives and t the value,

        weight * mean(((x - t) / scale)²)            measure "squares"
        weight * sqrt(sum((x - t)²)) / scale         measure "norm"

    Args:
        property: `keras_ff.properties.Property`.
        value: Array of the shape of the property, or of what `transform` makes of it.
        weight: Of this target among others.
        scale: Deviation that counts as 1, in units of the value; by default the root mean square of the value.
        transform: Function of the property's tensor that is compared in its place, such as `mandel`.
        measure: "squares" or "norm".

    Attributes:
        before: What was compared with the value when the target was made.

    Raises:
        ValueError: If the value has another shape than the property, or is not finite.
    """

    def __init__(self, property, value, weight=1.0, scale=None, transform=None, measure="squares"):
        if measure not in MEASURES:
            raise ValueError(f"measure is one of {MEASURES}. Received {measure!r}.")
        self.property, self.weight, self.measure = property, float(weight), measure
        self.transform = transform or (lambda x: x)
        self.value = np.asarray(value, dtype="float64")
        found = self.now()
        if found.shape != self.value.shape or not np.isfinite(self.value).all():
            name = type(property).__name__
            raise ValueError(f"A target for {name} has finite values of shape {found.shape}. Received shape {self.value.shape}.")
        self.before = found
        self.scale = float(scale if scale is not None else np.sqrt(np.mean(self.value**2)) or 1.0)

    def now(self):
        """What is compared with the value, with the weights as they are now, NumPy."""
        return ops.convert_to_numpy(self.transform(ops.convert_to_tensor(self.property())))

    def inputs(self):
        """Arrays that `loss` takes, after the structure has followed the weights if it is free."""
        self.property.update()
        return self.property.batch

    def loss(self, batch):
        found = self.transform(self.property.of_weights(batch))
        difference = found - ops.convert_to_tensor(self.value, dtype=found.dtype)
        if self.measure == "norm":
            squared = ops.sum(difference * difference)
            return self.weight / self.scale * ops.sqrt(ops.where(squared > 0, squared, 1e-30))
        return self.weight / self.scale**2 * ops.mean(difference * difference)


class DataTarget:
    """Energies and forces of structures: weight * [mean((dE / N / energy_error)²) + mean((dF / forces_error)²)].

    Args:
        structures: List of `ase.Atoms` with energies, forces, or both. All are computed together: some dozens.
        model: `ForceField`.
        energy_error: Error in eV/atom that counts as 1.
        forces_error: Error in eV/Å that counts as 1.
        weight: Of this target among others.

    Raises:
        ValueError: If the structures have neither energies nor forces.
    """

    def __init__(self, structures, model, energy_error=0.01, forces_error=0.1, weight=1.0):
        self.model, self.weight = model, float(weight)
        self.errors = {"energy_per_atom": float(energy_error), "forces": float(forces_error)}
        data = Dataset(structures, model, batch_size=len(structures), max_shapes=1, shuffle=False)
        if not (data.labels_found["energy"] or data.labels_found["forces"]):
            raise ValueError(f"The structures have neither energies nor forces. {data.report()}")
        self._batch = data[0]

    def inputs(self):
        return self._batch

    def loss(self, batch):
        inputs, labels = batch
        outputs = self.model(inputs, training=True)
        total = 0.0
        for name, error in self.errors.items():
            known = ops.isfinite(labels[name])
            difference = ops.where(known, outputs[name] - ops.where(known, labels[name], 0.0), 0.0) / error
            count = ops.maximum(ops.sum(ops.cast(known, difference.dtype)), 1.0)
            total = total + ops.sum(difference * difference) / count
        return self.weight * total
