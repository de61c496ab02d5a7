"""Train, pick, compute, again: a loop that may be killed at any time."""

import json
from pathlib import Path

import numpy as np
from ase.io import read, write
from tqdm import tqdm

from keras_ff.active.picking import checked_candidates, pick, scores, uncertainty
from keras_ff.data import labels
from keras_ff.data import read as read_data
from keras_ff.data.labels import KEYS, Labels
from keras_ff.files import replace_when_complete
from keras_ff.models import load

# Of the loop's folder, and of that of a round.
RECORD, MODEL, SUMMARY, PICKED = "loop.json", "model.keras", "summary.json", "picked.xyz"


class ActiveLearning:
    """Rounds of training an ensemble, picking the structures that would teach it most, and computing these.

        def train(structures, number):
            model = kff.Ensemble(NeuralIL(["Si"], members=4))
            ...  # Dataset, adapt, compile, fit
            return model

        loop = ActiveLearning(Espresso(...), train, pool, start, count=10, folder="active")
        model = loop.run(rounds=5)

    Everything is in the folder as soon as it is known: `round_000/model.keras`, `picked.xyz`, and a file for each label. The same
    script, started again after a kill, goes on where it was: no round is trained twice, no structure picked anew, and no label
    computed twice that was complete.

    Args:
        oracle: Calculator of ASE that computes energies and forces, and stresses if it has them.
        train: Function of a list of structures with labels and the number of the round that returns a trained `Ensemble`.
        candidates: List of `ase.Atoms`, the pool, from which each is picked once; or a function of the model and the number of the
            round that returns such a list, made for this round: see `explored` and `adversarial`.
        start: List of `ase.Atoms` with labels to begin with.
        count: Number of structures to compute in a round.
        folder: Where everything is kept.
        select: Function of the model, the candidates, the known structures, the count and the `scores` of the candidates that
            returns places in the candidates; `pick` by default.

    Attributes:
        history: List of dicts, one for each round of `run`: the number of `known` structures, and the mean `uncertainty` of the
            forces in eV/Å of those that were `picked` and of all `candidates`.

    Raises:
        ValueError: If `start` has no labels, the pool is broken (see `checked_candidates`), the count is not positive, or
            the folder holds a loop with another start or count.
    """

    def __init__(self, oracle, train, candidates, start, count, folder, select=pick):
        if count < 1:
            raise ValueError(f"A round computes at least one structure. Received count={count}.")
        self.oracle, self.train, self.select = oracle, train, select
        self.candidates = candidates if callable(candidates) else checked_candidates(candidates)
        self.start, self.count, self.folder = list(start), int(count), Path(folder)
        if not self.start or not all(np.isfinite(labels(atoms)["energy"]) for atoms in self.start):
            raise ValueError(
                "The first round trains on `start`, structures with energies and forces. "
                f"Received {len(self.start)} structures, some without an energy."
            )
        self.history = []
        self._record()

    def _record(self):
        record = {"count": self.count, "start": [round(float(labels(atoms)["energy"]), 6) for atoms in self.start]}
        path = self.folder / RECORD
        if not path.exists():
            with replace_when_complete(path) as part:
                part.write_text(json.dumps(record))
        elif json.loads(path.read_text()) != record:
            raise ValueError(f"{self.folder} holds a loop with another start or count. Give this loop another folder.")

    def run(self, rounds):
        """Do so many rounds, counted from the first, and train on all that is known then.

        Args:
            rounds: Number of rounds. A loop that has done five and is run for eight does three more.

        Returns:
            The model of the last training. If the pool is empty before, the loop ends with what is known.
        """
        known, self.history = list(self.start), []
        for number in range(rounds):
            model = self.model(number, known)
            picked = self._picked(number, model, known)
            if not picked:
                break
            known += self._labelled(number, picked)
        else:
            number = rounds
        return self.model(number, known)

    def model(self, number, known):
        """The ensemble of a round, trained if it is not there."""
        path = self._place(number) / MODEL
        if not path.exists():
            model = self.train(list(known), number)
            model.save(path)
        # Also of the first time, so that a loop that was killed is the same as one that was not.
        return load(path)

    def known(self):
        """The structures with labels so far: the start, and those of the rounds."""
        found, number = list(self.start), 0
        while (folder := self._place(number)).exists():
            found += [_read_label(file) for file in sorted(folder.glob("label_*.xyz"))]
            number += 1
        return found

    def _place(self, number):
        return self.folder / f"round_{number:03d}"

    def _picked(self, number, model, known):
        """Structures of a round without labels, as they are in the file."""
        path, summary = self._place(number) / PICKED, self._place(number) / SUMMARY
        if not path.exists():
            candidates, places = self._candidates(number, model)
            if not candidates:
                return []
            spreads = uncertainty(model, candidates)
            chosen = list(self.select(model, candidates, known, min(self.count, len(candidates)), scores(spreads)))
            spreads = spreads["forces"]
            values = {"known": len(known), "picked": float(spreads[chosen].mean()), "candidates": float(spreads.mean())}
            with replace_when_complete(summary) as part:
                part.write_text(json.dumps(values))
            picked = [_bare(candidates[place], candidate=places[place], uncertainty=float(spreads[place])) for place in chosen]
            with replace_when_complete(path) as part:
                write(part, picked, format="extxyz")
        self.history.append(json.loads(summary.read_text()))
        return read(path, ":", format="extxyz")

    def _candidates(self, number, model):
        """Candidates of a round, and their places in the pool."""
        if callable(self.candidates):
            made = checked_candidates(self.candidates(model, number))
            return made, list(range(len(made)))
        taken = {
            atoms.info["candidate"]
            for earlier in range(number)
            for atoms in read(self._place(earlier) / PICKED, ":", format="extxyz")
        }
        places = [place for place in range(len(self.candidates)) if place not in taken]
        return [self.candidates[place] for place in places], places

    def _labelled(self, number, picked):
        found = []
        for place, atoms in enumerate(tqdm(picked, f"labels of round {number}", leave=False, delay=2)):
            path = self._place(number) / f"label_{place:03d}.xyz"
            if not path.exists():
                with replace_when_complete(path) as part:
                    write(part, self._computed(atoms), format="extxyz")
            found.append(_read_label(path))
        return found

    def _computed(self, atoms):
        """A copy of atoms with what the oracle says of them."""
        asked = atoms.copy()
        asked.calc = self.oracle
        found = {"energy": asked.get_potential_energy(), "forces": asked.get_forces()}
        if "stress" in self.oracle.implemented_properties and atoms.cell.rank == 3:
            found["stress"] = asked.get_stress()
        for name, value in found.items():
            if not np.isfinite(value).all():
                raise ValueError(
                    f"The oracle gives a {name} that is not finite for {atoms.get_chemical_formula()}. The structure is in "
                    f"{self.folder} and is computed again when the loop goes on."
                )
        atoms.calc = Labels(atoms, **found)
        return atoms


def _bare(atoms, **info):
    """A copy without labels."""
    copy = atoms.copy()
    copy.calc = None
    for name in (name for names in KEYS.values() for name in names):
        copy.info.pop(name, None)
        copy.arrays.pop(name, None)
    copy.set_constraint()
    copy.info |= info
    return copy


def _read_label(path):
    return read_data(path)[0]
