"""Spline networks on the mlearn sets, and filters that several elements share: `keras-ff benchmark spline-networks`."""

import time
from collections.abc import Sequence

import keras
import numpy as np
from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.benchmarks.measure import ase_step, epochs_of, errors, mlearn, row, timed, train

# Training steps for one element alone, and for each of several.
STEPS, SHARED_STEPS = 8000, 4000
UNITS = (32, 32)
# Radii of the filters in Å, about three shells of neighbors.
CUTOFFS = {"Li": 6.0, "Mo": 5.2, "Si": 5.2, "Ge": 5.4, "Ni": 5.0, "Cu": 5.0}
SHARED = 5.4
LOSS_WEIGHTS = {"energy_per_atom": 5.0, "forces": 1.0}


def single(elements: Sequence[str], data: str, steps: int = STEPS, atoms: int = 2000, n_max: int = 6) -> None:
    """A `SplineNetwork` for one element: errors and cost.

    Args:
        elements: The element, alone in a list.
        data: Folder of the mlearn set.
        steps: Number of training steps.
        atoms: Number of atoms, about, whose forces are timed.
        n_max: Size of the descriptor of the NeuralIL that the cost is compared with.
    """
    (symbol,) = elements
    keras.utils.set_random_seed(0)
    model = kff.ForceField(kff.potentials.SplineNetwork([symbol], CUTOFFS.get(symbol, SHARED), units=UNITS))
    learn(f"s-NNP for {symbol}", model, data, steps)
    cost(symbol, model, atoms, n_max)


def shared(elements: Sequence[str], data: str, steps: int = SHARED_STEPS) -> kff.ForceField:
    """`ElementNetworks` for several elements on all their data; returns the model.

    Args:
        elements: The elements.
        data: Folder of the mlearn set.
        steps: Number of training steps for each element.
    """
    return _shared("s-NNP, shared filters", elements, data, steps)


def transfer(elements: Sequence[str], data: str, steps: int = STEPS, shared_steps: int = SHARED_STEPS) -> None:
    """The filters of all elements but the last are handed to it as they are, and its network alone is trained.

    Then again on filters that were never trained.

    Args:
        elements: Three elements or more; the last one is new.
        data: Folder of the mlearn set.
        steps: Number of training steps of the network.
        shared_steps: Number of training steps of the filters for each element.
    """
    *known, new = elements
    model = _shared(f"s-NNP, shared filters of all but {new}", known, data, shared_steps)
    untrained = kff.layers.SplineFilters(SHARED)
    for name, filters in (("shared", model.potential.filters.for_species(1)), ("untrained", untrained)):
        filters.trainable = False
        one = kff.ForceField(kff.potentials.SplineNetwork([new], filters=filters, units=UNITS))
        learn(f"s-NNP for {new}, {name} filters as they are", one, data, steps)


def _shared(name, elements, data, steps):
    keras.utils.set_random_seed(0)
    model = kff.ForceField(kff.potentials.ElementNetworks(list(elements), SHARED, units=UNITS))
    learn(name, model, data, steps * len(elements))
    return model


def learn(name: str, model: kff.ForceField, data: str, steps: int) -> None:
    """Train a model for the elements it has, and print its errors."""
    began = time.process_time()
    fit(model, [atoms for symbol in model.species for atoms in mlearn(data, symbol, "train")], steps)
    spent = time.process_time() - began
    for symbol in model.species:
        energy, forces = errors(model, mlearn(data, symbol, "test"))
        row(f"{name}: test MAE of {symbol}", f"{energy:.2f} meV/atom, {forces:.1f} meV/Å")
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    row(f"{name}: training", f"{spent:.0f} CPU s, {trained} trained parameters")


def fit(model: kff.ForceField, structures: Sequence, steps: int) -> None:
    """Adapt a model and train it for so many steps."""
    data = kff.data.Dataset(structures, model, batch_size=4, max_shapes=2 * len(model.species), progress=False)
    model.adapt(data)
    train(model, data, epochs_of(steps, data), loss_weights=LOSS_WEIGHTS)


def cost(symbol: str, model: kff.ForceField, count: int, n_max: int) -> None:
    """CPU time of an ASE call, against NeuralIL of the same cutoff, for about so many atoms."""
    crystal = bulk(symbol, cubic=True)
    atoms = crystal * max(1, round((count / len(crystal)) ** (1 / 3)))
    atoms.rattle(0.1, seed=0)
    models = {"s-NNP": model, "NeuralIL": kff.ForceField(kff.potentials.NeuralIL([symbol], cutoff=model.cutoff, n_max=n_max))}
    spent = {name: timed(ase_step(one, atoms), 15)[0] / len(atoms) for name, one in models.items()}
    row(
        f"s-NNP for {symbol}: energy + forces through ASE, {len(atoms)} atoms, cutoff {model.cutoff} Å",
        f"{1e6 * spent['s-NNP']:.1f} CPU µs/atom, {spent['s-NNP'] / spent['NeuralIL']:.2f} of NeuralIL(n_max {n_max})",
    )
