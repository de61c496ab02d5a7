"""Phonon densities of states and thermodynamic functions of a harmonic crystal, from its frequencies."""

import numpy as np
from ase.units import _e, _hplanck, kB
from keras import ops

# Energy in eV of a quantum with a frequency of 1 THz.
QUANTUM = _hplanck * 1e12 / _e

# Thermodynamic functions leave out frequencies below this, in THz, and imaginary ones.
LOWEST = 1e-2


def density_of_states(frequencies, at, width: float = 0.15):
    """Phonon density of states of a crystal in modes per THz and cell, `(points,)`, with each frequency smeared by a Gaussian.

    Args:
        frequencies: `(wave vectors, modes)` in THz, such as `Phonons(model, atoms, mesh(12))()`.
        at: Frequencies at which the density is computed, `(points,)` in THz.
        width: Standard deviation of the Gaussian in THz.

    Returns:
        Tensor `(points,)`; its integral is the number of modes, 3 atoms.

    Example:
        >>> import keras_ff as kff
        >>> density = kff.properties.density_of_states([[5.0, 10.0, 10.0]], at=[5.0, 7.5, 10.0], width=0.5)
        >>> [round(float(value), 2) for value in density]
        [0.8, 0.0, 1.6]
    """
    frequencies = ops.convert_to_tensor(frequencies)
    distance = (ops.convert_to_tensor(at, dtype=frequencies.dtype)[:, None] - ops.reshape(frequencies, (1, -1))) / width
    return ops.sum(ops.exp(-0.5 * distance * distance), axis=1) / (width * np.sqrt(2.0 * np.pi) * frequencies.shape[0])


def free_energy(frequencies, temperature: float):
    """Helmholtz free energy of the vibrations of a harmonic crystal per cell, in eV, zero-point energy included.

    Frequencies below 0.01 THz and imaginary ones are left out.

    Args:
        frequencies: `(wave vectors, modes)` in THz, on an even mesh: `Phonons(model, atoms, mesh(12))()`.
        temperature: Temperature in K.

    Returns:
        Scalar tensor.

    Example:
        >>> import keras_ff as kff
        >>> frequencies = [[5.0, 10.0, 15.0]]
        >>> round(float(kff.properties.free_energy(frequencies, 300.0)), 4)
        0.0383

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 4.
    """
    quanta, counts, weight = _quanta(frequencies)
    thermal = kB * temperature
    return weight * ops.sum(counts * (0.5 * quanta + thermal * ops.log1p(-ops.exp(-quanta / thermal))))


def entropy(frequencies, temperature: float):
    """Vibrational entropy of a harmonic crystal per cell, in eV/K.

    Frequencies below 0.01 THz and imaginary ones are left out.

    Args:
        frequencies: `(wave vectors, modes)` in THz, on an even mesh: `Phonons(model, atoms, mesh(12))()`.
        temperature: Temperature in K.

    Returns:
        Scalar tensor; times 96485.33 in J/K per mole of cells.

    Example:
        >>> import keras_ff as kff
        >>> frequencies = [[5.0, 10.0, 15.0]]
        >>> round(float(kff.properties.entropy(frequencies, 300.0)), 7)
        0.0001908

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 4.
    """
    quanta, counts, weight = _quanta(frequencies)
    x = quanta / (kB * temperature)
    return weight * kB * ops.sum(counts * (x / ops.expm1(x) - ops.log1p(-ops.exp(-x))))


def heat_capacity(frequencies, temperature: float):
    """Vibrational heat capacity of a harmonic crystal per cell at constant volume, in eV/K.

    Frequencies below 0.01 THz and imaginary ones are left out.

    Args:
        frequencies: `(wave vectors, modes)` in THz, on an even mesh: `Phonons(model, atoms, mesh(12))()`.
        temperature: Temperature in K.

    Returns:
        Scalar tensor; times 96485.33 in J/K per mole of cells.

    Example:
        >>> import keras_ff as kff
        >>> frequencies = [[5.0, 10.0, 15.0]]
        >>> round(float(kff.properties.heat_capacity(frequencies, 300.0)), 7)
        0.0002061

    Reference:
        Born and Huang, Dynamical Theory of Crystal Lattices (1954), section 4.
    """
    quanta, counts, weight = _quanta(frequencies)
    x = quanta / (kB * temperature)
    return weight * kB * ops.sum(counts * x * x * ops.exp(x) / ops.expm1(x) ** 2)


def mesh(size: int, shift: bool = True) -> np.ndarray:
    """Wave vectors of an even mesh in the Brillouin zone, NumPy `(size**3, 3)`, as multiples of the reciprocal lattice vectors.

    Args:
        size: Number of points along each reciprocal lattice vector.
        shift: Whether the mesh keeps half a step away from the zone center, where three frequencies are 0.

    Returns:
        Array of wave vectors for `Phonons`.

    Example:
        >>> import keras_ff as kff
        >>> kff.properties.mesh(2).shape
        (8, 3)
        >>> kff.properties.mesh(2)[0].tolist(), kff.properties.mesh(2, shift=False)[0].tolist()
        ([0.25, 0.25, 0.25], [0.0, 0.0, 0.0])

    Reference:
        Monkhorst and Pack, Phys. Rev. B 13, 5188 (1976).
    """
    along = (np.arange(size) + (0.5 if shift else 0.0)) / size
    return np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)


def _quanta(frequencies):
    """Energies of the quanta in eV, 1 for those that count and 0 for the others, and one over the number of wave vectors."""
    frequencies = ops.convert_to_tensor(frequencies)
    counts = frequencies > LOWEST
    quanta = QUANTUM * ops.where(counts, frequencies, 1.0)
    return quanta, ops.cast(counts, quanta.dtype), 1.0 / frequencies.shape[0]
