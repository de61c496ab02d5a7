"""Vibrations seen in the velocities of a simulation."""

import numpy as np
from keras import ops

from keras_ff import backend
from keras_ff.properties.averages import Average


class VelocityAutocorrelation(Average):
    """Correlation of velocities with later ones, weighted by mass, `(lags,)`; 1 at the lag 0.

    The lags are the multiples of the distance in time between frames, the time step times `every` of the rollout.

    Args:
        rollout: `keras_ff.simulation.Rollout`.
        longest: Number of lags; half of the frames by default.

    Raises:
        ValueError: If there are not that many frames, or there is no rollout: times are lost among frames drawn from equilibrium.
    """

    def __init__(self, rollout, longest=None):
        if not hasattr(rollout, "frames"):
            raise ValueError(f"Velocities are followed through a Rollout. Received {type(rollout).__name__}.")
        frames = rollout.steps // rollout.every
        self.longest = checked_lags(longest, frames)
        self.interval = rollout.timestep * rollout.every
        super().__init__(rollout)

    def compute(self, batch):
        velocities = self.source.frames(batch["source"])["velocities"][self.source.every - 1 :: self.source.every]
        return autocorrelation(velocities, self.source.atoms.get_masses(), self.longest)


class VibrationalDensity(VelocityAutocorrelation):
    """Vibrational density of states, `(frequencies,)` in 1/THz, the spectrum of the velocities; its integral is 1.

    Args:
        rollout: `keras_ff.simulation.Rollout`.
        frequencies: In THz, `(frequencies,)`.
        longest: Number of lags, which sets the resolution; half of the frames by default.
    """

    def __init__(self, rollout, frequencies, longest=None):
        self.frequencies = np.asarray(frequencies, dtype="float64")
        super().__init__(rollout, longest)

    def compute(self, batch):
        return spectrum(super().compute(batch), self.interval, self.frequencies)


def velocity_autocorrelation(trajectory, longest=None):
    """Of a stored trajectory, NumPy `(lags,)`; see `VelocityAutocorrelation`.

    Args:
        trajectory: `keras_ff.simulation.Trajectory`.
        longest: Number of lags; half of the frames by default.
    """
    longest = checked_lags(longest, len(trajectory))
    masses = trajectory.atoms.get_masses()
    found = backend.jit(lambda velocities: autocorrelation(velocities, masses, longest))(trajectory.velocities)
    return ops.convert_to_numpy(found)


def vibrational_density(trajectory, frequencies, longest=None):
    """Of a stored trajectory, NumPy `(frequencies,)` in 1/THz; see `VibrationalDensity`.

    Args:
        trajectory: `keras_ff.simulation.Trajectory`.
        frequencies: In THz.
        longest: Number of lags; half of the frames by default.
    """
    correlation = velocity_autocorrelation(trajectory, longest)
    return ops.convert_to_numpy(spectrum(ops.convert_to_tensor(correlation), trajectory.interval, frequencies))


def autocorrelation(velocities, masses, longest):
    """Mass-weighted correlation `(lags,)` of velocities `(frames, atoms, 3)`, 1 at the lag 0: by fast Fourier transform."""
    frames = velocities.shape[0]
    roots = ops.convert_to_tensor(np.sqrt(masses)[:, None], dtype=velocities.dtype)
    rows = ops.transpose(ops.reshape(velocities * roots, (frames, -1)))
    # Zeros after the end keep it from meeting the start.
    rows = ops.pad(rows, [(0, 0), (0, frames)])
    real, imaginary = ops.rfft(rows)
    power = ops.sum(real * real + imaginary * imaginary, axis=0)
    products = ops.irfft((power[None], ops.zeros_like(power[None])), fft_length=2 * frames)[0, :longest]
    correlation = products / ops.convert_to_tensor(frames - np.arange(longest), dtype=products.dtype)
    return correlation / correlation[0]


def spectrum(correlation, interval, frequencies):
    """Cosine transform of a correlation `(lags,)` under Hann's window, `(frequencies,)` in 1/THz; interval in fs, THz."""
    lags = np.arange(correlation.shape[0])
    window = 0.5 * (1.0 + np.cos(np.pi * lags / len(lags)))
    # Of the lag 0 only half lies at positive times.
    window[0] *= 0.5
    picoseconds = 1e-3 * interval
    waves = 4.0 * picoseconds * window * np.cos(2.0 * np.pi * np.asarray(frequencies)[:, None] * picoseconds * lags)
    return ops.matmul(ops.convert_to_tensor(waves, dtype=correlation.dtype), correlation[:, None])[:, 0]


def checked_lags(longest, frames):
    """The number of lags, or a ValueError."""
    longest = frames // 2 if longest is None else int(longest)
    if not 1 < longest <= frames:
        raise ValueError(f"Of {frames} frames at most {frames} lags are known, and two are needed. Received longest={longest}.")
    return longest
