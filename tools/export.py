"""Write a model as an artifact that runs without this library: a SavedModel for TensorFlow and C++, or StableHLO for JAX.

The artifact is a folder: the function, its description with checksums, and `calculator.py`, which needs NumPy, ASE, vesin and
TensorFlow or JAX. It is run in a fresh process and compared with the model before it takes its name.

An artifact is a program, a SavedModel too: run only those of people whom you trust. Checksums tell damage, not who wrote a file.

  keras-ff export silicon.keras --to saved_model
  keras-ff export runs/first/best.keras -o silicon --to stablehlo --dtype float64
  keras-ff export runs/first/best.keras -o silicon --structures test.xyz@0:5

In Python, without keras_ff:  from calculator import ArtifactCalculator;  atoms.calc = ArtifactCalculator("silicon")
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder, whose best.keras is taken")
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", help="folder of the artifact; by default the name of the model without .keras"
    )
    parser.add_argument(
        "--to", choices=("saved_model", "stablehlo"), default="saved_model", help="saved_model (default), or stablehlo (JAX)"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="by default that of the model")
    parser.add_argument("--structures", metavar="FILE", help="structures that artifact and model are compared on")


def run(args: argparse.Namespace) -> None:
    """Write the artifact, and print how it compares with the model."""
    from keras_ff import data, load
    from keras_ff.export import export
    from keras_ff.models.files import model_file
    from keras_ff.models.preset_files import PREFIX

    path = model_file(args.model)
    # Not into the installed package.
    beside = args.model.removeprefix(PREFIX) if args.model.startswith(PREFIX) else path.with_suffix("")
    folder = args.out or beside
    model = load(path, dtype=args.dtype)
    structures = data.read(args.structures) if args.structures else ()
    difference = export(model, folder, to=args.to, structures=structures)
    print(f"{folder}: {args.to}, {model.compute_dtype}, species {' '.join(model.species)}, cutoff {model.cutoff:g} Å")
    print(
        f"In a fresh process it differs from the model by at most {difference['energy']:.1e} eV and "
        f"{difference['gradient']:.1e} eV/Å for one atom; a call takes {difference['milliseconds']:.2f} ms."
    )
