"""Calculator of ASE for force fields."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.interfaces.calculator import ModelCalculator
from keras_ff.interfaces.description import DESCRIPTION
from keras_ff.models import ForceField, load
from keras_ff.models.ensemble import Ensemble
from keras_ff.potentials.base import Potential
from keras_ff.simulation.start import check_model

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator as ASECalculator

SPREADS = ("energy_std", "forces_std", "stress_std")


class Calculator(ModelCalculator):
    """Calculator of ASE for a force field, with energy, free_energy, energies, forces and stress.

    For a `keras_ff.Ensemble` the results also have `energy_std` in eV, `forces_std` (atoms,) in eV/Å and `stress_std` (6,) in
    eV/Å³: standard deviations over the members, or expected errors if `calibrated`.

    Neighbors are searched within `cutoff + skin`, and searched again when atoms or the cell have moved so far that one may be
    missing. Structures are padded to few shapes with room for growth, so that a changing number of atoms or neighbors seldom
    compiles anew. The stress exists for structures that are periodic in three directions; `results` have the
    `strain_derivatives` of all, those of the energy with respect to strain (3, 3) in eV.

    Threads may share it, each with a structure of its own, and call `atoms.get_forces()`; `results` are those of the last one.
    Processes are started by `multiprocessing.get_context("spawn")`: the fork of a process that has computed gets an error.

    Args:
        force_field: `keras_ff.ForceField` or `keras_ff.Ensemble`, or a potential; or the path of a model file, of the folder of a
            run, or of an artifact, which gets a `keras_ff.interfaces.artifact.ArtifactCalculator`.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed.
        calibrated: Whether the standard deviations of an ensemble are converted to expected errors by its calibration. Quantities
            without a calibration, such as the stress, are left out then; the forces must have one.
        **kwargs: Arguments of `ase.calculators.calculator.Calculator`.

    Raises:
        FileNotFoundError: If there is no such file, or no model in the folder.
        TypeError: If it is neither a model, a potential nor a path.
        ValueError: If the file is no model, or `calibrated` is set for a model without a calibration of the forces on all its
            elements. In a calculation if the structure has no atoms, elements that the model does not know, two atoms at the same
            position or a broken cell.
        RuntimeError: In a calculation in the fork of a process that has computed.

    Example:
        >>> import keras_ff as kff
        >>> from ase.build import bulk
        >>> silicon = bulk("Si", a=5.431)
        >>> silicon.calc = kff.Calculator(kff.ForceField(kff.potentials.StillingerWeber.silicon()))
        >>> round(silicon.get_potential_energy(), 2)
        -8.67
    """

    def __new__(cls, force_field: Any = None, *args: Any, **kwargs: Any) -> ASECalculator:
        """Make the calculator of an artifact where the path is one."""
        if isinstance(force_field, (str, os.PathLike)) and (Path(force_field) / DESCRIPTION).exists():
            return ArtifactCalculator(force_field, *args, **kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        force_field: ForceField | Potential | str | os.PathLike,
        skin: float = 0.5,
        calibrated: bool = False,
        **kwargs: Any,
    ):
        force_field = _force_field(force_field)
        ensemble = isinstance(force_field, Ensemble)
        if ensemble:
            self.outputs = (*self.outputs, *SPREADS)
            self.implemented_properties = [*self.implemented_properties, *SPREADS]
        if calibrated:
            if not ensemble:
                raise ValueError(f"Only an Ensemble has calibrated errors. Received a {type(force_field).__name__}.")
            # An error here is better than one in the middle of a simulation.
            for symbol in force_field.species:
                force_field.calibrated(f"forces of {symbol}", 0.0)
        self.calibrated = calibrated
        super().__init__(force_field, skin, **kwargs)

    def _results(self, outputs):
        results = super()._results(outputs)
        return results | self._spreads(outputs) if "forces_std" in outputs else results

    def _spreads(self, outputs):
        count = len(self.atoms)
        spreads = {
            "energy_per_atom": float(outputs["energy_std"][0]) / count,
            "forces": outputs["forces_std"][:, 0],
            "stress": outputs["stress_std"],
        }
        if not self.atoms.pbc.all():
            del spreads["stress"]
        if self.calibrated:
            known = {"forces", *self.force_field.calibration}
            species = self._record["species"]
            spreads = {
                name: self.force_field.calibrated(name, spread, species) for name, spread in spreads.items() if name in known
            }
        if "energy_per_atom" in spreads:
            spreads["energy"] = count * float(spreads.pop("energy_per_atom"))
        return {f"{name}_std": spread for name, spread in spreads.items()}


def _force_field(given):
    """The model itself, of a potential, or from a file."""
    if isinstance(given, (str, os.PathLike)):
        return load(given)
    if isinstance(given, Potential):
        return ForceField(given)
    check_model(given)
    return given
