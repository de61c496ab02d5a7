"""NeuralIL: a smooth network on spherical-Bessel descriptors."""

import keras
import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.layers.atomic_networks import MLP, LeCunNormal, LinearPlusMLP, product
from keras_ff.layers.power_spectrum import FullPowerSpectrum, PowerSpectrum
from keras_ff.potentials.base import Potential

# Principal components with less than this part of the largest variance are rounding errors of float32.
SMALLEST_VARIANCE = 1e-7

# Variances of errors in units of the variance of the forces: where they begin, and the smallest.
FIRST_VARIANCE, LEAST_VARIANCE = 1e-2, 1e-6


@keras.saving.register_keras_serializable("keras_ff")
class NeuralIL(Potential):
    """Atomic energies from one smooth network for all elements.

    The network reads decorrelated descriptors of the neighbor density and a learned
    embedding of the central element. Its output is scaled and shifted:

        E_i = energy_scale * (slope * network(features_i, embedding_i) + intercept)

    With `members` it is a committee: networks, embeddings, slopes and intercepts of their own read the same descriptors, and the
    energy is the mean of theirs. Member m starts as `NeuralIL(seed=seed + m)` does. See `keras_ff.Ensemble`.

    Energies have continuous second derivatives everywhere, also at the cutoff.

    `NeuralIL(species)` describes atoms by `FullPowerSpectrum` and uses the network
    `LinearPlusMLP`, which reach lower errors in less time on all data tried here;
    `NeuralIL.published(species)` is the model of the paper.

    Args:
        species: Chemical symbols.
        cutoff: Radius in Å.
        n_max: Size of the descriptor.
        descriptor: Layer from a `Neighborhood` to `(atoms, features)`, instead of `cutoff` and `n_max`.
        network: `AtomicNetwork` whose inputs are the features and the `embedding`.
        embedding: Length of the embedding of the central element.
        seed: Of the initial weights.
        members: Number of members of a committee, if no `network` is given, which knows its own.
        learned_noise: Whether each member of the committee learns the variances of its errors too (a deep ensemble), see
            `member_variances`.

    Raises:
        ValueError: If descriptor, network and species do not fit together.

    Reference:
        Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022).
    """

    def __init__(
        self,
        species,
        cutoff=5.0,
        n_max=6,
        descriptor=None,
        network=None,
        embedding=2,
        seed=0,
        members=None,
        learned_noise=False,
        **kwargs,
    ):
        n_species = 1 if isinstance(species, str) else len(species)
        if descriptor is None:
            descriptor = FullPowerSpectrum(cutoff, n_max, n_species, dtype=kwargs.get("dtype"))
        if descriptor.n_species != n_species:
            raise ValueError(f"The descriptor is made for {descriptor.n_species} species. Received species={list(species)}.")
        super().__init__(species, descriptor.cutoff, **kwargs)
        self.embedding, self.seed = int(embedding), seed
        self.descriptor = descriptor
        features = descriptor.n_features
        self.network = network or LinearPlusMLP(features + embedding, seed=seed, members=members, dtype=self.dtype_policy)
        if self.network.inputs != features + embedding:
            raise ValueError(
                f"The network must take {features + embedding} inputs ({features} descriptors and {embedding} of the "
                f"embedding). Received a network of {self.network.inputs} inputs."
            )
        members = self.members
        if learned_noise and members is None:
            raise ValueError("learned_noise needs a committee: a single model has no use for the variances. Received members=None.")
        self.learned_noise = bool(learned_noise)
        self.noise = []
        if learned_noise:
            options = {"members": members, "dtype": self.dtype_policy}
            self.noise = [LinearPlusMLP(features + embedding, seed=seed + kind * members, **options) for kind in (1, 2)]
        stack = () if members is None else (members,)
        scalar = () if members is None else (members, 1)
        self.feature_mean = self.add_parameter("feature_mean", np.zeros(features), trainable=False)
        self.projection = self.add_parameter("projection", np.eye(features + self.embedding), trainable=False)
        self.energy_scale = self.add_parameter("energy_scale", 1.0, trainable=False)
        self.slope = self.add_parameter("slope", np.ones(scalar))
        self.intercept = self.add_parameter("intercept", np.zeros(scalar))
        self.elements = self.add_weight(
            name="embedding", shape=(*stack, len(self.species), self.embedding), initializer=LeCunNormal([seed, 1], members)
        )

    @classmethod
    def published(cls, species, cutoff=3.5, n_max=4, embedding=2, seed=0, members=None, **kwargs):
        """The model of the paper: `PowerSpectrum` and the normalised pyramid `MLP`."""
        n_species = 1 if isinstance(species, str) else len(species)
        descriptor = PowerSpectrum(cutoff, n_max, n_species, dtype=kwargs.get("dtype"))
        network = MLP(descriptor.n_features + embedding, seed=seed, members=members, dtype=kwargs.get("dtype"))
        return cls(species, descriptor=descriptor, network=network, embedding=embedding, seed=seed, **kwargs)

    @property
    def n_max(self):
        return self.descriptor.n_max

    @property
    def members(self):
        return self.network.members

    def call(self, neighborhood):
        energies = self.member_energies(neighborhood)
        return energies[0] if self.members is None else ops.mean(energies, axis=0)

    def member_energies(self, neighborhood):
        energies = self.energies_of(self.describe(neighborhood), neighborhood.center_species)
        return energies[None] if self.members is None else energies

    def energies_of(self, features, center_species):
        """Atomic energies in eV from what `describe` gave.

        Args:
            features: `(atoms, features)`; of a committee also `(members, atoms, features)`.
            center_species: int `(atoms,)`, 0 or more.

        Returns:
            `(atoms,)`, of a committee `(members, atoms)`.
        """
        features = features - self.feature_mean
        embedding = product(ops.one_hot(center_species, len(self.species), dtype=features.dtype), self.elements)
        energies = self.network([features, embedding], projection=self.projection)
        return self.energy_scale * (self.slope * energies + self.intercept)

    def member_variances(self, neighborhood):
        """Variances of the errors that each member expects, `(members, atoms, 2)`: in eV² of the atomic energy, and in (eV/Å)² of
        a component of the force on the atom; None without `learned_noise`.

        Networks of their own read the descriptors, which learn nothing from the variances.
        """
        if not self.learned_noise:
            return None
        features = self.describe(neighborhood) - self.feature_mean
        one_hot = ops.one_hot(neighborhood.center_species, len(self.species), dtype=features.dtype)
        inputs = [ops.stop_gradient(x) for x in (features, product(one_hot, self.elements))]
        values = ops.stack([network(inputs, projection=self.projection) for network in self.noise], axis=-1)
        return self.energy_scale**2 * (FIRST_VARIANCE * ops.softplus(values) + LEAST_VARIANCE)

    def member_gradients(self, vectors, surroundings):
        if self.members is None:
            return super().member_gradients(vectors, surroundings)
        # The descriptors are computed once. They differ in nothing but what they are multiplied by on the way back.
        features, pullback = self.descriptor.with_pullback(vectors, surroundings)
        neighborhood = surroundings(vectors)

        def total(features):
            energies = ops.where(neighborhood.is_atom, self.energies_of(features, neighborhood.center_species), 0.0)
            return ops.sum(energies), energies

        copies = ops.broadcast_to(features, (self.members, *ops.shape(features)))
        (_, energies), slopes = backend.value_and_grad(total, has_aux=True)(copies)
        return energies, pullback(slopes)

    def describe(self, neighborhood):
        return self.descriptor(neighborhood)

    def adapt(self, features, species, force_scales):
        """Center, decorrelate and scale the descriptors (`decorrelation`), and set the scale of the energies."""
        mean, matrix = decorrelation(features, self.descriptor.groups, self.embedding)
        self.feature_mean.assign(mean)
        self.projection.assign(matrix)
        self.energy_scale.assign(np.sqrt(np.mean(force_scales[species] ** 2)))

    def with_species(self, twins):
        if self.members is not None:
            raise NotImplementedError("A committee takes no new elements. Extend a single model, or its `members` one by one.")
        places = list(range(len(self.species))) + [self.species.index(symbol) for symbol in twins.values()]
        descriptor, matrix, kept = self.descriptor.with_twins(places)
        config = self.get_config()
        # Subclasses have a name of their own for it.
        parts = {name: descriptor for name in ("descriptor", "filters") if name in config}
        old, new = self.descriptor.n_features, descriptor.n_features
        network = type(self.network).from_config({**self.network.get_config(), "inputs": new + self.embedding})
        copy = type(self)(**{**config, **parts, "species": [*self.species, *twins], "network": network})

        def widened(weight, shape):
            """Rows for what did not exist are 0."""
            if weight.shape == shape:
                return weight.copy()
            return np.concatenate([weight[:old], np.zeros((new - old, *shape[1:])), weight[old:]])

        for mine, theirs in zip(network.weights, self.network.weights, strict=True):
            mine.assign(widened(ops.convert_to_numpy(theirs), tuple(mine.shape)))
        mean, projection = ops.convert_to_numpy(self.feature_mean), ops.convert_to_numpy(self.projection).astype("float64")
        copy.feature_mean.assign(_placed(mean, kept, new))
        copy.projection.assign(_projection_of_twins(projection, matrix, kept))
        copy.elements.assign(ops.take(self.elements, np.array(places), axis=0))
        for name in ("energy_scale", "slope", "intercept"):
            # Not the array itself: on JAX, training one of the two models would delete it.
            getattr(copy, name).assign(ops.copy(getattr(self, name)))
        return copy

    def get_config(self):
        config = super().get_config()
        del config["cutoff"]
        return {
            **config,
            "descriptor": keras.saving.serialize_keras_object(self.descriptor),
            "network": keras.saving.serialize_keras_object(self.network),
            "embedding": self.embedding,
            "seed": self.seed,
            **({"learned_noise": True} if self.learned_noise else {}),
        }

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("descriptor", "network")}
        return cls(**{**config, **parts})


def _placed(values, places, count):
    found = np.zeros(count)
    found[places] = values
    return found


def _projection_of_twins(projection, matrix, kept):
    """The projection for more features: components as of twins first, then each new feature by itself, in units of its size.

    The network, which has weights 0 for the latter, sees no difference between twins until it is trained.
    """
    new, old = matrix.shape
    others = len(projection) - old
    replaced = np.zeros((new + others, old + others))
    replaced[:new, :old], replaced[new:, old:] = matrix, np.eye(others)
    found = np.zeros((new + others, new + others))
    components = np.r_[:old, new : new + others]
    found[:, components] = replaced @ projection
    # What `decorrelation` divides a feature by, as all components together tell it.
    core = projection[:old, :old]
    sizes = np.sqrt(np.diag(np.linalg.pinv(core @ core.T)))
    added = np.setdiff1d(np.arange(new), kept)
    found[added, np.arange(old, new)] = 1.0 / (matrix[added] @ sizes)
    return found


def decorrelation(features, groups, others=0):
    """Statistics that prepare features for a network.

    Descriptors of an atom are strongly correlated, and a network learns directions
    of small variance slowly. Along the principal components of their covariance the
    network sees them divided by the square root of the spread, which is half of the
    way to equal spread: all of it would inflate noise. On copper this
    saved about two thirds of the training.

    Args:
        features: Descriptors of atoms of the training set, `(samples, features)`, NumPy.
        groups: Slices of the features that have similar sizes.
        others: Number of inputs of the network beside the features, which stay as they are.

    Returns:
        Tuple of the mean `(features,)` and the matrix `(features + others, features + others)` that multiplies centered features.
    """
    mean = features.mean(axis=0)
    centered = features - mean
    units = np.ones(features.shape[1])
    for group in groups:
        units[group] = np.sqrt(np.mean(centered[:, group] ** 2)) or 1.0
    variances, components = np.linalg.eigh(np.cov(centered / units, rowvar=False, bias=True).reshape(len(units), len(units)))
    variances = np.maximum(variances, SMALLEST_VARIANCE * max(variances[-1], 1e-300))
    matrix = np.eye(len(units) + others)
    matrix[: len(units), : len(units)] = components * (variances * variances.mean()) ** -0.25 / units[:, None]
    return mean, matrix
