"""Structures made by gradient: where the members of an ensemble disagree at an energy that is plausible."""

import numpy as np
from ase import units
from ase.data import covalent_radii
from ase.optimize import FIRE
from keras import ops

from keras_ff import backend
from keras_ff.active.picking import check_ensemble
from keras_ff.data import neighbor_list
from keras_ff.interfaces.ase import Calculator
from keras_ff.models.force_field import stress

# A first displacement of the atoms in Å: at a symmetric point the spread has no slope.
FIRST_STEP = 0.02

# Å² of (eV/Å)², so that the logarithm of no spread at all is finite.
SMALLEST_VARIANCE = 1e-12


class UncertaintyBias(Calculator):
    """A `Calculator` whose energy falls where the members of an ensemble disagree:

        U = E - N k T ln σ,    σ² the mean over the N atoms of the variances of the forces, in (eV/Å)²

    Its minimum is the structure that maximises σ exp(-E / (N k T)). Minimisers and molecular dynamics of ASE on it look for
    structures that a model should learn; forces and stress are the derivatives of U. The spreads are those of the model.

    Args:
        model: `Ensemble`.
        temperature: In K: the mean potential energy per atom, in units of k, that the search is willing to pay for a factor e in σ.

    Raises:
        ValueError: If the model is no `Ensemble`, or the temperature is not positive.

    Reference:
        Schwalbe-Koda, Tan and Gómez-Bombarelli, Nat. Commun. 12, 5104 (2021), with the energy per atom in the place of that of the
        structure, so that it means the same for cells of any size.
    """

    def __init__(self, model, temperature, **kwargs):
        check_ensemble(model)
        if not temperature > 0:
            raise ValueError(f"The temperature is positive, in K. Received temperature={temperature}.")
        self.temperature = float(temperature)
        super().__init__(model, **kwargs)

    def _compile(self):
        model, kT = self.force_field, units.kB * self.temperature

        def biased(batch):
            def total(geometry):
                positions, cell = geometry
                outputs = model.atomic({**batch, "positions": positions, "cell": cell})
                variance = ops.mean(outputs["forces_std"] ** 2)
                energies = outputs["energies"] - 0.5 * kT * ops.log(variance + SMALLEST_VARIANCE)
                return ops.sum(energies), {**outputs, "energies": energies}

            geometry = (batch["positions"], batch["cell"])
            (_, outputs), gradients = backend.value_and_grad(total, has_aux=True)(geometry)
            # Strain moves the atoms and the cell vectors alike.
            strain = sum(ops.einsum("sai,saj->sij", x, gradient) for x, gradient in zip(geometry, gradients))
            spreads = {name: outputs[name] for name in ("energy_std", "forces_std", "stress_std")}
            return {"energies": outputs["energies"], "forces": -gradients[0], "stress": stress(strain, batch["cell"]), **spreads}

        self._function = backend.jit(biased, layer=model)


def adversarial(model, atoms, temperature=1000.0, steps=50, closest=0.7, seed=0):
    """A structure where the members of an ensemble disagree, found from another by following the gradient of the disagreement.

    Atoms move downhill in `UncertaintyBias`, in a cell that stays.

    Args:
        model: `Ensemble`.
        atoms: `ase.Atoms` to start from.
        temperature: In K, see `UncertaintyBias`.
        steps: Most steps of the search (FIRE of ASE).
        closest: The search ends before two atoms come closer than this part of the sum of their covalent radii: a first-principles
            program does not converge there.
        seed: Of the small displacements at the start.

    Returns:
        `ase.Atoms` without labels; `info["uncertainty"]` has σ in eV/Å before and after.

    Raises:
        ValueError: See `UncertaintyBias`. If atoms are too close at the start.
    """
    found = atoms.copy()
    found.calc = UncertaintyBias(model, temperature)
    found.positions += np.random.default_rng(seed).normal(scale=FIRST_STEP, size=found.positions.shape)
    if _too_close(found, closest):
        raise ValueError(
            f"Atoms of {atoms.get_chemical_formula()} are closer than {closest} of the sum of their covalent radii at the start. "
            "Give another structure, or a smaller closest=."
        )
    before, kept = _spread(found), found.positions.copy()
    for _ in FIRE(found, logfile=None, maxstep=0.1).irun(fmax=1e-3, steps=steps):
        if _too_close(found, closest) or not np.isfinite(found.get_forces()).all():
            found.positions = kept
            break
        kept = found.positions.copy()
    after = _spread(found)
    found.calc = None
    found.info["uncertainty"] = [before, after]
    return found


def _spread(atoms):
    atoms.get_potential_energy()
    return float(np.sqrt(np.mean(atoms.calc.results["forces_std"] ** 2)))


def _too_close(atoms, closest):
    radii = closest * covalent_radii[atoms.numbers]
    i, j, shifts = neighbor_list(atoms, 2.0 * radii.max())
    vectors = atoms.positions[j] - atoms.positions[i] + shifts @ atoms.cell.array
    return bool(np.any(np.linalg.norm(vectors, axis=1) < radii[i] + radii[j]))
