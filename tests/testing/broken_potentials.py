"""A potential that is right, and others that break the laws."""

from functools import partial

import keras
from ase.build import bulk
from keras import ops

from keras_ff import backend
from keras_ff import testing as laws
from keras_ff.layers import cosine_cutoff, polynomial_cutoff
from keras_ff.potentials import Potential

COPPER = bulk("Cu", cubic=True)


@keras.saving.register_keras_serializable("tests")
class Morse(Potential):
    """A pair potential with a trainable depth, right as it stands; the classes below break it."""

    def __init__(self, species=("Cu",), cutoff=4.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.depth = self.add_parameter("depth", 0.3)

    def fade(self, r):
        return cosine_cutoff(r, self.cutoff)

    def bonds(self, neighborhood):
        r = neighborhood.distances
        return self.depth * ((1 - ops.exp(-1.36 * (r - 2.87))) ** 2 - 1) * self.fade(r)

    def call(self, neighborhood):
        return 0.5 * ops.sum(self.bonds(neighborhood) * neighborhood.mask, axis=-1)


class CutOff(Morse):
    def fade(self, r):
        return 1.0


class LinearCutoff(Morse):
    def fade(self, r):
        return ops.maximum(1.0 - r / self.cutoff, 0.0)


class LooksUp(Morse):
    def call(self, neighborhood):
        up = neighborhood.vectors[..., 2] ** 2 * polynomial_cutoff(neighborhood.distances, self.cutoff)
        return super().call(neighborhood) + 1e-3 * ops.sum(up * neighborhood.mask, axis=-1)


class LeftHanded(Morse):
    """Tells a structure from its mirror image by a triple product of vector moments."""

    def call(self, neighborhood):
        weights = polynomial_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask
        a, b, c = (ops.sum((weights * neighborhood.distances**p)[..., None] * neighborhood.vectors, axis=1) for p in (0, 1, 3))
        triple = a[:, 0] * (b[:, 1] * c[:, 2] - b[:, 2] * c[:, 1])
        triple += a[:, 1] * (b[:, 2] * c[:, 0] - b[:, 0] * c[:, 2])
        triple += a[:, 2] * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
        return super().call(neighborhood) + 1e-2 * triple


class CountsAtoms(Morse):
    """The energy of an atom depends on its place in the list."""

    def call(self, neighborhood):
        energies = super().call(neighborhood)
        return energies * (1.0 + 1e-3 * ops.cast(ops.arange(ops.shape(energies)[0]), energies.dtype))


class FeelsPadding(Morse):
    def call(self, neighborhood):
        return 0.5 * ops.sum(self.bonds(neighborhood) + 1e-3, axis=-1)


class Collective(Morse):
    """Not local: an atom feels the mean energy of all."""

    def call(self, neighborhood):
        energies = super().call(neighborhood)
        return energies * (1.0 + 1e-3 * ops.sum(energies))


class NaNGradient(Morse):
    """The root of the number of neighbors is harmless in the forces, and infinitely steep for an isolated atom."""

    def call(self, neighborhood):
        bonds = ops.sum(polynomial_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask, axis=-1)
        return super().call(neighborhood) - ops.sqrt(self.depth * bonds)


class UnsafeAtContact(Morse):
    """The inverse distance is not made safe before it is taken."""

    def call(self, neighborhood):
        pair = self.depth / neighborhood.distances**4 * polynomial_cutoff(neighborhood.distances, self.cutoff)
        return 0.5 * ops.sum(ops.where(neighborhood.is_neighbor, pair, 0.0), axis=-1)


class WrongForces(Morse):
    """A part of the energy is hidden from the derivative."""

    def call(self, neighborhood):
        return super().call(neighborhood) + 0.01 * backend.stop_gradient(super().call(neighborhood))


class WrongGradient(Morse):
    """The derivative by the depth is hidden."""

    def call(self, neighborhood):
        hidden = backend.stop_gradient(ops.convert_to_tensor(self.depth))
        return super().call(neighborhood) * hidden


class Forgetful(Morse):
    def __init__(self, species=("Cu",), cutoff=4.0, power=1.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.power = power

    def call(self, neighborhood):
        return super().call(neighborhood) * self.power


@keras.saving.register_keras_serializable("tests")
class LosesItsPower(Forgetful):
    """`get_config` leaves out the power."""


BROKEN = {
    CutOff: [partial(laws.continuity, order=0), partial(laws.continuity, order=1)],
    LinearCutoff: [partial(laws.continuity, order=1)],
    LooksUp: [laws.rotation, laws.reflection],
    LeftHanded: [laws.reflection],
    CountsAtoms: [laws.permutation],
    FeelsPadding: [laws.padding],
    Collective: [laws.padding],
    NaNGradient: [laws.parameter_gradient],
    UnsafeAtContact: [laws.coincident_atoms],
    WrongForces: [laws.forces_are_derivatives, laws.stress_is_a_derivative],
    WrongGradient: [laws.parameter_gradient],
}
