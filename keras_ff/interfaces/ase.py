"""The force field as a calculator of ASE."""

import numpy as np
from ase.calculators.calculator import Calculator as ASECalculator
from ase.calculators.calculator import all_changes

from keras_ff import backend
from keras_ff.data.batches import COLUMNS, species_of
from keras_ff.data.neighbors import dense, neighbor_list
from keras_ff.data.waves import check_crystal, lattice_waves, wave_shape
from keras_ff.models.ensemble import Ensemble

SPREADS = ("energy_std", "forces_std", "stress_std")


class Calculator(ASECalculator):
    """Energy, free_energy, energies, forces and stress for ASE.

    Of a `keras_ff.Ensemble` the results have `energy_std` in eV, `forces_std` `(atoms,)` in eV/Å and `stress_std` `(6,)` in eV/Å³
    too: the spread of the members, or the errors to expect if `calibrated`.

    Neighbors are searched within `cutoff + skin` and searched again when an atom
    has moved by half of the skin or the cell or the number of atoms has changed.
    The compiled function is used again as long as the shapes are the same: more
    neighbors than ever before compile it once more.

    Args:
        force_field: A `keras_ff.ForceField`.
        skin: Thickness in Å of the shell in which neighbors are kept ready.
        calibrated: Whether spreads become expected errors, of an ensemble that was calibrated. What it was not calibrated for,
            such as the stress, is left out, but for the forces.

    Raises:
        ValueError: If `calibrated` is asked of a model that is not, for the forces on all its elements. At a calculation, if the
            atoms have an element that the model does not know, or the model sums over the waves of a crystal and the atoms are
            none.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, force_field, skin=0.5, calibrated=False, **kwargs):
        super().__init__(**kwargs)
        if isinstance(force_field, Ensemble):
            self.implemented_properties = [*self.implemented_properties, *SPREADS]
        if calibrated:
            if not isinstance(force_field, Ensemble):
                raise ValueError(f"Only an Ensemble has calibrated errors. Received a {type(force_field).__name__}.")
            # An error now is better than one in the middle of a simulation.
            for symbol in force_field.species:
                force_field.calibrated(f"forces of {symbol}", 0.0)
        self.calibrated = calibrated
        self.force_field = force_field
        self.skin = float(skin)
        self._columns = 0
        self._wave_shape = None
        self._listed = None
        self._compile()

    def _compile(self):
        names = ["energies", "forces", "stress", *(SPREADS if isinstance(self.force_field, Ensemble) else [])]

        def function(batch):
            outputs = self.force_field.atomic(batch)
            return {name: outputs[name] for name in names}

        self._function = backend.jit(function, layer=self.force_field)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        batch = self.batch(self.atoms)
        outputs = self._function(batch)
        outputs = {name: np.asarray(value, dtype="float64")[0] for name, value in outputs.items()}
        energies = outputs["energies"]
        self.results = {
            # Summed in float64, so that the energy of a large system keeps its digits.
            "energy": float(energies.sum()),
            "free_energy": float(energies.sum()),
            "energies": energies,
            "forces": outputs["forces"],
        }
        if self.atoms.cell.rank == 3:
            self.results["stress"] = outputs["stress"]
        if "forces_std" in outputs:
            self.results |= self._spreads(outputs)

    def _spreads(self, outputs):
        count = len(self.atoms)
        spreads = {
            "energy_per_atom": float(outputs["energy_std"][0]) / count,
            "forces": outputs["forces_std"][:, 0],
            "stress": outputs["stress_std"],
        }
        if self.atoms.cell.rank < 3:
            del spreads["stress"]
        if self.calibrated:
            known = {"forces", *self.force_field.calibration}
            species = species_of(self.force_field, self.atoms)
            spreads = {
                name: self.force_field.calibrated(name, spread, species) for name, spread in spreads.items() if name in known
            }
        if "energy_per_atom" in spreads:
            spreads["energy"] = count * float(spreads.pop("energy_per_atom"))
        return {f"{name}_std": spread for name, spread in spreads.items()}

    def batch(self, atoms):
        """The batch of one structure that the model takes, NumPy, with neighbors from the list that is kept."""
        i, j, shifts, species = self._neighbors(atoms)
        cell = atoms.cell.array
        vectors = atoms.positions[j] - atoms.positions[i] + shifts @ cell
        near = np.einsum("ij,ij->i", vectors, vectors) < self.force_field.cutoff**2
        i, j, shifts = i[near], j[near], shifts[near]
        most = np.bincount(i, minlength=1).max()
        if most > self._columns or not self._columns:
            self._columns = COLUMNS * int(np.ceil((most + 1) / COLUMNS))
        neighbors, shifts = dense(i, j, shifts, len(atoms), self._columns)
        dtype = self.force_field.compute_dtype
        waves = {"waves": self._listed["waves"][None]} if self.force_field.wave_cutoff > 0 else {}
        return {
            "positions": atoms.positions[None].astype(dtype),
            "species": species[None],
            "cell": cell[None].astype(dtype),
            "neighbors": neighbors[None],
            "shifts": shifts[None].astype(dtype),
            **waves,
        }

    def _neighbors(self, atoms):
        """Pairs within cutoff + skin as of the last search, and the species."""
        if self._listed is not None and self._is_current(atoms):
            return self._listed["pairs"]
        species = species_of(self.force_field, atoms)
        i, j, shifts = neighbor_list(atoms, self.force_field.cutoff + self.skin)
        self._listed = {
            "pairs": (i, j, shifts.astype("float64"), species),
            "positions": atoms.positions.copy(),
            "cell": atoms.cell.array.copy(),
            "pbc": atoms.pbc.copy(),
            "numbers": atoms.numbers.copy(),
            "waves": self._waves(atoms) if self.force_field.wave_cutoff > 0 else None,
        }
        return self._listed["pairs"]

    def _waves(self, atoms):
        cell, cutoff = atoms.cell.array * atoms.pbc[:, None], self.force_field.wave_cutoff
        check_crystal(cell, atoms.get_chemical_formula())
        needed = wave_shape(cell, cutoff)
        if self._wave_shape is None:
            self._wave_shape = needed
        elif np.any(np.greater(needed, self._wave_shape)):
            # The cell changes: room for one more along each direction, so that it compiles rarely.
            self._wave_shape = tuple(np.maximum(np.add(needed, (1, 2, 2)), self._wave_shape).tolist())
        return lattice_waves(cell, cutoff, self._wave_shape)

    def _is_current(self, atoms):
        listed = self._listed
        if not (
            np.array_equal(atoms.numbers, listed["numbers"])
            and np.array_equal(atoms.pbc, listed["pbc"])
            and np.array_equal(atoms.cell.array, listed["cell"])
        ):
            return False
        moved = atoms.positions - listed["positions"]
        return np.einsum("ij,ij->i", moved, moved).max(initial=0.0) < (0.5 * self.skin) ** 2

    def __getstate__(self):
        # The compiled function cannot be pickled, and the list is cheap.
        return {**self.__dict__, "_function": None, "_listed": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._compile()
