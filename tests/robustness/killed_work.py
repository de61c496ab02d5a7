"""Work that the tests kill. Each line "WORK FOLDER" on the input begins one in a fork, whose number and exit status are printed.

The imports take longer than the work, and are made once; the backend begins in the fork.
"""

import json
import os
import sys
import traceback
from pathlib import Path

# The folders of tests that share data.
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tools")]

from ase.build import bulk  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402
from silicon_run import SILICON  # noqa: E402
from small_data import copper  # noqa: E402

import keras_ff as kff  # noqa: E402
from keras_ff import backend  # noqa: E402
from keras_ff.active import ActiveLearning  # noqa: E402
from keras_ff.data import Dataset, labels  # noqa: E402
from keras_ff.fitting import DataTarget, Fit, Target  # noqa: E402
from keras_ff.potentials import NeuralIL, StillingerWeber  # noqa: E402
from keras_ff.properties import EnergyPerAtom  # noqa: E402
from keras_ff_tools.main import main  # noqa: E402


def silicon_model(path):
    if not path.exists():
        kff.ForceField(StillingerWeber.silicon(train=["epsilon", "lam"])).save(path)
    return path


def train(folder):
    run = folder / "run"
    if (run / "config.yaml").exists():
        return main(["train", "--resume", str(run)])
    words = ["--train", f"{SILICON}@0:6", "--valid", f"{SILICON}@6:8", "--epochs", "40", "--max-shapes", "1"]
    return main(["train", "--start", str(silicon_model(folder / "start.keras")), *words, "--out", str(run)])


def convert(folder):
    status = 0
    for name in ("data.h5", "data.xyz"):
        status |= main(["convert", *[str(SILICON)] * 12, "-o", str(folder / name), "--no-check"])
    return status


def export(folder):
    to = "stablehlo" if backend.backend_name() == "jax" else "saved_model"
    return main(["export", str(silicon_model(folder / "model.keras")), "--out", str(folder / "artifact"), "--to", to])


def fit(folder):
    potential = StillingerWeber.silicon(train=["epsilon", "lam"])
    potential.set_parameters(epsilon=1.5, lam=30.0)
    model = kff.ForceField(potential)
    data = DataTarget(kff.data.read(f"{SILICON}@0:3"), model)
    done = Fit(model, {"energy": Target(EnergyPerAtom(model, bulk("Si", a=5.43)), -4.5), "data": data}, folder / "fit")
    before = done.best and done.best[0]["total"]
    after = done.minimize(100, verbose=0)["total"]
    assert before is None or after <= before * (1 + 1e-5), (before, after)
    (folder / "result.json").write_text(json.dumps(after))


def active(folder):
    def trained(structures, number):
        model = kff.Ensemble(NeuralIL(["Cu"], cutoff=3.5, n_max=1, members=2))
        model.adapt(Dataset(structures, model))
        return model

    loop = ActiveLearning(EMT(), trained, copper(8, seed=4), copper(2), count=2, folder=folder / "loop")
    loop.run(3)
    known = [[atoms.positions.tolist(), labels(atoms)["energy"]] for atoms in loop.known()]
    (folder / "result.json").write_text(json.dumps(known))


def begin(work, folder):
    """Do the work in this process, a fork, and end it."""
    status = 1
    try:
        with open(folder / "output.txt", "a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        status = WORKS[work](folder) or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


WORKS = {"train": train, "convert": convert, "export": export, "fit": fit, "active": active}

if __name__ == "__main__":
    for line in sys.stdin:
        work, folder = line.split()
        process = os.fork()
        if not process:
            begin(work, Path(folder))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
