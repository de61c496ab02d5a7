"""Averages over liquid silicon and fits to them: `keras-ff benchmark liquid`."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import keras
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from keras import ops

import keras_ff as kff
from keras_ff import backend
from keras_ff.fitting import DataTarget, Fit, Target
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import MeanEnergy, Pressure, RadialDistribution
from keras_ff.properties.base import Property
from keras_ff.simulation import Dynamics, Langevin, Sampling
from keras_ff_tools.benchmarks.measure import errors, mlearn, row

# LAMMPS, 216 atoms in a box of 16 Å, 2000 K, lambda = 20 and 22: energy in eV per atom and pressure in GPa, with standard errors.
LAMMPS = {
    "energy, eV/atom": ((-3.774012, 0.000836), (-3.669149, 0.002290)),
    "pressure, GPa": ((-1.563531, 0.107342), (2.133939, 0.075592)),
}
RADII = np.linspace(1.5, 5.3, 77)
TEMPERATURE, UNSEEN = 2530, 3374
BLOCKS = 40
# Weights of the distribution and of energies and forces in each fit.
FITS = {"energies and forces": (0.0, 0.1), "g(r)": (1.0, 0.0), "both": (30.0, 0.1)}


def derivatives(cells: int = 3, frames: int = 5000, every: int = 100, melting: int = 2000) -> None:
    """Derivatives of averages with respect to lambda, from the fluctuations of one simulation.

    Args:
        cells: Number of cubic cells of 8 atoms along each axis.
        frames: Number of frames.
        every: Number of steps of 1 fs between frames.
        melting: Number of steps of 1 fs that melt the crystal.
    """
    kff.enable_float64()
    model = kff.ForceField(StillingerWeber.silicon(train=["lam"]))
    began = time.process_time()
    hot = melt(model, cells, 16.0 / 3, melting)
    liquid = Sampling(
        model, hot, Langevin(2000.0, relaxation=200.0), frames=frames, every=every, equilibration=50 * every, verbose=0
    )
    spent = time.process_time() - began
    averages = {"energy, eV/atom": MeanEnergy(liquid), "pressure, GPa": Pressure(liquid)}
    values = {name: of_frames(liquid, average) for name, average in averages.items()}
    model.potential.set_parameters(lam=21.01)
    slopes = {name: (of_frames(liquid, average) - values[name]) / 0.01 for name, average in averages.items()}
    model.potential.set_parameters(lam=21.0)
    by_lam = len(hot) * slopes["energy, eV/atom"]
    for name, average in averages.items():
        slope = average.gradient(lambda x: x)[1][0].item() / 21.0
        # Blocks of time are taken out one by one.
        kept = [np.setdiff1d(np.arange(frames), block) for block in np.array_split(np.arange(frames), BLOCKS)]
        jackknife = np.array(
            [
                slopes[name][some].mean() - np.cov(values[name][some], by_lam[some], ddof=0)[0, 1] / (units.kB * 2000.0)
                for some in kept
            ]
        )
        error = np.sqrt((BLOCKS - 1) * jackknife.var())
        (low, low_error), (high, high_error) = LAMMPS[name]
        row(
            f"liquid silicon at 2000 K, {len(hot)} atoms, derivative of the mean {name} with respect to lambda, from "
            f"{frames * every / 1000:g} ps ({spent:.0f} CPU s)",
            f"{slope:.4f} ± {error:.4f}; LAMMPS, differences of 20 and 22: {(high - low) / 2:.4f} ± "
            f"{np.hypot(low_error, high_error) / 2:.4f}",
        )


def of_frames(sampling: Sampling, average: Property) -> np.ndarray:
    """What is averaged, of each frame, `(frames,)`."""
    function = backend.jit(lambda batch: sampling.of_frames_now(batch, average.of_structures), layer=sampling.model)
    return ops.convert_to_numpy(function(sampling.batch))


def fits(
    data: str,
    kinds: Mapping[str, tuple[float, float]] = FITS,
    steps: int = 100,
    frames: int = 200,
    judged: int = 10_000,
    cells: int = 2,
    melting: int = 2000,
) -> None:
    """Stillinger-Weber fitted to g(r) of DFT at 2530 K, with energies and forces; judged at 3374 K and by the test set.

    Args:
        data: Folder of the mlearn set.
        kinds: What is fitted to, with the weights in the loss.
        steps: Number of steps of a fit.
        frames: Number of frames of a simulation in the fit.
        judged: Number of steps of 1 fs of the simulations that judge.
        cells: Number of cubic cells of 8 atoms along each axis.
        melting: Number of steps of 1 fs that melt the crystal.
    """
    kff.enable_float64()
    structures, test = (mlearn(data, "Si", part) for part in ("train", "test"))
    snapshots = {t: [atoms for atoms in structures if is_bulk(atoms, t)] for t in (TEMPERATURE, UNSEEN)}
    known = {t: RadialDistribution.of_trajectory(some, RADII) for t, some in snapshots.items()}
    lattice = snapshots[TEMPERATURE][0].cell.lengths()[0] / 2
    for name, weights in kinds.items():
        model = kff.ForceField(StillingerWeber.silicon(train=["epsilon", "sigma", "lam", "gamma", "B", "p"], cutoff=4.3))
        model.fit_reference_energies(kff.data.Dataset(structures, model, batch_size=8))
        before = judge(model, partial(melt, model, cells, lattice, melting), known, test, judged)
        liquid = Sampling(
            model, melt(model, 2, lattice), Langevin(TEMPERATURE, relaxation=50.0), frames=frames, every=50, verbose=0
        )
        targets = {
            "distribution": Target(RadialDistribution(liquid, RADII), known[TEMPERATURE], weight=weights[0]),
            "data": DataTarget(structures[::4], model, energy_error=0.03, forces_error=0.3, weight=weights[1]),
        }
        began = time.process_time()
        fit = Fit(model, {key: target for key, target in targets.items() if target.weight})
        fit.train(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, steps)), steps, verbose=0)
        spent = time.process_time() - began
        after = judge(model, partial(melt, model, cells, lattice, melting), known, test, judged)
        row(
            f"Stillinger-Weber, six parameters, fitted to {name} of DFT: relative squared error of g(r) at {TEMPERATURE} K and, "
            f"unseen, at {UNSEEN} K; energy (meV/atom) and forces (meV/Å) of the test set",
            f"{text(before)} -> {text(after)}; {liquid.simulations} simulations, {spent:.0f} CPU s",
        )


def judge(
    model: kff.ForceField, melted: Callable[[], Atoms], known: Mapping[int, np.ndarray], test: Sequence[Atoms], steps: int
) -> tuple[float, ...]:
    """Errors of the distributions, and of energies and forces."""
    deviations = []
    for temperature, expected in known.items():
        dynamics = Dynamics(model, melted(), Langevin(temperature, relaxation=50.0))
        dynamics.run(steps // 5, every=0, verbose=0)
        mine = RadialDistribution.of_trajectory(dynamics.run(steps, every=20, verbose=0), RADII)
        deviations.append(((mine - expected) ** 2).sum() / (expected**2).sum())
    return (*deviations, *errors(model, test))


def melt(model: kff.ForceField, cells: int, lattice: float, steps: int) -> Atoms:
    """Silicon after steps of 1 fs at 4000 K, so many cubic cells of 8 atoms along each axis."""
    dynamics = Dynamics(model, bulk("Si", a=lattice, cubic=True) * (cells, cells, cells), Langevin(4000.0, relaxation=50.0))
    dynamics.run(steps, every=0, verbose=0)
    return dynamics.atoms


def is_bulk(atoms: Atoms, temperature: float) -> bool:
    """Whether a structure is of the molecular dynamics at a temperature."""
    return atoms.info["group"] == "AIMD-NVT" and f"at {temperature} K" in atoms.info["description"]


def text(errors: Sequence[float]) -> str:
    """What `judge` returns in words."""
    return f"{errors[0]:.1e}, {errors[1]:.1e}, {errors[2]:.0f}, {errors[3]:.0f}"
