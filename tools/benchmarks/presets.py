"""The presets that come with the library are written here: `keras-ff benchmark presets`."""

import csv
from pathlib import Path

import keras

import keras_ff as kff
from keras_ff.models.preset_files import PRESETS
from keras_ff.potentials import BKS, EDIP, StillingerWeber, Tersoff
from keras_ff_tools.benchmarks import ean, spline_networks
from keras_ff_tools.benchmarks.measure import mlearn, row
from keras_ff_tools.run.evaluation import predict, spreads
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.training import TrainingRun

ELEMENTS = {"Si": "silicon", "Ge": "germanium", "Li": "lithium", "Mo": "molybdenum", "Ni": "nickel", "Cu": "copper"}

OURS = "The model is under the license of keras_ff, Apache-2.0."
MLEARN_DATA = "Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020), doi 10.1021/acs.jpca.9b08723 (data)"
MLEARN = {
    "license": f"The data are under the BSD-3-Clause license, (c) 2019 Materials Virtual Lab. {OURS}",
    "citation": f"{MLEARN_DATA}; H. Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022) (NeuralIL).",
}

# The repository of mlearn lacks these two training sets.
REBUILT = (
    " The training structures are those within the GAP of the same authors, `mvl_models/ELEMENT/gap/gap.xml` of their repository."
)

# The element whose spline network is a preset.
SPLINES = "Li"

# Settings of the committee other than the defaults; ten of the 60 structures are its validation set.
COMMITTEE = {"valid_fraction": 0.17, "cutoff": 3.5, "n_max": 4, "members": 4, "epochs": 180}

# Title and reference of each classical potential, and its constructor.
CLASSICAL = {
    "silicon_stillinger_weber": (
        "Stillinger-Weber silicon, as published",
        "F. H. Stillinger and T. A. Weber, Phys. Rev. B 31, 5262 (1985).",
        StillingerWeber.silicon,
    ),
    "silicon_edip": (
        "EDIP silicon, as published",
        "J. F. Justo, M. Z. Bazant, E. Kaxiras, V. V. Bulatov and S. Yip, Phys. Rev. B 58, 2539 (1998).",
        EDIP.silicon,
    ),
    "silicon_tersoff": ("Tersoff silicon, as published", "J. Tersoff, Phys. Rev. B 37, 6991 (1988).", Tersoff.silicon),
    "silica_bks": (
        "BKS silica with Ewald sum, as published",
        "B. W. H. van Beest, G. J. Kramer and R. A. van Santen, Phys. Rev. Lett. 64, 1955 (1990).",
        BKS.silica,
    ),
}


def networks(data: str, out: str, presets: Path = PRESETS) -> None:
    """NeuralIL of the elements of mlearn, from the runs of `keras-ff benchmark choice`.

    Args:
        data: Folder with the folder mlearn.
        out: Folder of the runs.
        presets: Folder that is written to.
    """
    for symbol, name in ELEMENTS.items():
        run = RunFolder(Path(out) / "choice" / f"{symbol}_0")
        if not run.best.exists():
            row(f"{name}_mlearn", "left out: there is no run")
            continue
        settings, model = run.settings(), kff.load(run.best)
        train, test = (mlearn(Path(data) / "mlearn", symbol, part) for part in ("train", "test"))
        about = {
            "title": f"{name.capitalize()}: NeuralIL trained on the mlearn set",
            "data": f"Energies and forces of mlearn (density functional theory, VASP, PBE): {len(train)} structures, a tenth of "
            f"which chose between two models; {len(test)} others of the same simulations to test. Stresses were not trained."
            + REBUILT
            * (symbol in ("Ni", "Cu")),
            "command": f"`keras-ff train --train {symbol}_train.xyz --test {symbol}_test.xyz --epochs {settings.epochs}"
            f"{' --force' * settings.force}`",
            **MLEARN,
        }
        _write(model, presets / f"{name}_mlearn", about, _errors(run.path / "errors_test.csv"))


def committee(data: str, out: str, presets: Path = PRESETS) -> None:
    """Committee for ethylammonium nitrate, calibrated on its validation set. A run that is there is not repeated.

    Args:
        data: Folder with the folder neuralil.
        out: Folder of the runs.
        presets: Folder that is written to.
    """
    name = "ethylammonium_nitrate"
    folder = RunFolder(Path(out) / "presets" / name)
    train, test = ean.split(Path(data) / "neuralil", folder.path.parent / "ean")
    settings = folder.settings() if folder.exists else Settings(train=train, test=test, **COMMITTEE)
    run = TrainingRun(settings, folder)
    result = run.finish()
    result.model.calibrate(run.valid)
    given = " ".join(f"--{option.replace('_', '-')} {getattr(settings, option)}" for option in COMMITTEE)
    about = {
        "title": "Ethylammonium nitrate: a committee of NeuralIL",
        "data": f"Energies and forces of the liquid (density functional theory), the published validation set of NeuralIL, split: "
        f"{len(run.train.structures)} structures to train, {len(run.valid.structures)} that chose between two models and to which "
        f"the spread was calibrated, {len(run.test)} to test. The forces of a cell do not sum to zero: they have a noise of some "
        "45 meV/Å that no model reproduces. All cells have one composition, and energies mean nothing for others. No stresses were "
        "trained.",
        "command": f"`keras-ff train --train ean_train.xyz --test ean_test.xyz {given}`, and `Ensemble.calibrate` on its "
        "validation set: `keras-ff benchmark presets --only committee`",
        "license": f"The data are those of github.com/Madsen-s-research-group/neuralil-public-releases, Apache-2.0. {OURS}",
        "citation": "H. Montes-Campos et al., J. Chem. Inf. Model. 62, 88 (2022) (data and NeuralIL).",
    }
    _write(result.model, presets / name, about, result.predictions.errors(), spreads(result.model, run.test, settings.batch_size))


def splines(data: str, presets: Path = PRESETS) -> None:
    """`SplineNetwork` of one element of mlearn, trained as `keras-ff benchmark spline-networks` does.

    Args:
        data: Folder with the folder mlearn.
        presets: Folder that is written to.
    """
    train, test = (mlearn(Path(data) / "mlearn", SPLINES, part) for part in ("train", "test"))
    keras.utils.set_random_seed(0)
    potential = kff.potentials.SplineNetwork([SPLINES], spline_networks.CUTOFFS[SPLINES], units=spline_networks.UNITS)
    model = kff.ForceField(potential)
    spline_networks.fit(model, train, spline_networks.STEPS)
    name = ELEMENTS[SPLINES]
    about = {
        "title": f"{name.capitalize()}: spline network trained on the mlearn set",
        "data": f"Energies and forces of mlearn (density functional theory, VASP, PBE): {len(train)} structures; {len(test)} "
        "others of the same simulations to test. Stresses were not trained.",
        "command": "`keras-ff benchmark presets --only splines`",
        **MLEARN,
        "citation": f"{MLEARN_DATA}; J. A. Vita and D. R. Trinkle, Comput. Mater. Sci. 232, 112655 (2024) (spline networks).",
    }
    _write(model, presets / f"{name}_splines", about, predict(model, test, progress=False).errors())


def classical(data: str, presets: Path = PRESETS) -> None:
    """Classical potentials with their published parameters.

    Their zero of energy is that of separated atoms, so that errors of forces and stress alone are measured, on silicon.

    Args:
        data: Folder with the folder mlearn.
        presets: Folder that is written to.
    """
    kff.enable_float64()
    silicon = mlearn(Path(data) / "mlearn", "Si", "test")
    for name, (title, citation, make) in CLASSICAL.items():
        model = kff.ForceField(make(dtype="float64"))
        about = {
            "title": title,
            "data": "Published parameters; the tests of keras_ff compare energies, forces and stresses with those of LAMMPS. The "
            "zero of energy is that of separated atoms.",
            "license": OURS,
            "citation": citation,
        }
        rows = []
        if model.species == ["Si"]:
            rows = [one for one in predict(model, silicon, progress=False).errors() if one["label"] != "energy"]
            about["data"] += (
                " Errors are those of the silicon of mlearn (density functional theory, PBE), which they were not made for."
            )
            about["citation"] += " Test set: Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020)."
        _write(model, presets / name, about, rows)


def _errors(file):
    """Rows that a run wrote, with numbers."""
    text = ("group", "label", "unit")
    with open(file, encoding="utf-8", newline="") as lines:
        rows = [{name: value if name in text else float(value) for name, value in one.items()} for one in csv.DictReader(lines)]
    return [{**one, "count": int(one["count"])} for one in rows]


def _write(model, folder, about, errors, spreads=()):
    model.save_to_preset(folder, **about, errors=errors, spreads=spreads)
    row(folder.name, f"{sum(file.stat().st_size for file in folder.iterdir()) / 1024:.0f} KiB")
