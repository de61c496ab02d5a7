"""Which structures are told apart from those of a training set: `keras-ff benchmark extrapolation`."""

from pathlib import Path

import numpy as np
from ase import Atoms

import keras_ff as kff
from keras_ff.models import extrapolation_grades, learn_extrapolation
from keras_ff_tools.benchmarks.measure import mlearn, row


def grades(data: str, out: str, n_max: int = 4, every: int = 1) -> None:
    """A model of cool silicon meets its like, and hot, compressed and surface structures.

    Args:
        data: Folder of the mlearn set.
        out: Folder of the figure.
        n_max: Size of the descriptor.
        every: Take every so many structures of the set.
    """
    sets = silicon(data, every)
    model = kff.ForceField(kff.potentials.NeuralIL(["Si"], n_max=n_max))
    learn_extrapolation(model, kff.data.Dataset(sets.pop("training"), model, batch_size=8, max_shapes=2))
    function = extrapolation_grades(model)
    found = {}
    for name, structures in sets.items():
        batches = kff.data.Dataset(structures, model, batch_size=8, max_shapes=2, shuffle=False)
        found[name] = np.concatenate(
            [
                np.asarray(function(batches[index][0])["distance"]).max(axis=1)[batches.indices(index) >= 0]
                for index in range(len(batches))
            ]
        )
    inside = found.pop("like the training set")
    row("Si, distance of descriptors, structures like the training set", f"{100 * np.mean(inside > 1):.0f} % above the threshold")
    for name, some in found.items():
        above, area = 100 * np.mean(some > 1), np.mean(some[:, None] > inside)
        row(
            f"Si, distance of descriptors, {len(some)} structures, {name}",
            f"{above:.0f} % above the threshold; area under the ROC curve {area:.3f}",
        )
    path = Path(out) / "extrapolation.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    kff.plots.roc(inside, found, "Silicon beyond the training set").savefig(path)
    print(f"drawn in {path}")


def silicon(data: str, every: int = 1) -> dict[str, list[Atoms]]:
    """Every so many structures of the mlearn set, in groups.

    They are told apart by their energy: some temperatures in the files are not those of the structures.
    """
    structures = [atoms for part in ("train", "test") for atoms in mlearn(data, "Si", part)][::every]
    surfaces = [atoms for atoms in structures if atoms.info["group"] == "Surface"]
    others = [atoms for atoms in structures if atoms.info["group"] != "Surface"]
    energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in others])
    order = np.random.default_rng(0).permutation(len(others))
    cool = [others[index] for index in order if energies[index] < -5.3]
    part = 2 * len(cool) // 3
    compressed = [atoms.copy() for atoms in cool[part : part + 15]]
    for atoms in compressed:
        atoms.set_cell(0.93 * atoms.cell, scale_atoms=True)
    return {
        "training": cool[:part],
        "like the training set": cool[part:],
        "hot (above -4.8 eV/atom)": [others[index] for index in order if energies[index] > -4.8],
        "surfaces": surfaces,
        "compressed by 7 % along all directions": compressed,
    }
