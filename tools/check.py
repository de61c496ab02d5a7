"""Test a saved model: does it obey the laws of physics and of training on your structures?

A double-precision copy of the model must have forces and stress that are derivatives of its energy, must not
care about rotation, order, translation, doubled cells and padding, must not jump at its cutoff, and must give
finite derivatives by its weights in the hard cases too. Then single precision is compared with double, and this
backend with the other one, which works in a process of its own.

  keras-ff check runs/first/best.keras test.xyz
  keras-ff check silicon.keras                       on a made-up crystal of the elements of the model
  keras-ff check mine.keras test.xyz --import mine   where the module mine.py defines your potential

The exit status is 1 if a law fails.
"""

import argparse
import dataclasses
from pathlib import Path

# Of single precision, relative to the largest energy or force. Networks that were trained far lose more digits than new ones.
SINGLE_PRECISION = 5e-5
# Displacement in Å that takes crystals away from positions where forces vanish by symmetry.
RATTLE = 0.01


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a run folder with best.keras")
    parser.add_argument("structures", metavar="STRUCTURES", nargs="?", help="a file of structures that ASE reads")
    parser.add_argument(
        "--frames",
        type=_positive,
        default=3,
        metavar="N",
        help="number of structures to look at, spread over the file (default: 3)",
    )
    parser.add_argument(
        "--import", dest="modules", action="append", default=[], metavar="MODULE", help="a module with classes of yours"
    )


def run(args):
    """Print the table of laws; returns 1 if one fails."""
    import importlib
    import os
    import sys

    if args.modules:
        # As `python` itself looks for them; and the process of the other backend too.
        sys.path.insert(0, os.getcwd())
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    for name in args.modules:
        importlib.import_module(name)
    from keras_ff import load
    from keras_ff.testing import Probe

    path = Path(args.model)
    path = path / "best.keras" if path.is_dir() else path
    model = load(path)
    structures = _structures(args.structures, args.frames, model.species)
    single = _single_precision(model)
    probe = Probe(load(path, dtype="float64"), structures[0], rattle=RATTLE)
    print(_header(path, model, structures, args.structures), flush=True)
    print(_line("law", "verdict", "worst", "allowed"), flush=True)
    failed = notes = count = 0
    for result, needed in _results(probe, single, structures, path, args.modules):
        if result is None:
            continue
        verdict = "PASS" if result.passed else "FAIL" if needed else "note"
        count += needed
        failed += verdict == "FAIL"
        notes += verdict == "note"
        print(_line(result.name, verdict, f"{result.deviation:.1e}", f"{result.tolerance:.0e}"), flush=True)
        if not result.passed:
            print(f"    {result.detail}", flush=True)
    print(f"\n{count - failed} of {count} laws hold." + (f" {failed} FAIL." if failed else ""))
    if notes:
        print("A note is no failure: forces are continuous, but force constants jump where a neighbor crosses the cutoff.")
    if _other() is None:
        print("The other backend is not installed, so agreement of the backends was not tested.")
    print("Deviations are relative to the largest number of their kind, or to 1 eV, 1 eV/Å, 0.01 eV/Å³ if that is larger.")
    return 1 if failed else 0


def _results(probe, single, structures, path, modules):
    """Pairs of a `LawResult` (or None) and whether the model must pass it."""
    from keras_ff import testing

    yield _finite(probe, structures), True
    laws = (
        testing.forces_are_derivatives,
        testing.stress_is_a_derivative,
        testing.rotation,
        testing.reflection,
        testing.permutation,
        testing.translation,
        testing.supercell,
        testing.padding,
        testing.isolated_atoms,
    )
    for law in laws:
        yield _worst_of(probe, law, structures), True
    probe.look_at(structures[0], RATTLE)
    for order in (0, 1, 2):
        yield testing.continuity(probe, order), order < 2
    for law in (testing.parameter_gradient, testing.parameter_curvature, testing.coincident_atoms, testing.saving):
        yield law(probe), True
    yield _precision(probe, single, structures), True
    yield testing.backends_agree(probe, path, structures, modules), True


def _worst_of(probe, law, structures):
    """The result of the structure that deviates most."""
    worst = None
    for index, structure in enumerate(structures):
        probe.look_at(structure, RATTLE)
        result = law(probe)
        if worst is None or not result.deviation <= worst.deviation:
            worst = dataclasses.replace(result, detail=f"Structure {index} ({structure.symbols}): {result.detail}")
        if not result.deviation >= 0:
            break
    return worst


def _finite(probe, structures):
    import numpy as np

    from keras_ff.testing import LawResult

    for index, (atoms, found) in enumerate(zip(structures, probe.evaluate(structures))):
        names = ["energies", "forces", *(["stress"] if atoms.pbc.all() else [])]
        bad = [name for name in names if not np.isfinite(found[name]).all()]
        if bad:
            return LawResult(
                "finite numbers", np.nan, 0.0, f"Structure {index} ({atoms.symbols}) has NaN or infinity in {', '.join(bad)}."
            )
    return LawResult("finite numbers", 0.0, 0.0)


def _single_precision(model):
    """A float32 copy, made before the process switches to float64."""
    from keras_ff import astype

    return astype(model, "float32")


def _precision(probe, single, structures):
    """Energies and forces of the float32 copy against the float64 one."""
    import keras

    from keras_ff import backend
    from keras_ff.testing.law import Worst

    batch = probe.batch(structures)
    expected = probe.outputs(batch)
    batch = {name: value.astype("float32") if value.dtype.kind == "f" else value for name, value in batch.items()}
    found = backend.jit(single.atomic, layer=single)(batch)
    found = {name: keras.ops.convert_to_numpy(value) for name, value in found.items()}
    worst = Worst()
    worst.compare("energy", found["energies"], expected["energies"], lambda index: f" of atom {index[1]} of structure {index[0]}")
    worst.compare("forces", found["forces"], expected["forces"], lambda index: f" of atom {index[1]} of structure {index[0]}")
    return worst.result("float32 against float64", SINGLE_PRECISION)


def _structures(source, frames, species):
    """Frames spread over the file, or a crystal made up of the species."""
    if source is None:
        return [_made_up(species)]
    from keras_ff.data import read

    found = read(source)
    step = max(1, (len(found) - 1) // max(frames - 1, 1))
    chosen = found[::step][:frames]
    for atoms in chosen:
        unknown = sorted(set(atoms.symbols) - set(species))
        if unknown:
            raise ValueError(
                f"{source} has a structure ({atoms.get_chemical_formula()}) with elements that the model does not know: {unknown}. "
                f"It was made for {species}."
            )
    return chosen


def _made_up(species):
    """Eight or more atoms of all species on a cubic lattice, as far apart as their covalent radii say."""
    import numpy as np
    from ase import Atoms
    from ase.data import atomic_numbers, covalent_radii

    size = max(2, int(np.ceil(len(species) ** (1 / 3))))
    spacing = 2.2 * np.mean([covalent_radii[atomic_numbers[symbol]] for symbol in species])
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    symbols = [species[index % len(species)] for index in range(len(grid))]
    atoms = Atoms(symbols, spacing * grid, cell=[spacing * size] * 3, pbc=True)
    atoms.rattle(0.1, seed=0)
    return atoms


def _other():
    from keras_ff.testing import other_backend

    return other_backend()


def _header(path, model, structures, source):
    from keras_ff import backend

    kind = " + ".join(type(term).__name__ for term in model.potential.terms())
    sizes = ", ".join(str(atoms.symbols) for atoms in structures[:5]) + (", .." if len(structures) > 5 else "")
    return (
        f"model       {path}: {kind} for {', '.join(model.species)}, cutoff {model.cutoff:g} Å, {model.compute_dtype}\n"
        f"backend     {backend.backend_name()}\n"
        f"structures  {source or 'made up'}: {sizes}; displaced by {RATTLE:g} Å\n"
    )


def _line(*columns):
    return "{:<44} {:<8} {:>9} {:>9}".format(*columns)


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a positive number of frames, not {text}")
    return value
