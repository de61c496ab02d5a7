"""Bugs of every kind, each in a potential that is sound otherwise, and the law that must name it."""

from functools import partial

import keras
import numpy as np
from ase.build import bulk
from keras import ops

from keras_ff import ForceField, backend
from keras_ff import testing as laws
from keras_ff.layers import polynomial_cutoff
from keras_ff.potentials import Committee, Potential
from keras_ff.testing import Probe

ALLOY = bulk("CuAu", "cesiumchloride", a=3.0)
register = keras.saving.register_keras_serializable("planted_bugs")


@register
class Pair(Potential):
    """A pair potential that is right; the depth of a bond depends on both elements."""

    def __init__(self, species=("Cu", "Au"), cutoff=4.0, depth=0.3, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.start = depth
        self.depth = self.add_parameter("depth", depth)
        self.power = self.add_parameter("power", 1.0)

    def fade(self, r):
        return polynomial_cutoff(r, self.cutoff)

    def bonds(self, neighborhood):
        """Energies of the bonds, `(atoms, neighbors)`, not yet masked."""
        r = neighborhood.distances
        charges = 1.0 + ops.cast(neighborhood.neighbor_species, r.dtype)
        return self.depth * charges * ops.exp(-self.power * r) * self.fade(r)

    def call(self, neighborhood):
        return ops.sum(self.bonds(neighborhood) * neighborhood.mask, axis=-1)

    def get_config(self):
        return {**super().get_config(), "depth": self.start}


class ForcesOfWrongSign(Pair):
    def call(self, neighborhood):
        energies = super().call(neighborhood)
        return 2.0 * backend.stop_gradient(energies) - energies


class ForgetsTheReaction(ForceField):
    """An atom feels its own bonds, and not the bonds that others have with it."""

    def atomic(self, batch):
        outputs = super().atomic(batch)
        return {**outputs, "forces": outputs["forces"] * ops.array([1.0, 1.0, 0.5], outputs["forces"].dtype)}


class HalfTheStress(ForceField):
    def atomic(self, batch):
        outputs = super().atomic(batch)
        return {**outputs, "stress": 0.5 * outputs["stress"]}


class MissingImages(ForceField):
    """Atoms of other cells are no neighbors."""

    def atomic(self, batch):
        near = ops.all(ops.abs(batch["shifts"]) < 0.5, axis=-1)
        return super().atomic({**batch, "neighbors": ops.where(near, batch["neighbors"], -1)})


class FeelsTheFloor(ForceField):
    """The energy depends on the absolute height, and the forces with it."""

    def atomic(self, batch):
        outputs = super().atomic(batch)
        height = ops.where(batch["species"] >= 0, batch["positions"][..., 2], 0.0)
        return {**outputs, "energies": outputs["energies"] + 1e-4 * ops.sin(height)}


class FirstNeighborCountsTwice(Pair):
    def call(self, neighborhood):
        bonds = self.bonds(neighborhood) * neighborhood.mask
        return ops.sum(bonds, axis=-1) + bonds[:, 0]


class SpeciesOfTheNextNeighbor(Pair):
    def bonds(self, neighborhood):
        r = neighborhood.distances
        charges = 1.0 + ops.cast(ops.roll(neighborhood.neighbor_species, 1, axis=1), r.dtype)
        return self.depth * charges * ops.exp(-r) * self.fade(r)


class AtomsAreNumbered(Pair):
    def call(self, neighborhood):
        energies = super().call(neighborhood)
        return energies * (1.0 + 1e-4 * ops.cast(ops.arange(ops.shape(energies)[0]) % 2, energies.dtype))


class MeanOverPaddedNeighbors(Pair):
    def call(self, neighborhood):
        return ops.mean(self.bonds(neighborhood) * neighborhood.mask, axis=-1)


class EmptyNeighborsHaveEnergy(Pair):
    def call(self, neighborhood):
        return super().call(neighborhood) + 1e-5 * ops.sum(1.0 - neighborhood.mask, axis=-1)


class PerAtomOfTheBatch(Pair):
    """Not extensive: divided by the number of atoms, all structures and padding included."""

    def call(self, neighborhood):
        energies = super().call(neighborhood)
        return energies / ops.cast(ops.shape(energies)[0], energies.dtype)


class MaximumNorm(Pair):
    """Distances are those of a cube."""

    def bonds(self, neighborhood):
        return super().bonds(neighborhood) * (1.0 + 1e-3 * ops.max(neighborhood.vectors**2, axis=-1))


class OneHandOnly(Pair):
    """A triple product of moments tells left from right."""

    def call(self, neighborhood):
        weights = self.bonds(neighborhood) * neighborhood.mask
        a, b, c = (ops.sum((weights * neighborhood.distances**p)[..., None] * neighborhood.vectors, axis=1) for p in (0, 1, 3))
        normal = [a[:, i - 2] * b[:, i - 1] - a[:, i - 1] * b[:, i - 2] for i in range(3)]
        return super().call(neighborhood) + sum(normal[i] * c[:, i] for i in range(3))


class EnergyJumps(Pair):
    def fade(self, r):
        return ops.ones_like(r)


class ForcesJump(Pair):
    def fade(self, r):
        return 1.0 - r / self.cutoff


class ForceConstantsJump(Pair):
    def fade(self, r):
        return (1.0 - r / self.cutoff) ** 2


class EndsBeyondItsCutoff(Pair):
    """The cutoff that it declares is shorter than that of its function."""

    def fade(self, r):
        return polynomial_cutoff(r, self.cutoff + 0.5)


class SingleInside(Pair):
    """Distances go through float32."""

    def bonds(self, neighborhood):
        return super().bonds(neighborhood) + 1e-2 * ops.cast(ops.cast(neighborhood.distances, "float32"), neighborhood.dtype)


class LargeConstant(Pair):
    """A constant that is added and taken away costs float32 its digits."""

    def call(self, neighborhood):
        large = backend.stop_gradient(ops.convert_to_tensor(self.depth)) * 1e4
        # Not simplified: the sum over the neighbors stands between the two.
        return ops.sum(self.bonds(neighborhood) * neighborhood.mask + large, axis=-1) - large * neighborhood.mask.shape[-1]


class Forgetful(Pair):
    """`get_config` leaves an argument out that no energy depends on."""

    def __init__(self, species=("Cu", "Au"), cutoff=4.0, comment="", **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.comment = comment


class ForgetsWhatMatters(Pair):
    def __init__(self, species=("Cu", "Au"), cutoff=4.0, factor=1.0, **kwargs):
        super().__init__(species, cutoff, **kwargs)
        self.kept_elsewhere = factor

    def bonds(self, neighborhood):
        return self.kept_elsewhere * super().bonds(neighborhood)


class DeafWeight(Pair):
    """The energy depends on a weight that gets no gradient."""

    def bonds(self, neighborhood):
        r = neighborhood.distances
        return self.depth * ops.exp(-backend.stop_gradient(ops.convert_to_tensor(self.power)) * r) * self.fade(r)


class NaNGradientAtPadding(Pair):
    def call(self, neighborhood):
        # The mask to a power: 0 as it should be, with a derivative of 0 times infinity.
        weights = ops.exp(self.power * ops.log(neighborhood.mask))
        return ops.sum(self.bonds(neighborhood) * weights, axis=-1)


class NoSecondDerivative(Pair):
    def call(self, neighborhood):
        return super().call(neighborhood) * (1.0 + ops.maximum(self.depth - 0.3, 0.0) ** 1.5)


class DividesByNeighbors(Pair):
    def call(self, neighborhood):
        return super().call(neighborhood) / ops.sum(self.fade(neighborhood.distances) * neighborhood.mask, axis=-1)


class LogarithmOfTheDistance(Pair):
    def call(self, neighborhood):
        bonds = -self.depth * ops.log(neighborhood.distances / self.cutoff) * self.fade(neighborhood.distances)
        return ops.sum(ops.where(neighborhood.is_neighbor, bonds, 0.0), axis=-1)


class InfinityTimesMask(Pair):
    """Infinite at padding, then multiplied by 0; XLA makes a choice of it, and hides the NaN."""

    def bonds(self, neighborhood):
        return self.depth * ops.exp(1.0 / (neighborhood.distances - self.cutoff))


class CountsItsCalls(Pair):
    calls = 0

    def call(self, neighborhood):
        CountsItsCalls.calls += 1
        return super().call(neighborhood) * (1.0 + 1e-6 * CountsItsCalls.calls)


class Noisy(Pair):
    def call(self, neighborhood):
        return super().call(neighborhood) * (1.0 + 1e-9 * np.random.default_rng().normal())


class FirstMemberInPlaceOfTheMean(Committee):
    def call(self, neighborhood):
        return self.member_energies(neighborhood)[0]


class MembersInAnotherOrder(Committee):
    def member_energies(self, neighborhood):
        return ops.flip(super().member_energies(neighborhood), axis=0)


class StrangersInPlaceOfTwins(ForceField):
    def with_species(self, twins):
        # The new element gets the charge of its number, not that of its twin.
        return ForceField(Pair([*self.species, *twins], dtype="float64"), dtype="float64")


def committee(kind):
    return kind([Pair(), Pair(depth=0.5)])


# The bug, and the law with the name that it must have in the report.
BUGS = {
    "forces of wrong sign": (ForcesOfWrongSign, laws.forces_are_derivatives, "forces are derivatives"),
    "an atom does not feel all bonds": (lambda: ForgetsTheReaction(Pair()), laws.forces_are_derivatives, "forces are derivatives"),
    "half the stress": (lambda: HalfTheStress(Pair()), laws.stress_is_a_derivative, "stress is a derivative"),
    "missing images": (lambda: MissingImages(Pair()), laws.supercell, "supercell"),
    "absolute position": (lambda: FeelsTheFloor(Pair()), laws.translation, "translation"),
    "order of the neighbors": (FirstNeighborCountsTwice, laws.permutation, "permutation"),
    "species of another neighbor": (SpeciesOfTheNextNeighbor, laws.permutation, "permutation"),
    "order of the atoms": (AtomsAreNumbered, laws.permutation, "permutation"),
    "number of neighbors that there is room for": (MeanOverPaddedNeighbors, laws.padding, "padding"),
    "energy of empty neighbors": (EmptyNeighborsHaveEnergy, laws.padding, "padding"),
    "energy per atom of the batch": (PerAtomOfTheBatch, laws.padding, "padding"),
    "distances of a cube": (MaximumNorm, laws.rotation, "rotation"),
    "one hand only": (OneHandOnly, laws.reflection, "reflection"),
    "energy jumps": (EnergyJumps, partial(laws.continuity, order=0), "continuity of the energy"),
    "forces jump": (ForcesJump, partial(laws.continuity, order=1), "continuity of the forces"),
    "force constants jump": (ForceConstantsJump, partial(laws.continuity, order=2), "continuity of the derivatives of the forces"),
    "wrong cutoff declared": (EndsBeyondItsCutoff, partial(laws.continuity, order=0), "continuity of the energy"),
    "float32 inside": (SingleInside, laws.double_precision, "double precision"),
    "digits lost in float32": (LargeConstant, laws.single_precision, "float32 against float64"),
    "forgotten argument": (lambda: Forgetful(comment="from a paper"), laws.saving, "saving and loading"),
    "forgotten factor": (lambda: ForgetsWhatMatters(factor=2.0), laws.saving, "saving and loading"),
    "forgotten factor of a float32 potential": (
        lambda: ForgetsWhatMatters(factor=2.0, dtype="float32"),
        laws.saving,
        "saving and loading",
    ),
    "weight without gradient": (DeafWeight, laws.parameter_gradient, "parameter gradient"),
    "NaN gradient at padding": (NaNGradientAtPadding, laws.parameter_gradient, "parameter gradient"),
    "no second derivative": (NoSecondDerivative, laws.parameter_curvature, "second parameter derivatives"),
    "NaN for isolated atoms": (DividesByNeighbors, laws.isolated_atoms, "isolated atoms"),
    "coincident atoms": (LogarithmOfTheDistance, laws.coincident_atoms, "gradient beside coincident atoms"),
    "infinity times 0": (InfinityTimesMask, laws.uncompiled, "evaluation without compilation"),
    "counts its calls": (CountsItsCalls, laws.repetition, "repetition"),
    "random numbers": (Noisy, laws.repetition, "repetition"),
    "first member as the mean": (lambda: committee(FirstMemberInPlaceOfTheMean), laws.members, "members"),
    "members in another order": (lambda: committee(MembersInAnotherOrder), laws.members, "members"),
    "strangers as twins": (lambda: StrangersInPlaceOfTwins(Pair()), laws.new_elements, "new elements"),
}

for bug in [value for value in list(globals().values()) if isinstance(value, type) and value.__module__ == __name__]:
    if bug is not Pair:
        register(bug)


def bugs_of(source):
    """Names of the bugs that the laws of a file of keras_ff.testing have to find."""
    return [bug for bug, (_, law, _) in BUGS.items() if getattr(law, "func", law).__module__ == f"keras_ff.testing.{source}"]


def check_that_its_law_fails(bug):
    kind, law, name = BUGS[bug]
    result = law(Probe(kind(), ALLOY))
    assert result.name == name and not result.passed, str(result)
