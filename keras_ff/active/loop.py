"""The loop of active learning: train, pick, label, again; it may be killed at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
from ase.io import read, write
from tqdm import tqdm

from keras_ff.active.picking import checked_candidates, pick, scores, uncertainty
from keras_ff.data import labels
from keras_ff.data import read as read_data
from keras_ff.data.label_search import Labels, without_labels
from keras_ff.files import differences, exclusive, replace_when_complete
from keras_ff.files.fingerprints import fingerprint, of_config, of_structures
from keras_ff.models import load

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from keras_ff.models import Ensemble

# Names of files: the first in the folder of the loop, the others in that of a round.
RECORD, MODEL, SUMMARY, PICKED = "loop.json", "model.keras", "summary.json", "picked.xyz"


class ActiveLearning:
    """Active learning: rounds of training an ensemble, picking the structures that would teach it most, and labeling these.

        def train(structures, number):
            model = kff.Ensemble(NeuralIL(["Si"], members=4))
            ...  # Dataset, adapt, compile, fit
            return model

        loop = ActiveLearning(Espresso(...), train, pool, start, count=10, folder="active")
        model = loop.run(rounds=5)

    Everything is written into the folder as soon as it is known: `round_000/model.keras`, `picked.xyz`, and a file for each label.
    The same script, started again after a kill, continues where it was: no round is trained twice, no structure is picked anew, and
    no complete label is computed twice. The folder belongs to this oracle, start, count and pool; another loop is refused, and one
    process at a time works in it. What functions do is not compared: give another folder when `train` changes.

    Args:
        oracle: Calculator of ASE that computes the labels: energies and forces, and stresses if it has them.
        train: Function of a list of labeled structures and the number of the round, counted from 0, that returns a trained
            `Ensemble`.
        candidates: List of `ase.Atoms`, a pool from which each is picked at most once; or a function of the model and the number of
            the round that returns such a list for this round, see `explore` and `adversarial`.
        start: List of labeled `ase.Atoms` for the first round.
        count: Number of structures to label in a round.
        folder: Folder for models, structures and labels.
        select: Function that chooses structures: of the model, the candidates, the labeled structures, the count, and the `scores`
            of the candidates; it returns indices of the candidates. `pick` by default.

    Attributes:
        history: List of dicts, one for each round of `run`: the number of labeled structures as `known`, and the mean
            `uncertainty` of the forces in eV/Å over the structures that were `picked` and over all `candidates`.

    Raises:
        ValueError: If `start` has no labels, a candidate has no atoms or positions that are not finite, the count is not positive,
            or the folder holds another loop or a damaged file.
        OSError: If another process works in the folder.

    Reference:
        Settles, Active Learning Literature Survey, University of Wisconsin-Madison (2009), on pools and queries.
    """

    def __init__(
        self,
        oracle: Calculator,
        train: Callable[[list[Atoms], int], Ensemble],
        candidates: Sequence[Atoms] | Callable[[Ensemble, int], list[Atoms]],
        start: Sequence[Atoms],
        count: int,
        folder: str | Path,
        select: Callable = pick,
    ):
        if count < 1:
            raise ValueError(f"A round labels at least one structure. Received count={count}.")
        self.oracle, self.train, self.select = oracle, train, select
        self.candidates = candidates if callable(candidates) else checked_candidates(candidates)
        self.start, self.count, self.folder = list(start), int(count), Path(folder)
        if not self.start or not all(np.isfinite(labels(atoms)["energy"]) for atoms in self.start):
            raise ValueError(
                "The first round trains on `start`, structures with energies and forces. "
                f"Received {len(self.start)} structures, some without an energy."
            )
        self.history = []
        with exclusive(self.folder):
            self._record()

    def _record(self):
        """Write what the folder belongs to, or compare it with what is there."""
        pool = "function" if callable(self.candidates) else of_structures(self.candidates)
        record = {
            "count": self.count,
            "start": of_structures(self.start, map(labels, self.start)),
            "candidates": pool,
            "oracle": _described(self.oracle),
            "select": getattr(self.select, "__name__", type(self.select).__name__),
        }
        path = self.folder / RECORD
        if not path.exists():
            with replace_when_complete(path) as part:
                part.write_text(json.dumps(record))
            return
        then = _read_json(path)
        if isinstance(then.get("start"), list):
            # A folder of an earlier version, which knows the energies of the start.
            record |= {"start": [round(float(labels(atoms)["energy"]), 6) for atoms in self.start]}
            record = {name: record[name] for name in then if name in record}
        if found := differences(then, record):
            raise ValueError(
                f"{self.folder} holds another loop. What differs: {'; '.join(found)}. Give this loop another folder; or, if the "
                f"labels there are good for this one too, remove {path}."
            )

    def run(self, rounds: int) -> Ensemble:
        """Run the loop up to a number of rounds, and train once more on all labels.

        Args:
            rounds: Number of rounds, counted from the first: a loop that has done five and is run for eight does three more. It
                ends earlier if the pool is empty.

        Returns:
            Model of the last training.

        Raises:
            ValueError: If the oracle returns an energy, forces or a stress that are not finite, or a file in the folder is damaged.
            OSError: If another process works in the folder.
        """
        known, self.history = list(self.start), []
        with exclusive(self.folder):
            for number in range(rounds):
                model = self.model(number, known)
                picked = self._picked(number, model, known)
                if not picked:
                    break
                known += self._labeled(number, picked)
            else:
                number = rounds
            return self.model(number, known)

    def model(self, number: int, known: Sequence[Atoms]) -> Ensemble:
        """Return the ensemble of a round: the one in the folder, or one that is trained now.

        Args:
            number: Number of the round, counted from 0.
            known: Labeled structures to train on.
        """
        path = self._folder(number) / MODEL
        if not path.exists():
            model = self.train(list(known), number)
            model.save(path)
        # Loaded also after training, so that a loop that was killed is the same as one that was not.
        return load(path)

    def known(self) -> list[Atoms]:
        """Return all labeled structures so far: the start, and those in the folder."""
        structures, number = list(self.start), 0
        while (folder := self._folder(number)).exists():
            structures += [_read_label(file) for file in sorted(folder.glob("label_*.xyz"))]
            number += 1
        return structures

    def _folder(self, number):
        return self.folder / f"round_{number:03d}"

    def _picked(self, number, model, known):
        """Structures that are to be labeled in a round, as they are in the file, which is written if it is not there."""
        path, summary = self._folder(number) / PICKED, self._folder(number) / SUMMARY
        if not path.exists():
            candidates, indices = self._candidates(number, model)
            if not candidates:
                return []
            spreads = uncertainty(model, candidates)
            chosen = list(self.select(model, candidates, known, min(self.count, len(candidates)), scores(spreads)))
            spreads = spreads["forces"]
            values = {"known": len(known), "picked": float(spreads[chosen].mean()), "candidates": float(spreads.mean())}
            with replace_when_complete(summary) as part:
                part.write_text(json.dumps(values))
            picked = [_bare(candidates[i], candidate=indices[i], uncertainty=float(spreads[i])) for i in chosen]
            with replace_when_complete(path) as part:
                write(part, picked, format="extxyz")
        self.history.append(_read_json(summary))
        return _read_frames(path)

    def _candidates(self, number, model):
        """Candidates of a round, and their indices in the pool."""
        if callable(self.candidates):
            made = checked_candidates(self.candidates(model, number))
            return made, list(range(len(made)))
        taken = {atoms.info.get("candidate") for earlier in range(number) for atoms in _read_frames(self._folder(earlier) / PICKED)}
        indices = [index for index in range(len(self.candidates)) if index not in taken]
        return [self.candidates[index] for index in indices], indices

    def _labeled(self, number, picked):
        """Structures of a round with the labels that are in the folder or computed now."""
        structures = []
        for index, atoms in enumerate(tqdm(picked, f"labels of round {number}", leave=False, delay=2)):
            path = self._folder(number) / f"label_{index:03d}.xyz"
            if not path.exists():
                with replace_when_complete(path) as part:
                    write(part, self._computed(atoms), format="extxyz")
            structures.append(_read_label(path))
        return structures

    def _computed(self, atoms):
        """The structure with labels that the oracle computes."""
        copy = atoms.copy()
        copy.calc = self.oracle
        results = {"energy": copy.get_potential_energy(), "forces": copy.get_forces()}
        if "stress" in self.oracle.implemented_properties and atoms.pbc.all():
            results["stress"] = copy.get_stress()
        for name, value in results.items():
            if not np.isfinite(value).all():
                raise ValueError(
                    f"The oracle returned {name} that are not finite for {atoms.get_chemical_formula()}. The structure is in "
                    f"{self.folder} and is computed again when the loop continues."
                )
        atoms.calc = Labels(atoms, **results)
        return atoms


def _bare(atoms, **info):
    """Copy of a structure without labels and constraints."""
    copy = without_labels(atoms)
    copy.set_constraint()
    copy.info |= info
    return copy


def _described(oracle):
    """Class and settings of a calculator; not where its files and programs lie, which differ between computers."""
    settings = getattr(oracle, "parameters", None) or {}
    kept = {name: value for name, value in settings.items() if isinstance(value, (bool, int, float))}
    model = getattr(oracle, "model", None)
    if isinstance(model, keras.Model):
        kept["model"] = fingerprint([of_config(model.get_config()), model.get_weights()])
    return {"class": type(oracle).__name__, **kept}


def _read_label(path):
    return _read_frames(path, read_data)[0]


def _read_json(path):
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        content = error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged or missing ({content}). Restore it from a copy, or give the loop another folder.")
    return content


def _read_frames(path, reader=None):
    """Structures of a file that the loop wrote: whatever ASE raises for a damaged one becomes a sentence."""
    try:
        return reader(path) if reader else read(path, ":", format="extxyz")
    except Exception as error:
        raise ValueError(f"{path} is damaged ({error}). Remove it, and the loop makes it anew.") from error
