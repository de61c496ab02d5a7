"""Force fields as clients of i-PI."""

import time

from ase.calculators.socketio import SocketClient


def serve(atoms, unix=None, host="localhost", port=31415, log=None, patience=30.0):
    """Compute energies, forces and stress for i-PI until it says that it has finished.

    Several clients share the beads of a path integral.

    Args:
        atoms: `ase.Atoms` with a calculator, with the atoms of i-PI's structure in the same order.
        unix: Name of the socket in the input of i-PI, `<ffsocket mode="unix"> <address> name`; the socket is /tmp/ipi_name.
        host: Of i-PI, if `unix` is not given.
        port: Of i-PI, if `unix` is not given.
        log: File that messages go to.
        patience: Time in s that i-PI, started just before, may take until it listens.

    Raises:
        ConnectionError: If there is no i-PI at that address after that time.
    """
    where = f"the socket /tmp/ipi_{unix}" if unix else f"{host}:{port}"
    last = time.monotonic() + patience
    client = None
    while client is None:
        try:
            client = SocketClient(unixsocket=unix, host=host, port=port, log=log)
        except OSError as error:
            if time.monotonic() > last:
                raise ConnectionError(f"No i-PI listens at {where} ({error}). Start it first: i-pi input.xml") from error
            time.sleep(0.1)
    # The stress is that of every call: i-PI asks for a virial even where the cell is kept.
    client.run(atoms, use_stress=bool(atoms.pbc.all()))
