"""Vibrations from the velocities of a simulation: autocorrelation function and vibrational density of states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.properties.averages import Average
from keras_ff.simulation.rollout import Rollout

if TYPE_CHECKING:
    from keras_ff.simulation import Trajectory


class VelocityAutocorrelation(Average):
    """Velocity autocorrelation function of a short trajectory, `(lags,)`, weighted by mass and normalized to 1 at lag 0.

    It is differentiable with respect to the weights of the model, backward through the simulation. The lags are multiples of the
    time between frames: the time step times `every` of the rollout. `VelocityAutocorrelation.of_trajectory` is that of a stored
    trajectory.

        rollout = keras_ff.simulation.Rollout(model, atoms, steps=200)
        correlation = VelocityAutocorrelation(rollout)

    Args:
        rollout: `keras_ff.simulation.Rollout`.
        lags: Number of lags; by default half the number of frames.

    Raises:
        ValueError: If the rollout has fewer frames than lags, or something else is given: frames drawn from equilibrium have no
            order in time.

    Reference:
        Allen and Tildesley, Computer Simulation of Liquids (2017), section 2.7.
    """

    def __init__(self, rollout: Rollout, lags: int | None = None):
        if not isinstance(rollout, Rollout):
            raise ValueError(f"Autocorrelation needs frames in order of time: give a Rollout. Received {type(rollout).__name__}.")
        frames = rollout.steps // rollout.every
        self.lags = checked_lags(lags, frames)
        self.interval = rollout.timestep * rollout.every
        super().__init__(rollout)

    def compute(self, batch: dict):
        """Compute the autocorrelation function of the trajectory, `(lags,)`."""
        velocities = self.source.frames(batch["source"])["velocities"][self.source.every - 1 :: self.source.every]
        return autocorrelation(velocities, self.source.atoms.get_masses(), self.lags)

    @staticmethod
    def of_trajectory(trajectory: Trajectory, lags: int | None = None) -> np.ndarray:
        """Compute the autocorrelation function of a stored trajectory, without a model, NumPy `(lags,)`.

        Args:
            trajectory: `keras_ff.simulation.Trajectory`.
            lags: Number of lags, multiples of the time between frames; by default half the number of frames.

        Returns:
            Array `(lags,)`.

        Raises:
            ValueError: If the trajectory has fewer frames than lags.

        Example:
            An atom that swings with 10 THz, a frame every 25 fs: after two frames the velocity has changed sign.

            >>> import keras_ff as kff
            >>> from ase import Atoms
            >>> trajectory = kff.simulation.Trajectory(Atoms("Si"), interval=25.0)
            >>> trajectory.velocities = np.cos(2 * np.pi * 0.25 * np.arange(40)).reshape(40, 1, 1) * [1.0, 0.0, 0.0]
            >>> trajectory.positions = np.zeros((40, 1, 3))
            >>> kff.properties.VelocityAutocorrelation.of_trajectory(trajectory, lags=3).round(1).tolist()[::2]
            [1.0, -1.0]
        """
        lags = checked_lags(lags, len(trajectory))
        masses = trajectory.atoms.get_masses()
        correlation = backend.jit(lambda velocities: autocorrelation(velocities, masses, lags))(trajectory.velocities)
        return ops.convert_to_numpy(correlation)


class VibrationalDensity(VelocityAutocorrelation):
    """Vibrational density of states of a short trajectory in 1/THz, `(frequencies,)`: the spectrum of its velocities.

    Its integral over all positive frequencies is 1. It is differentiable with respect to the weights of the model, backward through
    the simulation. `VibrationalDensity.of_trajectory` is that of a stored trajectory.

    Args:
        rollout: `keras_ff.simulation.Rollout`.
        frequencies: Frequencies at which the density is computed, `(frequencies,)` in THz.
        lags: Number of lags of the autocorrelation function, which sets the resolution; by default half the number of frames.

    Raises:
        ValueError: As `VelocityAutocorrelation`.

    Reference:
        Dickey and Paskin, Phys. Rev. 188, 1407 (1969).
    """

    def __init__(self, rollout: Rollout, frequencies: Sequence[float], lags: int | None = None):
        self.frequencies = np.asarray(frequencies, dtype="float64")
        super().__init__(rollout, lags)

    @property
    def abscissa(self) -> tuple[str, np.ndarray]:
        """Label of the horizontal axis of a figure, and the frequencies on it."""
        return "frequency (THz)", self.frequencies

    def compute(self, batch: dict):
        """Compute the vibrational density of states of the trajectory, `(frequencies,)` in 1/THz."""
        return spectrum(super().compute(batch), self.interval, self.frequencies)

    @staticmethod
    def of_trajectory(trajectory: Trajectory, frequencies: Sequence[float], lags: int | None = None) -> np.ndarray:
        """Compute the density of states of a stored trajectory, without a model, NumPy `(frequencies,)` in 1/THz.

        Args:
            trajectory: `keras_ff.simulation.Trajectory`.
            frequencies: Frequencies at which the density is computed, `(frequencies,)` in THz.
            lags: Number of lags of the autocorrelation function, which sets the resolution; by default half the number of frames.

        Returns:
            Array `(frequencies,)`; its integral over all positive frequencies is 1.

        Raises:
            ValueError: If the trajectory has fewer frames than lags.

        Example:
            An atom that swings with 10 THz, a frame every 10 fs:

            >>> import keras_ff as kff
            >>> from ase import Atoms
            >>> trajectory = kff.simulation.Trajectory(Atoms("Si"), interval=10.0)
            >>> trajectory.velocities = np.cos(2 * np.pi * 0.1 * np.arange(400)).reshape(400, 1, 1) * [1.0, 0.0, 0.0]
            >>> trajectory.positions = np.zeros((400, 1, 3))
            >>> frequencies = [8.0, 9.0, 10.0, 11.0, 12.0]
            >>> density = kff.properties.VibrationalDensity.of_trajectory(trajectory, frequencies)
            >>> frequencies[density.argmax()]
            10.0
        """
        correlation = VelocityAutocorrelation.of_trajectory(trajectory, lags)
        return ops.convert_to_numpy(spectrum(ops.convert_to_tensor(correlation), trajectory.interval, frequencies))


def autocorrelation(velocities, masses: np.ndarray, lags: int):
    """Autocorrelation function of velocities by fast Fourier transform, `(lags,)`, weighted by mass and 1 at lag 0.

    Args:
        velocities: `(frames, atoms, 3)` in any unit.
        masses: `(atoms,)` in any unit.
        lags: Number of lags.

    Returns:
        Tensor `(lags,)`.
    """
    frames = velocities.shape[0]
    roots = ops.convert_to_tensor(np.sqrt(masses)[:, None], dtype=velocities.dtype)
    rows = ops.transpose(ops.reshape(velocities * roots, (frames, -1)))
    # Zeros after the end: the transform is periodic, and the end must not be correlated with the start.
    rows = ops.pad(rows, [(0, 0), (0, frames)])
    real, imaginary = ops.rfft(rows)
    power = ops.sum(real * real + imaginary * imaginary, axis=0)
    products = ops.irfft((power[None], ops.zeros_like(power[None])), fft_length=2 * frames)[0, :lags]
    correlation = products / ops.convert_to_tensor(frames - np.arange(lags), dtype=products.dtype)
    return correlation / correlation[0]


def spectrum(correlation, interval: float, frequencies):
    """Cosine transform of an autocorrelation function under a Hann window, `(frequencies,)` in 1/THz.

    Args:
        correlation: `(lags,)`.
        interval: Time between two lags in fs.
        frequencies: `(frequencies,)` in THz.

    Returns:
        Tensor `(frequencies,)`.
    """
    lags = np.arange(correlation.shape[0])
    window = 0.5 * (1.0 + np.cos(np.pi * lags / len(lags)))
    # Only half of lag 0 lies at positive times.
    window[0] *= 0.5
    picoseconds = 1e-3 * interval
    waves = 4.0 * picoseconds * window * np.cos(2.0 * np.pi * np.asarray(frequencies)[:, None] * picoseconds * lags)
    return ops.matmul(ops.convert_to_tensor(waves, dtype=correlation.dtype), correlation[:, None])[:, 0]


def checked_lags(lags: int | None, frames: int) -> int:
    """Return the number of lags: what is asked for, or half the number of frames.

    Raises:
        ValueError: If it is less than two or more than the number of frames.
    """
    lags = frames // 2 if lags is None else int(lags)
    if not 1 < lags <= frames:
        raise ValueError(f"From {frames} frames between 2 and {frames} lags can be computed. Received lags={lags}.")
    return lags
