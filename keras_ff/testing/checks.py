"""All laws of a potential or a layer at once."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_ff.layers.base import Descriptor, NeighborhoodLayer
from keras_ff.potentials.base import Potential
from keras_ff.testing import copy_laws, derivative_laws, evaluation_laws, layer_laws, member_laws, symmetry_laws, weight_laws
from keras_ff.testing.law import require
from keras_ff.testing.probe import Probe

# Of every structure.
STRUCTURE_LAWS = (
    derivative_laws.finite_numbers,
    derivative_laws.forces_are_derivatives,
    derivative_laws.stress_is_a_derivative,
    derivative_laws.double_precision,
    symmetry_laws.rotation,
    symmetry_laws.reflection,
    symmetry_laws.permutation,
    symmetry_laws.translation,
    symmetry_laws.supercell,
    symmetry_laws.padding,
    symmetry_laws.isolated_atoms,
    copy_laws.single_precision,
)
# Once. `continuity`, which has an order, comes before them.
MODEL_LAWS = (
    weight_laws.parameter_gradient,
    weight_laws.parameter_curvature,
    weight_laws.coincident_atoms,
    evaluation_laws.uncompiled,
    evaluation_laws.repetition,
    member_laws.members,
    copy_laws.new_elements,
    copy_laws.saving,
)


def potential_results(probe, smoothness=1):
    """The `LawResult` of every law of a potential, one after the other: the list that `check_potential` and `keras-ff check` share.

    Args:
        probe: `Probe` with the potential and structures.
        smoothness: Highest order of continuity that is looked at; see `check_potential`.

    Yields:
        `LawResult`, in the order of the laws; those that do not concern the potential are left out.
    """
    for law in STRUCTURE_LAWS:
        yield _worst_of_structures(probe, law)
    for order in range(smoothness + 1):
        yield derivative_laws.continuity(probe, order)
    for law in MODEL_LAWS:
        result = law(probe)
        if result is not None:
            yield result


def _worst_of_structures(probe, law):
    """The result of the structure that deviates most."""
    worst = None
    for index, structure in enumerate(probe.structures):
        probe.structure = structure
        result = law(probe)
        if worst is None or not result.deviation <= worst.deviation:
            worst = result
            if len(probe.structures) > 1:
                worst = dataclasses.replace(result, detail=f"Structure {index} ({structure.symbols}): {result.detail}")
        if np.isnan(result.deviation):
            break
    probe.structure = probe.structures[0]
    return worst


def check_potential(potential, structure, smoothness=1, rattle=0.05, seed=0):
    """Check that a potential obeys the laws that all potentials share.

    Forces and stress are derivatives of the energy; rotation, reflection,
    permutation, translation, a doubled cell, padding and isolated atoms change
    nothing; nothing jumps at the cutoff; derivatives with respect to the weights are right and
    finite in the hard cases too; energies are the same without a compiler, and when computed again; float32 loses no more than
    it must; the members of a committee are potentials; a new element begins as its twin; saving and loading are exact.

    The potential is tested as it is. Derivatives of a float32 potential are tested on its float64 copy.

    Args:
        potential: A `Potential`, or a `ForceField`.
        structure: `ase.Atoms` of its species, best of 2 to 50 atoms and periodic, so that the stress is checked.
        smoothness: Number of derivatives of the energy that must be continuous at the
            cutoff: 1 for the forces, 2 for force constants too; -1 if the energy itself may jump.
        rattle: Random displacements in Å that take the structure away from symmetric positions.
        seed: Seed of the random displacements and directions.

    Returns:
        List of `LawResult`.

    Raises:
        AssertionError: If a law fails; the text says which, by how much, and where.
        ValueError: If `smoothness` is another number.

    Example:
        >>> from ase.build import bulk
        >>> from keras_ff.potentials import RepulsiveMorse
        >>> results = check_potential(RepulsiveMorse(["Si"]), bulk("Si", cubic=True), smoothness=2)
        >>> all(result.passed for result in results)
        True
    """
    if smoothness not in (-1, 0, 1, 2):
        raise ValueError(f"smoothness is -1, 0, 1 or 2. Received smoothness={smoothness}.")
    return require(list(potential_results(Probe(potential, structure, rattle, seed), smoothness)))


def check_layer(layer, inputs, smoothness=1, seed=0):
    """Check that a layer obeys the laws that all layers share, in float64.

    A layer of neighborhoods is checked as a potential: the atomic energy is a sum
    of its features with fixed random weights. So its features must be invariant
    under rotation, and smooth at the cutoff.

    A layer of arrays, which has rows of inputs, must have derivatives that are those of
    five-point differences, also with respect to its weights; treat every row alone; compute in
    float64; and keep its weights and configuration when it is serialized.

    Args:
        layer: A built `keras.layers.Layer`. It must compute in float64 unless it takes neighborhoods.
        inputs: `ase.Atoms` for a layer of neighborhoods (with attributes `cutoff` and
            `n_species`), otherwise an array `(rows, ...)`.
        smoothness: As in `check_potential`.
        seed: Seed of everything random.

    Returns:
        List of `LawResult`.

    Raises:
        AssertionError: If a law fails; the text says which, by how much, and where.

    Example:
        >>> with Probe.float64():
        ...     layer = keras.layers.Dense(2)
        ...     layer.build((None, 3))
        >>> results = check_layer(layer, [[0.1, 0.5, 0.2], [1.0, 2.0, 4.0]])
        >>> [result.name for result in results if not result.passed]
        []
    """
    if isinstance(layer, NeighborhoodLayer):
        readout = Readout(layer, sorted(set(inputs.symbols)), seed, dtype=layer.dtype_policy)
        return check_potential(readout, inputs, smoothness, seed=seed)
    with Probe.float64():
        return require(list(layer_laws.layer_results(layer, np.asarray(inputs, dtype="float64"), seed)))


@keras.saving.register_keras_serializable("keras_ff.testing")
class Readout(Potential):
    """Fixed random sum of the features of a layer, so that the laws of potentials apply to it.

    Args:
        layer: A `NeighborhoodLayer` from a neighborhood to `(atoms, features)`.
        species: Chemical symbols.
        seed: Seed of the random factors.

    Raises:
        ValueError: If the layer is for another number of species.
    """

    def __init__(self, layer, species, seed=0, **kwargs):
        if isinstance(layer, Descriptor) and len(species) != layer.n_species:
            raise ValueError(f"The layer is for {layer.n_species} species. Received a structure of {species}.")
        super().__init__(species, layer.cutoff, **kwargs)
        self.layer, self.seed = layer, seed

    def call(self, neighborhood):
        """Return the weighted sum of the features of each atom, `(atoms,)`."""
        features = self.layer(neighborhood)
        weights = np.random.default_rng(self.seed).normal(size=features.shape[-1])
        return ops.sum(features * ops.convert_to_tensor(weights, dtype=features.dtype), axis=-1)

    def get_config(self):
        """Return the arguments of the constructor, from which Keras makes it anew."""
        config = super().get_config()
        del config["cutoff"]
        return {**config, "layer": keras.saving.serialize_keras_object(self.layer), "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        """Return the potential of a configuration of `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)
