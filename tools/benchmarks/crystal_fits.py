"""The crystal experiments of Gangan et al. (2025): `keras-ff benchmark crystal-fits`.

The folder of the data holds SPOSCAR and FORCE_CONSTANTS_VASP of https://github.com/M3RG-IITD/Force-field-optimization.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk

import keras_ff as kff
from keras_ff.fitting import Fit, Target
from keras_ff.potentials import EDIP, StillingerWeber
from keras_ff.properties import ElasticConstants, ForceConstants, cubic, mandel
from keras_ff_tools.benchmarks.measure import row, timed

# In GPa, in the basis of `mandel`: C11, C12, 2 C44.
ELASTIC = (153.21414, 56.7969, 149.66528)

# Lattice constants in Å of the elastic experiments and of "both"; the phonon experiments have that of SPOSCAR.
LATTICE = {"SW": 5.431, "EDIP": 5.43}

# Printed: loss, and the two parameters at the optimum.
PRINTED = {
    ("SW", "elastic"): (22.536002, 1.935160954811, 33.786738320322),
    ("SW", "phonon"): (14.194132, 1.576510856061, 22.759370705003),
    ("SW", "both"): (99.954872, 1.809324318312, 34.619425665150),
    ("EDIP", "elastic"): (22.549845, 7.191596392526, 1.457774758363),
    ("EDIP", "phonon"): (14.335088, 5.710778624943, 0.746479371531),
    ("EDIP", "both"): (99.909573, 6.723988643174, 1.396547824744),
}


def fits(data: str, experiments: Sequence[tuple[str, str]] = tuple(PRINTED), steps: int = 200) -> None:
    """Fit two parameters of Stillinger-Weber and EDIP to elastic constants, force constants, and both.

    Args:
        data: Folder of SPOSCAR and FORCE_CONSTANTS_VASP.
        experiments: Those of `PRINTED` to do.
        steps: Most steps of a fit.
    """
    kff.enable_float64()
    folder = Path(data)
    supercell, constants = ase.io.read(folder / "SPOSCAR", format="vasp"), force_constants(folder / "FORCE_CONSTANTS_VASP")
    for name, experiment in experiments:
        loss, *optimum = PRINTED[name, experiment]
        model, names = start(name, experiment)
        fit = Fit(model, targets(model, name, experiment, supercell, constants))
        began = time.process_time()
        reached = fit.minimize(steps, tolerance=1e-14, verbose=0)["total"]
        spent = time.process_time() - began
        cpu, _ = timed(fit.evaluate, 10)
        parameters = model.potential.parameters()
        values = [float(parameters[one].ravel()[0]) for one in names]
        row(
            f"{name} {experiment}: loss, {', '.join(names)}",
            f"{reached:.6f}, {values[0]:.6f}, {values[1]:.6f}; printed {loss:.6f}, {optimum[0]:.6f}, {optimum[1]:.6f}; "
            f"{len(fit.history)} evaluations, {spent:.1f} CPU s with compilation, {1e3 * cpu:.2f} CPU ms for a gradient",
        )


def start(name: str, experiment: str) -> tuple[kff.ForceField, tuple[str, str]]:
    """A model with the parameters of the start, and the names of those that are fitted."""
    if name == "EDIP":
        return kff.ForceField(EDIP.silicon(train=["A", "lam"])), ("A", "lam")
    parameters = dict(StillingerWeber.silicon().start)
    parameters["epsilon"] = 2.16826
    if experiment == "phonon":
        # Lengths of the DFT lattice; the cutoff stays where it was.
        parameters["a"] = parameters["a"] * parameters["sigma"] / 2.123822
        parameters["sigma"] = 2.123822
    return kff.ForceField(StillingerWeber(["Si"], parameters, train=["epsilon", "lam"])), ("epsilon", "lam")


def targets(model: kff.ForceField, name: str, experiment: str, supercell: Atoms, constants: np.ndarray) -> dict[str, Target]:
    """What an experiment fits to, with the losses of the paper."""
    norm = {"scale": 1.0, "measure": "norm"}
    chosen = {}
    if experiment != "phonon":
        elastic = ElasticConstants(model, bulk("Si", a=LATTICE[name]))
        chosen["elastic"] = Target(elastic, cubic(*ELASTIC), transform=mandel, **norm)
    if experiment != "elastic":
        atoms = supercell.copy()
        if experiment == "both":
            atoms.set_cell(2 * LATTICE[name] * np.eye(3), scale_atoms=True)
        chosen["phonon"] = Target(ForceConstants(model, atoms), constants, **norm)
    return chosen


def force_constants(path: Path) -> np.ndarray:
    """Force constants `(3 atoms, 3 atoms)` in eV/Å² of a file of phonopy with all pairs."""
    lines = [line.split() for line in path.read_text().splitlines()]
    n = int(lines[0][0])
    blocks = np.array([line for line in lines if len(line) == 3], "float64").reshape(n, n, 3, 3)
    return blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
