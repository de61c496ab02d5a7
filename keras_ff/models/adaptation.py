"""What a model takes from a data set before it is trained, and how it takes new elements."""

import numpy as np
from keras import ops

from keras_ff.models.data_model import DataModel
from keras_ff.models.mapping import in_order, mapped
from keras_ff.models.spline_domains import spline_domains
from keras_ff.models.statistics import Summary
from keras_ff.potentials.base import terms_with
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.sum import Sum


class AdaptableModel(DataModel):
    """The methods of `ForceField` that look at data before the training, and those that prepare fine-tuning."""

    def adapt(self, dataset, samples=20_000):
        """Set reference energies, scales and descriptor statistics from data, before training.

        Reference energies of the species are fitted by least squares to the energies
        that fixed terms of the potential (a repulsion, say) leave over, unless no
        term adapts: a classical potential keeps its own zero.

        Args:
            dataset: `keras_ff.data.Dataset` with energies or forces.
            samples: Number of atoms whose descriptors are looked at.

        Raises:
            ValueError: If the data set has neither energies nor forces.

        Warns:
            If data lie outside the knots of splines, see `spline_domains`.
        """
        spline_domains(self, dataset)
        learned = terms_with(self.potential, Learned)
        if not learned:
            return
        if not (dataset.labels_found["energy"] or dataset.labels_found["forces"]):
            raise ValueError(f"Nothing to adapt to: the data set has neither energies nor forces. {dataset.report()}")
        fixed = [term for term in self.potential.terms() if term not in learned]
        summary = Summary(self._like_this(Sum(fixed)) if fixed else None, len(self.species)).of(dataset)
        gathered, kinds, seen = [[] for _ in learned], [], 0
        batches = np.random.default_rng(0).permutation(len(dataset))
        for _, atoms in self._features(learned, dataset, batches):
            kinds.append(atoms["species"])
            for index, rows in enumerate(gathered):
                rows.append(atoms[f"term {index}"])
            seen += len(kinds[-1])
            if seen >= samples:
                break
        if summary.energies:
            self.reference_energies.assign(summary.reference_energies(self.species))
        for term, rows in zip(learned, gathered):
            term.adapt(np.concatenate(rows).astype("float64"), np.concatenate(kinds), summary.force_scales())

    def describe(self, dataset):
        """Features that the terms of the potential with descriptors have for each atom, side by side.

        Args:
            dataset: `keras_ff.data.Dataset`.

        Returns:
            List of arrays `(atoms, features)`, one for each structure in the order of the structures.

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

        def features(batch, _):
            shape, neighborhood = ops.shape(batch["species"]), self.neighborhood(batch)
            rows = [term.describe(neighborhood.within(term.cutoff)) for term in learned]
            rows = {name: ops.reshape(values, (*shape, values.shape[-1])) for name, values in zip(names, rows)}
            return {**rows, "species": batch["species"]}

        return mapped(self, features, dataset, (*names, "species"), "descriptors", batches)

    def fit_reference_energies(self, dataset):
        """Move the energies of the species by least squares to what the potential, as it is, leaves of the energies.

        `adapt` leaves the zero of a classical potential alone; this moves it to that of the data. Species that the data does not
        have keep their energies.

        Args:
            dataset: `keras_ff.data.Dataset` with energies.

        Raises:
            ValueError: If the data set has no energies.

        Warns:
            If data lie outside the knots of splines, see `spline_domains`.
        """
        spline_domains(self, dataset)
        dataset.require_labels("energy")
        summary = Summary(self, len(self.species)).of(dataset)
        self.reference_energies.assign_add(summary.reference_energies(self.species))

    def with_species(self, twins):
        """A copy that knows more elements, to be fine-tuned on them; energies of the elements it knows stay the same.

        A new element starts as the twin of one that is known: its energies and forces are those of a structure in which the twin
        stands in its place. Then set its reference energy with `fit_reference_energies`, and not with `adapt`, which
        would take the statistics away that the network was trained with:

            model = load("silicon.keras").with_species({"Ge": "Si"})
            data = Dataset(germanium, model)
            model.fit_reference_energies(data)
            model.compile(...)
            model.fit(data)

        Args:
            twins: Dict from new chemical symbols to those of the model.

        Returns:
            A `ForceField` that is not compiled.

        Raises:
            ValueError: If a new symbol is known already, or a twin is not.
            NotImplementedError: If the potential, or a term of it, takes no elements.
        """
        if not twins or set(twins) & set(self.species) or set(twins.values()) - set(self.species):
            raise ValueError(f"Name elements that are new and their twins of {self.species}. Received {twins}.")
        copy = self._like_this(extended(self.potential, twins))
        known = dict(zip(self.species, ops.convert_to_numpy(self.reference_energies)))
        copy.reference_energies.assign(np.array([known[twins.get(symbol, symbol)] for symbol in copy.species]))
        return copy

    def _like_this(self, potential):
        """A `ForceField` of another potential, of the same dtype."""
        raise NotImplementedError


def extended(potential, twins):
    """A potential that knows more elements, see `Learned.with_species`; of a sum, each part does."""
    if isinstance(potential, Sum):
        return potential.rebuilt([extended(part, twins) for part in potential.parts])
    if not isinstance(potential, Learned):
        raise NotImplementedError(f"{type(potential).__name__} takes no new elements. NeuralIL, SplineNetwork and sums of them do.")
    return potential.with_species(twins)
