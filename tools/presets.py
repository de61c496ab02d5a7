"""Presets: finished models that come with the library, each with a card.

  keras-ff presets                         their names, elements, errors on a test set, and sizes
  keras-ff presets silicon_mlearn          the card of one: errors by group, data, license, what to cite

A preset is named where a model file is expected, with preset: before it; no training is needed.

  keras-ff relax preset:silicon_mlearn structures.xyz -o relaxed.xyz
  keras-ff train --start preset:silicon_mlearn --train more.xyz

In Python:  model = keras_ff.ForceField.from_preset("silicon_mlearn"), whatever the kind of the model; that of a committee is an
Ensemble, whose calculators tell how sure it is.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a preset, or its folder: print its card")


def run(args: argparse.Namespace) -> None:
    """Print the table of the presets, or the card of one."""
    from keras_ff.models.cards import card
    from keras_ff.models.preset_files import preset_folder, read_metadata

    if args.name:
        folder = preset_folder(args.name)
        print(f"{card(read_metadata(folder))}\nThe files are in {folder}")
    else:
        print(_table())


def _table():
    from keras_ff.models.preset_files import preset_file, presets

    rows = [("name", "elements", "test MAE of energy, forces", "size", "")]
    for name, about in presets().items():
        size = f"{preset_file(name).stat().st_size / 1024:.0f} KiB"
        rows.append((name, " ".join(about["species"]), _errors(about["errors"]), size, about["title"]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows)


def _errors(rows):
    of_all = [row for row in rows if row["group"] == "all" and row["label"] != "stress"]
    return ", ".join(f"{row['mae']:.3g} {row['unit']}" for row in of_all) or "-"
