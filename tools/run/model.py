"""The model that a run trains: a new one, or a saved one of any kind; its loss and its name."""

import os
from collections.abc import Mapping, Sequence

import ase
import keras

import keras_ff as kff
from keras_ff.layers import LinearPlusMLP, PowerSpectrum
from keras_ff.models.cards import kind
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.descriptor_network import DescriptorNetwork
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.with_members import members_of
from keras_ff_tools.run.core import with_core
from keras_ff_tools.run.parts import train_only
from keras_ff_tools.run.potentials import make
from keras_ff_tools.run.settings import Settings

# As many structures are enough for a fit by least squares.
ENOUGH = 1000

# A fit by least squares takes more time than it saves, if networks have more inputs.
MOST_LINEAR = 400

# Names of the outputs that the labels are compared with.
OUTPUTS = {"energy": "energy_per_atom", "forces": "forces", "stress": "stress"}


def new_model(
    settings: Settings, structures: Sequence[ase.Atoms], path: str | os.PathLike | None = None
) -> tuple[kff.ForceField, str]:
    """A new model of the settings, with a core where it needs one.

    Args:
        settings: Settings without `start`, with species.
        structures: The training set, whose distances decide on the core.
        path: The parameter file, if the settings name one.

    Returns:
        Tuple of the model and a sentence about its core, "" where there is nothing to say.
    """
    potential, core = with_core(make(settings, settings.species, path), settings, structures)
    return (kff.ForceField if members_of(potential) is None else kff.Ensemble)(potential), core


def saved_model(path: str | os.PathLike, settings: Settings) -> kff.ForceField:
    """A saved model to be trained further, with its weights and reference energies.

    What a committee has learned of its errors (`Ensemble.calibrate`) belongs to the weights that it had, and is taken away.

    Args:
        path: The `.keras` file.
        settings: Settings, of which `dtype` may convert the model, and `train_parameters` chooses those of a classical potential.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no model, nothing in the model can be trained, or the settings contradict it.
    """
    model = kff.load(path, dtype=settings.dtype)
    if settings.train_parameters is not None:
        train_only(model, settings.train_parameters)
    if not model.trainable_weights:
        raise ValueError(
            f"{path} is a {kind(model)} whose weights are all fixed, so there is nothing to train. Make it with parameters to "
            "train, such as StillingerWeber.silicon(train=True), or set `trainable = True` of weights, and save it again."
        )
    if learns_noise(model):
        defaults = {name: Settings.model_fields[name].default for name in ("energy_p", "forces_p")}
        given = {name: getattr(settings, name) for name in defaults if getattr(settings, name) != defaults[name]}
        if given:
            raise ValueError(
                f"{path} learns the variances of its errors, and its loss (GaussianNLL) has no energy_p and "
                f"forces_p. Received {given}."
            )
    if isinstance(model, kff.Ensemble):
        model.calibration = {}
    return model


def adapt(
    model: kff.ForceField,
    dataset: kff.data.Dataset,
    new: bool = False,
    reference_energies: Mapping[str, float] | str | None = None,
) -> None:
    """Fit reference energies and the statistics of descriptors of a model to a data set.

    `ForceField.adapt` leaves the zero of a classical potential alone, which here moves to that of the data too.

    Args:
        model: The model.
        dataset: The training set.
        new: Whether the model was never trained; then the reference energies of a network are those that `adapt` has found.
        reference_energies: What is not fitted, see `ForceField.adapt`.
    """
    model.adapt(dataset, reference_energies=reference_energies)
    network = bool(terms_with(model.potential, Learned))
    # Those of free atoms stay; others take off what a trained network says in the mean.
    free = network and set(model.references["sources"].values()) != {"fitted"} if model.references else False
    if dataset.labels_found["energy"] and not (network and (new or free)):
        model.fit_reference_energies(dataset, "fit" if network else reference_energies)


def linear_start(model: kff.ForceField, dataset: kff.data.Dataset) -> bool:
    """Fit the linear parts of networks by least squares, from which the training begins.

    Args:
        model: A new model, adapted to the data.
        dataset: The training set.

    Returns:
        Whether there was something to fit: a single NeuralIL with a linear part that is trained, and with few enough inputs.
    """
    networks = [
        term
        for term in terms_with(model.potential, DescriptorNetwork)
        # Other descriptors go back from features to vectors at the full price for each of them. Members stay different.
        if isinstance(term.network, LinearPlusMLP) and isinstance(term.descriptor, PowerSpectrum) and term.members is None
    ]
    inputs = [term.network.inputs for term in networks if term.network.linear.kernel.trainable]
    if not inputs or sum(inputs) > MOST_LINEAR:
        return False
    # One shape: what is compiled here costs more than padding.
    model.fit_linear(dataset.in_shapes(1), batches=max(1, ENOUGH // dataset.batch_size))
    return True


def compile_model(model: kff.ForceField, settings: Settings, labels_found: Mapping[str, int]) -> None:
    """Give a model the loss, the optimizer and the metrics of the settings.

    Args:
        model: The model.
        settings: Settings.
        labels_found: Number of labels of each kind in the training set; kinds without any are not measured.
    """

    def loss(label):
        if learns_noise(model) and label != "stress":
            return kff.losses.GaussianNLL(dtype=model.compute_dtype)
        return kff.losses.LogCosh(p=getattr(settings, f"{label}_p"), dtype=model.compute_dtype)

    weights = {label: weight for label, weight in settings.weights.items() if weight}
    average = {} if settings.ema is None else {"use_ema": True, "ema_momentum": settings.ema}
    # For the learning rate of the optimizer, which has no dtype of its own.
    with kff.backend.default_dtype(model.variable_dtype):
        model.compile(
            optimizer=keras.optimizers.Adam(settings.learning_rate, **average),
            loss={OUTPUTS[label]: loss(label) for label in weights},
            loss_weights={OUTPUTS[label]: weight for label, weight in weights.items()},
            metrics=kff.training.default_metrics([OUTPUTS[label] for label, count in labels_found.items() if count]),
        )


def learns_noise(model: kff.ForceField) -> bool:
    """Whether a model is a deep ensemble, whose members learn the variances of their errors."""
    return isinstance(model, kff.Ensemble) and model.potential.learned_noise
