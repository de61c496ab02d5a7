"""Base of `ForceField` with its preparation for training: statistics of the data, reference energies, new elements."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_ff.data.reference import arbitrary, known_energies
from keras_ff.models.data_model import DataModel
from keras_ff.models.domains import spline_domains
from keras_ff.models.mapping import in_order, mapped
from keras_ff.models.own_data import check_data
from keras_ff.models.statistics import Summary
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.sum import Sum

if TYPE_CHECKING:
    from keras_ff.data.dataset import Dataset
    from keras_ff.models.force_field import ForceField
    from keras_ff.potentials.base import Potential


class AdaptableModel(DataModel):
    """Base of `ForceField` with the methods that prepare a training: `adapt`, `fit_reference_energies` and `with_species`."""

    def adapt(self, dataset: Dataset, samples: int = 20_000, reference_energies: Mapping[str, float] | str | None = None) -> None:
        """Set reference energies, scales and statistics of the descriptors from data, before training.

        The reference energy of an element is that of its isolated atom, if the data have one: a structure of one atom, without pbc
        or in a cell wider than twice the cutoff. Those of the other elements are fitted by least squares to the energies minus
        those of fixed terms of the potential, such as a repulsion; `references` tells what was done. Nothing is set if no term
        adapts: a classical potential keeps its own zero. Weights of structures have no effect here, apart from the weight 0.

            model = ForceField(NeuralIL(["Si"]))
            data = Dataset(structures, model)
            model.adapt(data)

        Args:
            dataset: `keras_ff.data.Dataset` with energies or forces.
            samples: Number of atoms whose descriptors are used.
            reference_energies: Dict from chemical symbols to energies in eV; "fit" to fit all of them, also to isolated atoms as to
                other structures; "isolated" to insist on isolated atoms of all elements; None as described.

        Raises:
            ValueError: If the data set was made for another model, has neither energies nor forces, or lacks an isolated atom, or
                the reference energies one of an element.

        Warns:
            UserWarning: If data lie outside the knots of splines (see `spline_domains`), their compositions do not determine the
                reference energies, or no atom has a neighbor.
        """
        check_data(self, dataset)
        spline_domains(self, dataset)
        learned = terms_with(self.potential, Learned)
        if not learned:
            return
        if not (dataset.labels_found["energy"] or dataset.labels_found["forces"]):
            raise ValueError(f"Nothing to adapt to: the data set has neither energies nor forces. {dataset.report()}")
        fixed = [term for term in self.potential.terms() if term not in learned]
        summary = Summary(self._like_this(Sum(fixed)) if fixed else None, len(self.species)).of(dataset)
        known = known_energies(reference_energies, summary.isolated_energies(self.species), self.species)
        if summary.energies or known:
            self.reference_energies.assign(np.zeros(len(self.species)))
            self._add_references(summary, known, reference_energies)
        if not dataset.n_pairs.any():
            warnings.warn(
                f"No atom of the data set has a neighbor within the cutoff of {self.cutoff:g} Å. The reference energies are set; "
                "the statistics of the descriptors and the scale of the energies stay as they are. Adapt to data with bonds.",
                stacklevel=2,
            )
            return
        gathered, kinds, seen = [[] for _ in learned], [], 0
        batches = np.random.default_rng(0).permutation(len(dataset))
        for _, atoms in self._features(learned, dataset, batches):
            kinds.append(atoms["species"])
            for index, rows in enumerate(gathered):
                rows.append(atoms[f"term {index}"])
            seen += len(kinds[-1])
            if seen >= samples:
                break
        for term, rows in zip(learned, gathered):
            term.adapt(np.concatenate(rows).astype("float64"), np.concatenate(kinds), summary.force_scales())
        if known:
            self._take_up(dataset, learned[0])

    def _add_references(self, summary, known, rule):
        """Add to the reference energies those that are known, and what the data say of the others."""
        fit = summary.reference_energies(self.species, known)
        self.reference_energies.assign_add(fit.energies)
        counts = np.sum(summary.compositions, axis=0) if summary.energies else np.zeros(len(self.species))
        found = {symbol: "fitted" for symbol, count in zip(self.species, counts, strict=True) if count}
        sources = found | dict.fromkeys(known, "given" if isinstance(rule, Mapping) else "isolated atom")
        undetermined = [text for text in fit.undetermined if text.removeprefix("1 ") not in set(self.species) - set(found)]
        self.references = {"sources": sources, "undetermined": undetermined}
        if undetermined:
            warnings.warn(arbitrary(undetermined), stacklevel=3)

    def _take_up(self, dataset, term):
        """Let a term of the potential take up what reference energies of free atoms leave over in the mean: the energy of bonds."""

        def rows(batch, labels):
            return {"left": labels["energy"][:, 0] - self.total_energy(batch)}

        left = np.full(len(dataset.structures), np.nan)
        for index, row in mapped(self, rows, dataset, (), "energies"):
            left[index] = row["left"]
        bonded = np.isfinite(left) & (dataset.n_pairs > 0)
        if bonded.any():
            term.shift(float(left[bonded].sum() / dataset.n_atoms[bonded].sum()))

    def describe(self, dataset: Dataset) -> list[np.ndarray]:
        """Compute the features of all atoms of a data set: the descriptors that the terms of the potential have.

            rows = model.describe(data)
            rows[7].shape  # (atoms of the structure 7, features)

        Args:
            dataset: `keras_ff.data.Dataset`.

        Returns:
            List of arrays `(atoms, features)`, one for each structure in the order of the structures; features of several terms
            follow each other.

        Raises:
            ValueError: If no term has descriptors.
        """
        learned = terms_with(self.potential, Learned)
        if not learned:
            kinds = [type(term).__name__ for term in self.potential.terms()]
            raise ValueError(f"{kinds} have no descriptors. Describe with NeuralIL, SplineNetwork or ElementNetworks.")
        rows = in_order(self._features(learned, dataset), len(dataset.structures))
        return [np.concatenate([atoms[f"term {index}"] for index in range(len(learned))], axis=-1) for atoms in rows]

    def _features(self, learned, dataset, batches=None):
        """For each structure a dict of the features of its atoms, "term 0" and so on, and their `species`."""
        names = [f"term {index}" for index in range(len(learned))]

        def features(batch, labels):
            shape, neighborhood = ops.shape(batch["species"]), self.neighborhood(batch)
            rows = [term.describe(neighborhood.within(term.cutoff)) for term in learned]
            rows = {name: ops.reshape(values, (*shape, values.shape[-1])) for name, values in zip(names, rows)}
            return {**rows, "species": batch["species"]}

        return mapped(self, features, dataset, (*names, "species"), "descriptors", batches)

    def fit_reference_energies(self, dataset: Dataset, reference_energies: Mapping[str, float] | str | None = "fit") -> None:
        """Fit the reference energies of the species by least squares to the energies of data; the potential stays as it is.

        `adapt` does not change the zero of energy of a classical potential; this method moves it to that of the data. Species that
        the data does not have keep their energies.

            model = ForceField(StillingerWeber.silicon())
            model.fit_reference_energies(Dataset(structures, model))

        Args:
            dataset: `keras_ff.data.Dataset` with energies.
            reference_energies: What is not fitted, see `adapt`; None takes the energies of isolated atoms where there are any. A
                network then takes up what is left over in the mean.

        Raises:
            ValueError: If the data set has no energies, or lacks an isolated atom, or the reference energies one of an element.

        Warns:
            UserWarning: If data lie outside the knots of splines, see `spline_domains`, or their compositions do not determine the
                reference energies.
        """
        spline_domains(self, dataset)
        check_data(self, dataset)
        dataset.require_labels("energy")
        learned = terms_with(self.potential, Learned)
        summary = Summary(self, len(self.species)).of(dataset)
        # A tensor: NumPy warns of the way in which Keras gives it a variable.
        now = dict(zip(self.species, ops.convert_to_numpy(1.0 * self.reference_energies).tolist(), strict=True))
        isolated = {symbol: energy + now[symbol] for symbol, energy in summary.isolated_energies(self.species).items()}
        if learned and isolated and reference_energies in (None, "isolated"):
            # What a network says of isolated atoms is no energy of theirs.
            isolated = Summary(None, len(self.species)).of(dataset).isolated_energies(self.species)
        known = known_energies(reference_energies, isolated, self.species)
        self._add_references(summary, {symbol: energy - now[symbol] for symbol, energy in known.items()}, reference_energies)
        if known and learned:
            self._take_up(dataset, learned[0])

    def fit_linear(self, dataset: Dataset, **options) -> float:
        """Fit the linear parts of networks, and the reference energies, by least squares: a usable model in seconds.

        It comes after `adapt`, and training goes on from it:

            model.adapt(data)
            model.fit_linear(data)
            model.compile(...)
            model.fit(data)

        Args:
            dataset: `keras_ff.data.Dataset` with energies or forces.
            options: Arguments of `keras_ff.models.fit_linear` other than `weights`, such as `stress_error`.

        Returns:
            The strength of the penalty that was chosen.

        Raises:
            ValueError: If the data set was made for another model or has neither energies nor forces, or no network has a linear
                part.
        """
        from keras_ff.models.linear import fit_linear

        return fit_linear(self, dataset, **options)

    def with_species(self, twins: dict[str, str]) -> ForceField:
        """Make a copy that knows more elements, to be fine-tuned on them; energies of the elements it knows stay the same.

        A new element starts as a copy of a known one, its twin: energies and forces are those of the structure with each new
        element replaced by its twin, but for `ZBL`, which knows the charges of all nuclei. Then set its reference energy with
        `fit_reference_energies`, and not with `adapt`, which would replace the statistics that the network was trained with:

            model = load("silicon.keras").with_species({"Ge": "Si"})
            data = Dataset(germanium, model)
            model.fit_reference_energies(data)
            model.compile(...)
            model.fit(data)

        Args:
            twins: Dict from each new chemical symbol to one of the model.

        Returns:
            A `ForceField` that is not compiled.

        Raises:
            ValueError: If a new symbol is known already, or a twin is not.
            NotImplementedError: If the potential, or a term of it, takes no new elements.
        """
        if not twins or set(twins) & set(self.species) or set(twins.values()) - set(self.species):
            raise ValueError(f"Name elements that are new and their twins of {self.species}. Received {twins}.")
        copy = self._like_this(extended(self.potential, twins))
        known = dict(zip(self.species, ops.convert_to_numpy(self.reference_energies)))
        copy.reference_energies.assign(np.array([known[twins.get(symbol, symbol)] for symbol in copy.species]))
        copy.references = self.references
        return copy

    def _like_this(self, potential):
        """A `ForceField` of another potential, with the same dtype."""
        raise NotImplementedError


def extended(potential: Potential, twins: dict[str, str]) -> Potential:
    """Potential that knows more elements, see `Learned.with_species`; of a `Sum`, each part is extended.

    Args:
        potential: The `Potential`.
        twins: Dict from each new chemical symbol to one of the potential.

    Raises:
        NotImplementedError: If the potential, or a part of it, takes no new elements.
    """
    if isinstance(potential, Sum):
        return potential.rebuilt([extended(part, twins) for part in potential.parts])
    # Networks, and the repulsions that are added to them.
    if not hasattr(potential, "with_species"):
        raise NotImplementedError(f"{type(potential).__name__} takes no new elements. NeuralIL, SplineNetwork and sums of them do.")
    return potential.with_species(twins)
