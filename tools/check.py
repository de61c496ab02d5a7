"""Test a saved model: does it obey the laws of physics and of training on your structures?

The laws are those of keras_ff.testing.check_potential: forces and stress are derivatives of the energy; rotation, order,
translation, doubled cells and padding change nothing; nothing jumps at the cutoff; derivatives with respect to the weights are
finite in the hard cases too; float32 loses no more digits than it must; saving is exact. Then this backend is compared with the
other one, which works in a process of its own. The table says for each law what is tested, and what you would see without it.

  keras-ff check runs/first/best.keras test.xyz
  keras-ff check silicon.keras                       on a made-up crystal of the elements of the model
  keras-ff check mine.keras test.xyz --import mine   where the module mine.py defines your potential

The exit status is 1 if a law fails.
"""

import argparse

# Displacement in Å that takes crystals away from positions where forces vanish by symmetry.
RATTLE = 0.01
# Laws that published potentials need not obey, and what helps where they fail.
ADVICE = {
    "nothing falls": "Networks know nothing of distances that no structure has: train with --core zbl, or add dense structures."
}
# Order of the derivative of the energy that each law is about.
CONTINUITY = {
    "continuity of the energy": 0,
    "continuity of the forces": 1,
    "continuity of the derivatives of the forces": 2,
}
# What each law means to those who use the model: what is tested, and what happens where it fails.
MEANINGS = {
    "finite numbers": "Energies, forces and stresses are finite numbers; otherwise simulations end in NaN.",
    "forces are derivatives": "Forces are minus the slopes of the energy; otherwise simulations gain or lose energy.",
    "stress is a derivative": "Stress is the slope of the energy with respect to strain; otherwise cells relax to a wrong size.",
    "double precision": "The energy follows moves of a millionth of an Å; otherwise phonons and elastic constants are noise.",
    "rotation": "A turned structure has the same energy and turned forces; otherwise results depend on how it lies in space.",
    "reflection": "A mirrored structure has the same energy; otherwise left-handed and right-handed molecules differ.",
    "permutation": "The order of atoms and neighbors changes nothing; otherwise one structure has several energies.",
    "translation": "A moved structure has the same energy; otherwise it jumps where atoms cross the boundary of the cell.",
    "supercell": "A doubled cell has twice the energy and the same forces; otherwise results depend on the size of the cell.",
    "padding": "What else is in the batch, and what fills it up, changes nothing; otherwise training and use disagree.",
    "isolated atoms": "An atom out of reach has no force and disturbs no other; otherwise gases and surfaces are wrong.",
    "float32 against float64": "Single precision loses no more digits than rounding explains; otherwise use --dtype float64.",
    "continuity of the energy": "No jump as an atom crosses the cutoff; otherwise each crossing adds or takes energy.",
    "continuity of the forces": "No jump as an atom crosses the cutoff; otherwise the energy drifts and relaxations get stuck.",
    "continuity of the derivatives of the forces": "No jump at the cutoff; otherwise phonons and elastic constants may jump there.",
    "parameter gradient": "The gradient that training follows is the slope of the loss; otherwise training goes astray.",
    "second parameter derivatives": "They are finite; otherwise fits that use curvatures end in NaN.",
    "gradient beside coincident atoms": "Two atoms at one position spoil no other frame; otherwise one bad frame stops a training.",
    "evaluation without compilation": "The compiler changes nothing; otherwise results differ between machines and versions.",
    "repetition": "The same structure has the same numbers again; otherwise nothing can be reproduced.",
    "members": "Members of a committee are sound, and it is their mean; otherwise its uncertainties mean nothing.",
    "new elements": "A new element begins with the energies of its twin; otherwise `with_species` starts from nonsense.",
    "saving and loading": "A loaded model is the one that was saved; otherwise a file is not what you trained.",
    "nothing falls": "Atoms that are pushed together rise in energy; otherwise hot or compressed simulations collapse.",
    "agreement": "The other backend has the same energies and forces; otherwise a file means two models.",
}


def add_arguments(parser):
    """Add the arguments of `keras-ff check` to a parser."""
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
        "--smoothness",
        type=int,
        choices=(-1, 0, 1, 2),
        default=1,
        help="number of derivatives of the energy that must be continuous at the cutoff: 1 for the forces, 2 for force constants "
        "too, -1 for a potential that is defined to end with a jump, as BKS is (default: 1)",
    )


def run(args):
    """Print the table of laws; returns 1 if one fails."""
    from keras_ff import load
    from keras_ff.models.files import model_file
    from keras_ff.testing import Probe
    from keras_ff_tools.run.references import open_combinations

    path = model_file(args.model)
    model = load(path)
    structures = _structures(args.structures, args.frames, model.species)
    probe = Probe(model, structures, rattle=RATTLE)
    print(_header(path, model, structures, args.structures), flush=True)
    print(_line("law", "verdict", "worst", "allowed"), flush=True)
    failed = failed_at_cutoff = notes = count = 0
    for result, needed in _results(probe, args.smoothness, path, args.modules):
        if result is None:
            continue
        advice = ADVICE.get(result.name)
        verdict = "PASS" if result.passed else "warning" if advice else "FAIL" if needed else "note"
        count += needed
        failed += verdict == "FAIL"
        failed_at_cutoff += verdict == "FAIL" and result.name in CONTINUITY
        notes += verdict == "note"
        print(_line(result.name, verdict, f"{result.deviation:.1e}", f"{result.tolerance:.0e}"), flush=True)
        print(f"    {MEANINGS[result.name.partition(' with ')[0]]}", flush=True)
        if not result.passed:
            print(f"    {verdict}: {' '.join(filter(None, [result.detail, advice]))}", flush=True)
    print(f"\n{count - failed} of {count} laws hold." + (f" {failed} FAIL." if failed else ""))
    if text := open_combinations(model):
        print(f"Note: {text}")
    if failed_at_cutoff:
        print("A potential that is defined to end with a jump, as BKS is, passes with --smoothness -1.")
    if notes:
        print("A note is no failure: this is more continuity at the cutoff than --smoothness asks for.")
    if _other() is None:
        print("The other backend is not installed, so agreement of the backends was not tested.")
    print(
        "Deviations are relative to the largest number of their kind, or to 1 eV, 1 eV/Å, 0.01 eV/Å³ if that is larger; "
        "those of float32 to what the rounding of its inputs and weights explains."
    )
    return 1 if failed else 0


def _results(probe, smoothness, path, modules):
    """Pairs of a `LawResult` (or None) and whether the model must pass it."""
    from keras_ff import testing

    # Force constants are looked at in any case.
    for result in testing.potential_results(probe, smoothness=2):
        order = CONTINUITY.get(result.name, -1)
        yield result, order <= smoothness
    yield testing.nothing_falls(probe.model, probe.structures), False
    yield testing.backends_agree(probe, path, probe.structures, modules), True


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
