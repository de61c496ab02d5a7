"""What follows from phonon frequencies: densities of states and thermodynamic functions."""

import numpy as np
from ase.units import _e, _hplanck, kB
from keras import ops

# Energy in eV of a quantum of 1 THz.
QUANTUM = _hplanck * 1e12 / _e

# Frequencies in THz below this, and imaginary ones, do not count in thermodynamic functions.
LOWEST = 1e-2


def density_of_states(frequencies, at, width=0.15):
    """Number of modes per THz, of one cell, with each frequency as a Gaussian.

    Args:
        frequencies: `(wave vectors, modes)` in THz, such as `Phonons(model, atoms, mesh(12))`.
        at: Where the density is wanted, `(points,)` in THz.
        width: Standard deviation in THz.

    Returns:
        `(points,)`; its integral is the number of modes.
    """
    frequencies = ops.convert_to_tensor(frequencies)
    distance = (ops.convert_to_tensor(at, dtype=frequencies.dtype)[:, None] - ops.reshape(frequencies, (1, -1))) / width
    return ops.sum(ops.exp(-0.5 * distance * distance), axis=1) / (width * np.sqrt(2.0 * np.pi) * frequencies.shape[0])


def free_energy(frequencies, temperature):
    """Helmholtz energy of the harmonic vibrations of one cell in eV, a scalar. Frequencies `(wave vectors, modes)` in THz, K."""
    quanta, counts, share = _quanta(frequencies)
    thermal = kB * temperature
    return share * ops.sum(counts * (0.5 * quanta + thermal * ops.log1p(-ops.exp(-quanta / thermal))))


def entropy(frequencies, temperature):
    """Of the same, in eV/K."""
    quanta, counts, share = _quanta(frequencies)
    x = quanta / (kB * temperature)
    return share * kB * ops.sum(counts * (x / ops.expm1(x) - ops.log1p(-ops.exp(-x))))


def heat_capacity(frequencies, temperature):
    """Of the same at constant volume, in eV/K."""
    quanta, counts, share = _quanta(frequencies)
    x = quanta / (kB * temperature)
    return share * kB * ops.sum(counts * x * x * ops.exp(x) / ops.expm1(x) ** 2)


def mesh(size, shift=True):
    """Wave vectors of an even mesh, `(size**3, 3)`, in units of the reciprocal lattice vectors.

    Args:
        size: Number of points along each direction.
        shift: Whether the mesh keeps half a step of distance from the zone center.
    """
    along = (np.arange(size) + (0.5 if shift else 0.0)) / size
    return np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)


def _quanta(frequencies):
    """Energies of the quanta in eV, which of them count, and the share of a wave vector."""
    frequencies = ops.convert_to_tensor(frequencies)
    counts = frequencies > LOWEST
    quanta = QUANTUM * ops.where(counts, frequencies, 1.0)
    return quanta, ops.cast(counts, quanta.dtype), 1.0 / frequencies.shape[0]
