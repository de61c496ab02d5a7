"""Phonons of silicon from two losses: `keras-ff benchmark dispersion`.

One target is the force constants of DFT, element by element; the other is its frequencies. The folder of the data holds SPOSCAR and
FORCE_CONSTANTS_VASP of https://github.com/M3RG-IITD/Force-field-optimization. A spline network is first trained on energies and
forces (bundled mlearn set), and both targets then fine-tune it for equally many steps, beside some of these data.
"""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
import keras
import numpy as np
from ase.build import bulk
from ase.data import atomic_masses
from ase.units import GPa

import keras_ff as kff
from keras_ff.fitting import DataTarget, Fit, Target
from keras_ff.potentials import SplineNetwork, StillingerWeber
from keras_ff.properties import CellLengths, ForceConstants, Phonons, mesh
from keras_ff.properties.phonons import THZ
from keras_ff_tools.benchmark import BUNDLED
from keras_ff_tools.benchmarks.crystal_fits import force_constants
from keras_ff_tools.benchmarks.measure import errors, mlearn, row, timed
from keras_ff_tools.benchmarks.spline_networks import fit as train

# Training steps on energies and forces, and of each fine-tuning.
TRAINING_STEPS, STEPS = 4000, 60
LEARNING_RATE = 1e-3
# A relative deviation that counts as much as the errors of `DataTarget`.
RELATIVE_ERROR = 0.01

# What is fitted to: force constants, some wave vectors of the supercell, all of them, and another mesh than the one that judges.
KINDS = ("force constants", "frequencies of Gamma, X, L", "frequencies of the supercell", "frequencies of a mesh")
FITTED_MESH, JUDGING_MESH = 6, 8

# Lattice constant in Å of silicon with the published parameters of Stillinger and Weber.
LATTICE = 5.430949778405213


class Reference:
    """Phonons of DFT.

    Args:
        folder: Folder of SPOSCAR and FORCE_CONSTANTS_VASP.

    Attributes:
        cell: Primitive cell of the crystal, 2 atoms.
        supercell: The crystal with 64 atoms.
        constants: Its force constants, `(192, 192)` in eV/Å².
        wave_vectors: The 32 that the supercell holds, `(32, 3)` in units of the reciprocal vectors of the primitive cell: for these
            the frequencies are exact.
        zone_boundary: Which of them are Gamma, X and L.
    """

    def __init__(self, folder: str | Path):
        self.supercell = ase.io.read(Path(folder) / "SPOSCAR", format="vasp")
        self.constants = force_constants(Path(folder) / "FORCE_CONSTANTS_VASP")
        a = self.supercell.cell[0, 0] / 2
        self.cell = bulk("Si", a=a)
        numbers = np.array(list(itertools.product(range(4), repeat=3)))
        self.wave_vectors = waves = np.unique((numbers @ self.cell.cell.array.T / (2 * a)) % 1.0, axis=0)
        # Twice a wave vector of these is a reciprocal vector.
        self.zone_boundary = np.abs(2 * waves - np.round(2 * waves)).max(axis=1) < 1e-9

    def frequencies(self, wave_vectors: np.ndarray) -> np.ndarray:
        """Frequencies `(wave vectors, 6)` in THz, ascending; between the wave vectors of the supercell the usual interpolation."""
        n, positions = len(self.supercell), self.supercell.positions
        phi = self.constants.reshape(n, 3, n, 3)
        # Two atoms at the distance of a bond are a cell; the others belong to the sublattice of the one or the other.
        first = 0
        second = int(np.argmin(self.supercell.get_distances(first, range(n), mic=True) + 1e3 * (np.arange(n) == first)))
        shifts = (positions - positions[first]) @ np.linalg.inv(self.cell.cell.array)
        on_first = np.abs(shifts - np.round(shifts)).max(axis=1) < 1e-3
        images = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ self.supercell.cell.array
        waves = 2.0 * np.pi * np.asarray(wave_vectors) @ np.linalg.inv(self.cell.cell.array).T
        matrices = np.zeros((len(waves), 2, 3, 2, 3), complex)
        for index, i in enumerate((first, second)):
            for j in range(n):
                vectors = positions[j] - positions[i] + images
                lengths = np.linalg.norm(vectors, axis=1)
                # Images at equal distances share the force constant.
                phases = np.exp(1j * waves @ vectors[lengths < lengths.min() + 1e-3].T).mean(axis=1)
                matrices[:, index, :, 0 if on_first[j] else 1] += phases[:, None, None] * phi[i, :, j]
        values = np.linalg.eigvalsh(matrices.reshape(-1, 6, 6)) / atomic_masses[14]
        return THZ * np.sign(values) * np.sqrt(np.abs(values))


SETS = (("epsilon", "lam"), ("epsilon", "sigma", "lam", "gamma", "a", "A", "B", "p", "q"))


def classical(data: str, sets: Sequence[Sequence[str]] = SETS, kinds: Sequence[str] = KINDS, steps: int = 200) -> None:
    """Stillinger-Weber silicon fitted to force constants or frequencies, with few and with all parameters.

    Args:
        data: Folder of SPOSCAR and FORCE_CONSTANTS_VASP.
        sets: Names of the parameters of each fit.
        kinds: Those of `KINDS` to fit to.
        steps: Most steps of a fit.
    """
    kff.enable_float64()
    reference = Reference(data)
    published = StillingerWeber.silicon()
    judge("SW published", kff.ForceField(published), reference)
    # Two parameters leave the lattice alone, which is that of DFT by the choice of sigma; more parameters are held to it.
    scaled = published.start["sigma"] * reference.cell.cell.lengths()[0] / bulk("Si", a=LATTICE).cell.lengths()[0]
    for names in sets:
        for kind in kinds:
            # The cutoff leaves room for larger sigma and a.
            potential = StillingerWeber(["Si"], {**published.start, "sigma": scaled}, cutoff=4.3, train=list(names))
            model = kff.ForceField(potential)
            targets = {kind: target(kind, model, reference)}
            if len(names) > 2:
                targets["lattice"] = Target(CellLengths(model, reference.cell), reference.cell.cell.lengths(), scale=1e-4)
            Fit(model, targets).minimize(steps, verbose=0)
            judge(f"SW, {len(names)} parameters, {kind}", model, reference)


def networks(data: str, steps: int = STEPS, training_steps: int = TRAINING_STEPS, kinds: Sequence[str] = KINDS) -> None:
    """A spline network fine-tuned to force constants or frequencies, beside energies and forces.

    Args:
        data: Folder of SPOSCAR and FORCE_CONSTANTS_VASP.
        steps: Number of steps of each fine-tuning.
        training_steps: Number of training steps before.
        kinds: Those of `KINDS` to fit to.
    """
    kff.enable_float64()
    reference = Reference(data)
    keras.utils.set_random_seed(0)
    start = kff.ForceField(SplineNetwork(["Si"], 5.2, units=(32, 32), dtype="float32"), dtype="float32")
    train(start, mlearn(BUNDLED, "Si", "train"), training_steps)
    judge("s-NNP, energies and forces", kff.models.astype(start, "float64"), reference)
    structures = mlearn(BUNDLED, "Si", "train")[::9]
    for kind in ("data alone", *kinds):
        model = kff.models.astype(start, "float64")
        targets = {"data": DataTarget(structures, model)}
        if kind != "data alone":
            targets[kind] = target(kind, model, reference)
        fit = Fit(model, targets)
        began = time.process_time()
        fit.train(keras.optimizers.Adam(kff.training.one_cycle(LEARNING_RATE, steps)), steps, verbose=0)
        spent = time.process_time() - began
        cpu, _ = timed(fit.evaluate, 3)
        judge(f"s-NNP, {kind}", model, reference)
        row(f"s-NNP, {kind}: cost", f"{steps} steps in {spent:.0f} CPU s, {1e3 * cpu:.0f} CPU ms for a gradient")


def target(kind: str, model: kff.ForceField, reference: Reference) -> Target:
    """What a fit of a kind of `KINDS` aims at."""
    scale = {"scale": 1.0, "weight": RELATIVE_ERROR**-2}
    if kind == "force constants":
        scale["scale"] = np.sqrt(np.mean(reference.constants**2))
        return Target(ForceConstants(model, reference.supercell), reference.constants, **scale)
    chosen = {
        "frequencies of Gamma, X, L": reference.wave_vectors[reference.zone_boundary],
        "frequencies of the supercell": reference.wave_vectors,
        "frequencies of a mesh": mesh(FITTED_MESH),
    }[kind]
    value = reference.frequencies(chosen)
    scale["scale"] = np.sqrt(np.mean(value**2))
    return Target(Phonons(model, reference.cell, chosen), value, **scale)


def judge(name: str, model: kff.ForceField, reference: Reference) -> None:
    """Print errors of frequencies at Gamma, X and L, at the other wave vectors of the supercell, and on a mesh; the pressure."""
    groups = (
        reference.wave_vectors[reference.zone_boundary],
        reference.wave_vectors[~reference.zone_boundary],
        mesh(JUDGING_MESH),
    )
    wave_vectors = np.concatenate(groups)
    differences = Phonons(model, reference.cell, wave_vectors)() - reference.frequencies(wave_vectors)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    deviations = [np.sqrt(np.mean(some**2)) for some in np.split(differences, ends)]
    atoms = reference.cell.copy()
    atoms.calc = kff.Calculator(model)
    text = f"{deviations[0]:.3f}, {deviations[1]:.3f}, {deviations[2]:.3f}; pressure {-atoms.get_stress()[:3].mean() / GPa:.2f} GPa"
    if not isinstance(model.potential, StillingerWeber):
        energy, forces = errors(model, mlearn(BUNDLED, "Si", "test"))
        text += f"; test MAE {energy:.2f} meV/atom, {forces:.1f} meV/Å"
    row(f"{name}: RMSE of frequencies in THz at Gamma X L, other wave vectors, mesh", text)
