"""Active learning on silicon: `keras-ff benchmark active-learning`.

The training set of mlearn is the pool, and its labels are the oracle. Structures are picked at random and by
`keras_ff.active.pick`, each with three seeds; after each round a committee is trained anew and tested on the test set of mlearn.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

import keras_ff as kff
from keras_ff.active import ActiveLearning, pick
from keras_ff.data import labels
from keras_ff_tools.benchmarks.measure import epochs_of, errors, mlearn, row
from keras_ff_tools.benchmarks.measure import train as fit

BATCH = 4


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Sizes of the experiment.

    Attributes:
        start: Number of structures to start with.
        count: Number of structures of a round.
        rounds: Number of rounds of each way of picking.
        seeds: Seeds of the repetitions.
        members: Number of members of the committee.
        cutoff: Its cutoff in Å.
        n_max: Size of its descriptor.
        steps: Training steps in each round.
    """

    start: int = 6
    count: int = 6
    rounds: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"active": 8, "random": 14})
    seeds: Sequence[int] = (0, 1, 2)
    members: int = 4
    cutoff: float = 5.0
    n_max: int = 4
    steps: int = 600

    def ensemble(self, seed: int) -> kff.Ensemble:
        """An untrained committee."""
        potential = kff.potentials.NeuralIL(["Si"], members=self.members, seed=seed, cutoff=self.cutoff, n_max=self.n_max)
        return kff.Ensemble(potential)

    def trained(self, structures: Sequence[Atoms], seed: int, shapes: Sequence) -> kff.Ensemble:
        """A committee that has learned structures in batches of these shapes."""
        model = self.ensemble(seed)
        data = kff.data.Dataset(structures, model, batch_size=BATCH, shapes=shapes, seed=seed, progress=False)
        model.adapt(data)
        fit(model, data, epochs_of(self.steps, data))
        return model


class Answers(Calculator):
    """The labels of the pool, found by the index in the pool."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, pool: Sequence[Atoms]):
        super().__init__()
        self.pool = pool

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Sequence[str] = all_changes
    ) -> None:
        """Look the labels up."""
        super().calculate(atoms, properties, system_changes)
        answer = self.pool[atoms.info["candidate"]]
        if not np.allclose(answer.positions, atoms.positions, atol=1e-6):
            raise ValueError("This is not the structure of the pool.")
        known = labels(answer)
        self.results = {name: known[name] for name in self.implemented_properties}


def learning_curve(
    experiment: Experiment, way: str, seed: int, pool: Sequence[Atoms], test: Sequence[Atoms], folder: Path
) -> list[tuple[int, float, float]]:
    """Number of structures, and RMSE of energies (meV/atom) and forces (meV/Å) after each round.

    Args:
        experiment: Sizes.
        way: "active" or "random".
        seed: Seed of the start, of the weights and of random picking.
        pool: Structures with labels.
        test: Structures that the committees are tested on.
        folder: Folder of the loop; a loop that was interrupted continues.
    """
    rng = np.random.default_rng([seed, 17])
    order = rng.permutation(len(pool))
    start, rest = ([pool[index] for index in some] for some in (order[: experiment.start], order[experiment.start :]))
    shapes = kff.data.Dataset([*pool, *test], experiment.ensemble(0), batch_size=BATCH, max_shapes=2, progress=False).shapes

    def at_random(model, candidates, known, count, worth):
        # A function of the number of known structures alone, so that a loop that continues is the same.
        return np.random.default_rng([seed, len(known)]).permutation(len(candidates))[:count]

    curve = []

    def train(structures, number):
        model = experiment.trained(structures, seed, shapes)
        curve.append((len(structures), *errors(model, test, "rmse", BATCH)))
        (folder / "curve.json").write_text(json.dumps(curve))
        print(f"  {way}, seed {seed}: {curve[-1]}", flush=True)
        return model

    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "curve.json").exists():
        curve += json.loads((folder / "curve.json").read_text())
    select = {"active": pick, "random": at_random}[way]
    ActiveLearning(Answers(rest), train, rest, start, experiment.count, folder, select=select).run(experiment.rounds[way])
    return curve


def curves(data: str, out: str, experiment: Experiment | None = None, every: int = 1) -> None:
    """Learning curves of both ways of picking.

    Args:
        data: Folder of the mlearn set.
        out: Folder of the loops and of the figure.
        experiment: Sizes of the experiment.
        every: Take every so many structures of the sets.
    """
    experiment = experiment or Experiment()
    pool, test = (mlearn(data, "Si", part)[::every] for part in ("train", "test"))
    results, folder = {way: [] for way in experiment.rounds}, Path(out) / "active_learning"
    for seed in experiment.seeds:
        for way, found in results.items():
            found.append(learning_curve(experiment, way, seed, pool, test, folder / f"{way}_{seed}"))
    report({way: np.array(found) for way, found in results.items()}, experiment, folder)


def report(curves: Mapping[str, np.ndarray], experiment: Experiment, folder: Path) -> None:
    """Print and draw learning curves `(seeds, rounds, 3)`."""
    title = f"Si, pool of mlearn, committee of {experiment.members}, {experiment.steps} steps"
    for way, found in curves.items():
        mean, deviation = found.mean(axis=0), found.std(axis=0, ddof=min(1, len(found) - 1))
        for index in range(0, len(mean), 2):
            count, energy, forces = mean[index]
            row(
                f"{title}, {way}, {count:.0f} structures: test RMSE",
                f"{energy:.1f} ± {deviation[index, 1]:.1f} meV/atom, {forces:.0f} ± {deviation[index, 2]:.0f} meV/Å",
            )
    for column, quantity, unit in ((1, "energy", "meV/atom"), (2, "forces", "meV/Å")):
        active, random = (curves[way][..., column].mean(axis=0) for way in ("active", "random"))
        counts = curves["random"][0, :, 0]
        for index in range(1, len(active), 2):
            known = curves["active"][0, index, 0]
            # Where random picking first is as good.
            reached = [count for count, error in zip(counts, random) if error <= active[index]]
            saved = f"{reached[0]:.0f}: {100 * (1 - known / reached[0]):.0f} % fewer" if reached else f"more than {counts[-1]:.0f}"
            row(f"{title}, RMSE of the {quantity} of {active[index]:.1f} {unit}", f"{known:.0f} structures, at random {saved}")
    drawn = {way: (found[0, :, 0], found[..., 2]) for way, found in curves.items()}
    kff.plots.learning_by_number(drawn, "RMSE of the forces (meV/Å)").savefig(folder / "active_learning.png")
    print(f"drawn in {folder / 'active_learning.png'}")
