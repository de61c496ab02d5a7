"""All laws of a potential or a layer at once."""

import keras
import numpy as np
from keras import ops

from keras_ff.layers.base import NeighborhoodLayer
from keras_ff.potentials.base import Potential
from keras_ff.testing import layer_laws, potential_laws, weight_laws
from keras_ff.testing.law import require
from keras_ff.testing.probe import Probe


def potential_results(probe, smoothness=1):
    """The `LawResult` of every law of a potential, one after the other.

    Args:
        probe: `Probe` with the potential and a structure.
        smoothness: See `check_potential`.
    """
    yield potential_laws.forces_are_derivatives(probe)
    yield potential_laws.stress_is_a_derivative(probe)
    yield potential_laws.rotation(probe)
    yield potential_laws.reflection(probe)
    yield potential_laws.permutation(probe)
    yield potential_laws.translation(probe)
    yield potential_laws.supercell(probe)
    yield potential_laws.padding(probe)
    yield potential_laws.isolated_atoms(probe)
    for order in range(smoothness + 1):
        yield potential_laws.continuity(probe, order)
    yield weight_laws.parameter_gradient(probe)
    yield weight_laws.parameter_curvature(probe)
    yield weight_laws.coincident_atoms(probe)
    yield weight_laws.saving(probe)


def check_potential(potential, structure, smoothness=1, rattle=0.05, seed=0):
    """Check that a potential obeys the laws that all potentials share, in float64.

    Forces and stress are derivatives of the energy; rotation, reflection,
    permutation, translation, a doubled cell, padding and isolated atoms change
    nothing; nothing jumps at the cutoff; derivatives by the weights are right and
    finite in the hard cases too; saving and loading are exact.

    Args:
        potential: A `Potential`, or a `ForceField`.
        structure: `ase.Atoms` of its species, best of 2 to 50 atoms and periodic, so that the stress is checked.
        smoothness: Number of derivatives of the energy that must be continuous at the
            cutoff: 1 for the forces, 2 for force constants too; -1 if the energy itself may jump.
        rattle: Random displacements in Å that take the structure away from symmetric positions.
        seed: Of the random displacements and directions.

    Returns:
        List of `LawResult`.

    Raises:
        AssertionError: If a law fails; the text says which, by how much, and where.

    Example:
        >>> from ase.build import bulk
        >>> results = check_potential(keras_ff.potentials.RepulsiveMorse(["Si"]), bulk("Si", cubic=True), smoothness=2)
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
    five-point differences, also by its weights; treat every row alone; compute in
    float64; and keep its weights and configuration when it is serialized.

    Args:
        layer: A built `keras.layers.Layer`. It must compute in float64 unless it takes neighborhoods.
        inputs: `ase.Atoms` for a layer of neighborhoods (with attributes `cutoff` and
            `n_species`), otherwise an array `(rows, ...)`.
        smoothness: As in `check_potential`.
        seed: Of everything random.

    Returns:
        List of `LawResult`.

    Raises:
        AssertionError: If a law fails; the text says which, by how much, and where.
    """
    if isinstance(layer, NeighborhoodLayer):
        return check_potential(Readout(layer, sorted(set(inputs.symbols)), seed), inputs, smoothness, seed=seed)
    with Probe.float64():
        return require(list(layer_laws.layer_results(layer, np.asarray(inputs, dtype="float64"), seed)))


@keras.saving.register_keras_serializable("keras_ff.testing")
class Readout(Potential):
    """Fixed random sum of the features of a layer, so that the laws of potentials apply to it.

    Args:
        layer: A `NeighborhoodLayer` from a neighborhood to `(atoms, features)`.
        species: Chemical symbols.
        seed: Of the weights.
    """

    def __init__(self, layer, species, seed=0, **kwargs):
        if len(species) != getattr(layer, "n_species", len(species)):
            raise ValueError(f"The layer is for {layer.n_species} species. Received a structure of {species}.")
        super().__init__(species, layer.cutoff, **kwargs)
        self.layer, self.seed = layer, seed

    def call(self, neighborhood):
        features = self.layer(neighborhood)
        weights = np.random.default_rng(self.seed).normal(size=features.shape[-1])
        return ops.sum(features * ops.convert_to_tensor(weights, dtype=features.dtype), axis=-1)

    def get_config(self):
        config = super().get_config()
        del config["cutoff"]
        return {**config, "layer": keras.saving.serialize_keras_object(self.layer), "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)
