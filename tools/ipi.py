"""Compute forces for i-PI: molecular dynamics and path integrals.

Start i-PI first, with a socket in its input, then this with a structure of the same atoms in the same order. Several of these
share the beads of a path integral. It ends when i-PI does.

  i-pi input.xml &
  keras-ff ipi runs/first/best.keras start.xyz --unix silicon
  keras-ff ipi exported_folder start.xyz --host localhost --port 31415

The input of i-PI:  <ffsocket name="keras_ff" mode="unix"> <address> silicon </address> </ffsocket>
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("model", metavar="MODEL", help="a .keras file, a run folder, or the folder of an artifact")
    parser.add_argument("structure", metavar="STRUCTURE", help="structure that ASE reads; positions and cell come from i-PI")
    parser.add_argument("--unix", metavar="NAME", help="name of the socket, <address> in the input of i-PI")
    parser.add_argument("--host", default="localhost", help="host of i-PI, without --unix (localhost)")
    parser.add_argument("--port", type=int, default=31415, help="port of i-PI, without --unix (31415)")


def run(args: argparse.Namespace) -> None:
    """Serve forces until i-PI has finished."""
    import ase.io

    from keras_ff import Calculator
    from keras_ff.interfaces.ipi import serve

    atoms = ase.io.read(args.structure)
    atoms.calc = Calculator(args.model)
    # Compiled before i-PI waits for it.
    atoms.get_forces()
    print("Ready for i-PI.", flush=True)
    serve(atoms, args.unix, args.host, args.port)
    print("i-PI has finished.")
