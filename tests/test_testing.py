"""The laws must fail on potentials that break them, and say which."""

from functools import partial

import keras
import numpy as np
import pytest
from ase.build import bulk
from keras import ops

from keras_ff import backend
from keras_ff import testing as laws
from keras_ff.layers import cosine_cutoff, polynomial_cutoff
from keras_ff.layers.base import NeighborhoodLayer
from keras_ff.potentials import Potential, RepulsiveMorse
from keras_ff.testing import LawResult, Probe, check_layer, check_potential
from keras_ff.testing.law import require

pytestmark = pytest.mark.usefixtures("float64")

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


def test_a_right_potential_passes_with_every_law_once():
    names = [result.name for result in check_potential(Morse(), COPPER)]
    assert len(names) == len(set(names)) == 20


def test_a_cosine_cutoff_jumps_in_its_second_derivative():
    result = laws.continuity(Probe(Morse(), COPPER), order=2)
    assert not result.passed and "passes 4 Å" in result.detail


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_potential_is_found(kind):
    probe = Probe(kind(), COPPER)
    for law in BROKEN[kind]:
        result = law(probe)
        assert not result.passed, str(result)


def test_a_potential_that_is_not_mirrored_passes_the_rotations():
    assert laws.rotation(Probe(LeftHanded(), COPPER)).passed


def test_a_forgotten_argument_is_found():
    result = laws.saving(Probe(LosesItsPower(power=2.0), COPPER))
    assert not result.passed


def test_the_error_says_which_law_and_by_how_much():
    with pytest.raises(AssertionError, match=r"The law 'rotation' fails: deviation .*eV.*a difference of"):
        require([laws.rotation(Probe(LooksUp(), COPPER))])


def test_a_float32_potential_is_checked_in_float64():
    keras.config.set_dtype_policy("float32")
    potential = RepulsiveMorse(["Cu"], cutoff=3.0)
    check_potential(potential, COPPER, smoothness=2)
    assert potential.compute_dtype == "float32" and keras.config.dtype_policy().name == "float32"


def test_molecules_are_checked_too():
    molecule = COPPER.copy()
    molecule.pbc = False
    assert all(result.passed for result in check_potential(Morse(), molecule))


class Single(keras.layers.Layer):
    """Computes in float32 in between."""

    def call(self, x):
        return ops.cast(ops.cast(x, "float32") ** 3, "float64")


class MixesRows(keras.layers.Layer):
    def call(self, x):
        return x - ops.max(x, axis=0)


@pytest.mark.parametrize("kind, law", [(Single, "derivatives with respect to the inputs"), (MixesRows, "rows are independent")])
def test_a_broken_layer_is_found(kind, law):
    layer = keras.saving.register_keras_serializable("tests")(kind)(dtype="float64")
    layer.built = True
    with pytest.raises(AssertionError, match=law):
        check_layer(layer, np.linspace(0.1, 2.0, 10))


@keras.saving.register_keras_serializable("tests")
class Vectors(NeighborhoodLayer):
    cutoff = 3.0

    def call(self, neighborhood):
        fade = polynomial_cutoff(neighborhood.distances, self.cutoff) * neighborhood.mask
        return ops.sum(neighborhood.vectors * fade[..., None], axis=1)


def test_a_layer_of_neighborhoods_must_be_invariant():
    with pytest.raises(AssertionError, match="rotation"):
        check_layer(Vectors(dtype="float64"), COPPER)


def test_nan_never_passes():
    assert not LawResult("law", np.nan, 1.0).passed
    assert LawResult("law", 1.0, 1.0).passed


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(TypeError, match="Received a list"):
        Probe([], COPPER)
    with pytest.raises(ValueError, match=r"Unknown are \['Cu'\]"):
        Probe(RepulsiveMorse(["Si"]), COPPER)
    with pytest.raises(ValueError, match="smoothness=3"):
        check_potential(Morse(), COPPER, smoothness=3)
