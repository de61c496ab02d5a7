"""Adversarial structures: where the members of an ensemble disagree, at a plausible energy, found by following gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import units
from ase.data import covalent_radii
from ase.optimize import FIRE
from keras import ops

from keras_ff import backend
from keras_ff.active.picking import check_ensemble
from keras_ff.arguments import positive
from keras_ff.compiled import compiled
from keras_ff.data import neighbor_list
from keras_ff.interfaces.ase import Calculator
from keras_ff.models.force_field import stress

if TYPE_CHECKING:
    from ase import Atoms

    from keras_ff.models import Ensemble

# Random displacement of the atoms at the start in Å: at a symmetric point the disagreement has no gradient.
FIRST_STEP = 0.02

# Added to the variance, in (eV/Å)², so that the logarithm is finite where all members agree.
SMALLEST_VARIANCE = 1e-12


class UncertaintyBias(Calculator):
    """ASE calculator whose energy is low where the members of an ensemble disagree, to search for structures worth learning.

        U = E - N k T ln σ,    σ² the mean over the N atoms of the variances of the force components, in (eV/Å)²

    Its minimum is the structure with the largest σ exp(-E / (N k T)): a large disagreement at a plausible energy. Optimizers and
    molecular dynamics of ASE run on it; forces and stress are the derivatives of U. The results `energy_std`, `forces_std` and
    `stress_std` are those of the ensemble.

        atoms.calc = UncertaintyBias(model, temperature=1000)
        ase.optimize.FIRE(atoms).run(steps=50)

    `adversarial` does that in one call, and stops before atoms come too close.

    Args:
        model: `Ensemble`.
        temperature: Temperature T in K: an increase of the energy per atom by kT outweighs a growth of σ by a factor of e.
        **kwargs: Other arguments of `keras_ff.Calculator`.

    Raises:
        ValueError: If the model is not an `Ensemble`, or the temperature is not positive.

    Reference:
        Schwalbe-Koda, Tan and Gómez-Bombarelli, Nat. Commun. 12, 5104 (2021), with the energy per atom in place of the energy of
        the structure, so that the temperature means the same for cells of any size.
    """

    def __init__(self, model: Ensemble, temperature: float, **kwargs):
        check_ensemble(model)
        self.temperature = positive("temperature", temperature, "K")
        super().__init__(model, **kwargs)

    def _compile(self):
        function = compiled(self.force_field, _biased, names=self.outputs)
        # No constant of what is compiled: it serves all temperatures.
        kT = np.asarray(units.kB * self.temperature, self.force_field.compute_dtype)
        self._function = lambda batch: function(batch, kT)


def _biased(model, batch, kT, names):
    def total(geometry):
        positions, cell = geometry
        outputs = model.atomic({**batch, "positions": positions, "cell": cell})
        is_atom = ops.cast(batch["species"] >= 0, positions.dtype)
        # Padding atoms have a spread of 0.
        variance = ops.sum(outputs["forces_std"] ** 2) / ops.sum(is_atom)
        energies = outputs["energies"] - is_atom * (0.5 * kT * ops.log(variance + SMALLEST_VARIANCE))
        return ops.sum(energies), {**outputs, "energies": energies}

    geometry = (batch["positions"], batch["cell"])
    (_, outputs), gradients = backend.value_and_grad(total, has_aux=True)(geometry)
    # Strain moves the atoms and the cell vectors alike.
    strain = sum(ops.einsum("sai,saj->sij", x, gradient) for x, gradient in zip(geometry, gradients))
    outputs = {**outputs, "forces": -gradients[0], "stress": stress(strain, batch["cell"]), "virial": strain}
    return {name: outputs[name] for name in names}


def adversarial(
    model: Ensemble, atoms: Atoms, temperature: float = 1000.0, steps: int = 50, closest: float = 0.7, seed: int = 0
) -> Atoms:
    """Move the atoms of a structure to where the members of an ensemble disagree, along the gradient of the disagreement.

    The atoms move downhill in the energy of `UncertaintyBias`, and the cell stays as it is. Constraints of ASE are honored. The
    results are candidates for labels, such as those of `ActiveLearning`.

        candidates = [adversarial(model, atoms, temperature=1000) for atoms in structures]

    Args:
        model: `Ensemble`.
        atoms: Structure to start from; it is not changed.
        temperature: Temperature in K that weighs the energy against the disagreement, see `UncertaintyBias`.
        steps: Largest number of steps of the search (FIRE of ASE).
        closest: The search ends before two atoms come closer than this fraction of the sum of their covalent radii, where
            first-principles programs do not converge.
        seed: Seed of the small random displacements at the start.

    Returns:
        `ase.Atoms` without labels; `info["uncertainty"]` has the root mean square of the standard deviations of the forces in eV/Å,
        before and after.

    Raises:
        ValueError: If the model is not an `Ensemble`, the temperature is not positive, or atoms are too close at the start.

    Reference:
        Schwalbe-Koda, Tan and Gómez-Bombarelli, Nat. Commun. 12, 5104 (2021).
    """
    moved = atoms.copy()
    moved.calc = UncertaintyBias(model, temperature)
    # Constraints apply to it.
    moved.set_positions(moved.positions + np.random.default_rng(seed).normal(scale=FIRST_STEP, size=moved.positions.shape))
    if _too_close(moved, closest):
        raise ValueError(
            f"Atoms of {atoms.get_chemical_formula()} are closer than {closest} of the sum of their covalent radii at the start. "
            "Give another structure, or a smaller closest=."
        )
    before, kept = _spread(moved), moved.positions.copy()
    for _ in FIRE(moved, logfile=None, maxstep=0.1).irun(fmax=1e-3, steps=steps):
        if _too_close(moved, closest) or not np.isfinite(moved.get_forces()).all():
            moved.positions = kept
            break
        kept = moved.positions.copy()
    after = _spread(moved)
    moved.calc = None
    moved.info["uncertainty"] = [before, after]
    return moved


def _spread(atoms):
    """Root mean square of the standard deviations of the forces on the atoms, in eV/Å."""
    atoms.get_potential_energy()
    return float(np.sqrt(np.mean(atoms.calc.results["forces_std"] ** 2)))


def _too_close(atoms, closest):
    """Whether two atoms are closer than a fraction of the sum of their covalent radii."""
    radii = closest * covalent_radii[atoms.numbers]
    i, j, shifts = neighbor_list(atoms, 2.0 * radii.max())
    vectors = atoms.positions[j] - atoms.positions[i] + shifts @ atoms.cell.array
    return bool(np.any(np.linalg.norm(vectors, axis=1) < radii[i] + radii[j]))
