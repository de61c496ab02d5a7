"""Calculator of ASE for force fields."""

from __future__ import annotations

import os
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator as ASECalculator
from ase.calculators.calculator import all_changes

from keras_ff.data.batches import Batcher, list_holds, pair_vectors
from keras_ff.data.geometry_checks import check_contact, closest
from keras_ff.interfaces.artifact import ArtifactCalculator
from keras_ff.interfaces.description import DESCRIPTION
from keras_ff.models import ForceField, load
from keras_ff.models.compiled import compiled
from keras_ff.models.ensemble import Ensemble
from keras_ff.potentials.base import Potential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

SPREADS = ("energy_std", "forces_std", "stress_std")


class Calculator(ASECalculator):
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

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

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
        super().__init__(**kwargs)
        force_field = _force_field(force_field)
        if isinstance(force_field, Ensemble):
            self.implemented_properties = [*self.implemented_properties, *SPREADS]
        if calibrated:
            if not isinstance(force_field, Ensemble):
                raise ValueError(f"Only an Ensemble has calibrated errors. Received a {type(force_field).__name__}.")
            # An error here is better than one in the middle of a simulation.
            for symbol in force_field.species:
                force_field.calibrated(f"forces of {symbol}", 0.0)
        self.calibrated = calibrated
        self.force_field = force_field
        self.skin = float(skin)
        self._batcher = Batcher.of(force_field, skin=self.skin)
        self._record, self._lock = None, RLock()
        self._compile()

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return a property of a structure, one thread after the other; ASE calls it for all of them.

        Args:
            name: Name of the property, such as "energy".
            atoms: The structure; by default that of the last calculation.
            allow_calculation: Whether None is returned if it would have to be computed.
        """
        with self._lock:
            return super().get_property(name, atoms, allow_calculation)

    def _compile(self):
        self._function = compiled(self.force_field, _outputs)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute energy, forces and stress, and store them in `results`; ASE calls it.

        Args:
            atoms: The structure.
            properties: Names of the properties that ASE needs; all are computed.
            system_changes: Names of what has changed since the last calculation.

        Raises:
            ValueError: If the structure is broken or has elements that the model does not know.
        """
        super().calculate(atoms, properties, system_changes)
        count, outputs = len(self.atoms), self._function(self.batch(self.atoms))
        outputs = {name: np.asarray(value, dtype="float64")[0] for name, value in outputs.items()}
        for name in {"energies", "forces", "forces_std"}.intersection(outputs):
            outputs[name] = outputs[name][:count]
        energies = outputs["energies"]
        self.results = {
            # Summed in float64, so that the energy of a large system keeps its digits.
            "energy": float(energies.sum()),
            "free_energy": float(energies.sum()),
            "energies": energies,
            "forces": outputs["forces"],
        }
        if self.atoms.pbc.all():
            self.results["stress"] = outputs["stress"]
        if "virial" in outputs:
            # A virial of data files has the opposite sign.
            self.results["strain_derivatives"] = 0.5 * (outputs["virial"] + outputs["virial"].T)
        if "forces_std" in outputs:
            self.results |= self._spreads(outputs)

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

    def batch(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """Make the batch of a structure that the model takes, with neighbors from the present list or a new one.

        Args:
            atoms: The structure.

        Returns:
            Batch of one structure, a dict of NumPy arrays.

        Raises:
            ValueError: If the structure is broken or has elements that the model does not know.
        """
        with self._lock:
            record, cell = self._listed(atoms), atoms.cell.array
        positions = record["placement"].near(atoms.positions, cell)
        i, j, S = record["i"], record["j"], record["S"]
        vectors = pair_vectors(positions, cell, i, j, S)
        # Atoms may have met since the list was made.
        check_contact(atoms.get_chemical_formula, i, j, *closest(vectors))
        near = np.einsum("ij,ij->i", vectors, vectors) < self.force_field.cutoff**2
        now = {**record, "positions": positions, "cell": cell, "i": i[near], "j": j[near], "S": S[near]}
        now["n_neighbors"] = int(np.bincount(now["i"], minlength=1).max())
        return self._batcher.batch([now])

    def _listed(self, atoms):
        """Record of the last search for neighbors, or of a new one if that list may lack a neighbor."""
        if self._record is None or not list_holds(self._record, atoms, self.force_field.cutoff, self.skin):
            record = self._batcher.record(atoms)
            # Every call multiplies them with the cell.
            self._record = {**record, "S": record["S"].astype("float64")}
        return self._record

    def __getstate__(self):
        # The compiled function and the lock cannot be pickled, and the list is cheap.
        return {**self.__dict__, "_function": None, "_lock": None, "_record": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._lock = RLock()
        self._compile()


def _outputs(model, batch):
    outputs = model.atomic(batch)
    spreads = SPREADS if isinstance(model, Ensemble) else ()
    return {name: outputs[name] for name in ("energies", "forces", "stress", "virial", *spreads)}


def _force_field(given):
    """The model itself, of a potential, or from a file."""
    if isinstance(given, (str, os.PathLike)):
        return load(given)
    if isinstance(given, Potential):
        return ForceField(given)
    if isinstance(given, ForceField):
        return given
    raise TypeError(f"A Calculator takes a ForceField, a potential, or the path of a model. Received a {type(given).__name__}.")
