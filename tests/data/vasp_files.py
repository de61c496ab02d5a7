"""The parts of `OUTCAR` and `vasprun.xml` that carry structures and labels, for tests of the readers."""

import numpy as np
from ase.units import GPa

FINISHED = " General timing and accounting informations for this job:\n"


def outcar(structures):
    """Text of an `OUTCAR` of a run over `structures`, all of the same atoms, with the labels in their calculators."""
    symbols = list(dict.fromkeys(structures[0].symbols))
    counts = [list(structures[0].symbols).count(symbol) for symbol in symbols]
    text = " vasp.6.3.0 20Jan22 complex\n executed on LinuxIFC date 2024.01.01 00:00:00\n"
    text += "".join(f" POTCAR:    PAW_PBE {symbol} 05Jan2001\n" for symbol in symbols) * 2
    text += "   ions per type =  " + " ".join(f"{count:4d}" for count in counts) + "\n"
    for step, atoms in enumerate(structures, 1):
        results = atoms.calc.results
        text += f"--------------------------------------- Iteration {step:6d}(   1)  ---------------------------------------\n"
        xx, yy, zz, yz, xz, xy = -results["stress"] / GPa * 10.0
        text += "  in kB  " + " ".join(f"{value:14.8f}" for value in (xx, yy, zz, xy, yz, xz)) + "\n"
        text += "      direct lattice vectors                 reciprocal lattice vectors\n"
        for row, reciprocal in zip(atoms.cell[:], np.linalg.inv(atoms.cell[:]).T):
            text += " ".join(f"{value:14.9f}" for value in (*row, *reciprocal)) + "\n"
        text += " POSITION                                       TOTAL-FORCE (eV/Angst)\n " + "-" * 83 + "\n"
        for position, force in zip(atoms.positions, results["forces"]):
            text += " ".join(f"{value:14.8f}" for value in (*position, *force)) + "\n"
        text += " " + "-" * 83 + "\n  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  " + "-" * 51 + "\n"
        text += f"  free  energy   TOTEN  = {results['energy'] - 0.5:18.8f} eV\n\n"
        text += f"  energy  without entropy= {results['energy'] + 0.5:18.8f}  energy(sigma->0) = {results['energy']:18.8f}\n"
    return text + FINISHED


def vasprun(structures):
    """Text of the `vasprun.xml` of the same run."""

    def rows(name, values):
        body = "".join("<v>" + " ".join(f"{value:.10f}" for value in row) + "</v>\n" for row in values)
        return f'<varray name="{name}">\n{body}</varray>\n'

    def structure(atoms, name=""):
        cell, scaled = rows("basis", atoms.cell[:]), rows("positions", atoms.get_scaled_positions())
        return f"<structure{name}>\n<crystal>\n{cell}</crystal>\n{scaled}</structure>\n"

    first = structures[0]
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<kpoints>\n'
    text += rows("kpointlist", [[0, 0, 0]]) + rows("weights", [[1]]) + "</kpoints>\n<parameters></parameters>\n<atominfo>\n"
    text += '<array name="atoms">\n<set>\n' + "".join(f"<rc><c>{symbol}</c><c>1</c></rc>\n" for symbol in first.symbols)
    text += "</set>\n</array>\n</atominfo>\n" + structure(first, ' name="initialpos"')
    for atoms in structures:
        results = atoms.calc.results
        xx, yy, zz, yz, xz, xy = -results["stress"] / GPa * 10.0
        energy = f'<energy><i name="e_fr_energy">{results["energy"] - 0.5:.8f}</i>'
        energy += f'<i name="e_0_energy">{results["energy"]:.8f}</i></energy>\n'
        text += f"<calculation>\n<scstep>\n{energy}</scstep>\n" + structure(atoms) + rows("forces", results["forces"])
        text += rows("stress", [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) + energy + "</calculation>\n"
    return text + "</modeling>\n"
