"""Client of i-PI that computes energies, forces and stress with a force field."""

from __future__ import annotations

import time
import warnings
from typing import IO, TYPE_CHECKING

from ase.calculators.socketio import SocketClient

if TYPE_CHECKING:
    from ase import Atoms


def serve(
    atoms: Atoms,
    unix: str | None = None,
    host: str = "localhost",
    port: int = 31415,
    log: IO[str] | None = None,
    patience: float = 30.0,
) -> None:
    """Run a client of i-PI, which computes energies, forces and stress until i-PI has finished.

    Several clients may run at the same time and share the beads of a path integral.

    Constraints of the structure are removed, with a warning: they would take forces from i-PI, which moves all atoms that its own
    input does not fix.

    Args:
        atoms: `ase.Atoms` with a calculator, with the atoms of i-PI's structure in the same order.
        unix: Name of the socket in the input of i-PI, `<ffsocket mode="unix"> <address> name`; the socket is /tmp/ipi_name.
        host: Host of i-PI, if `unix` is not given.
        port: Port of i-PI, if `unix` is not given.
        log: File that messages are written to.
        patience: Time in s that i-PI may take until it listens.

    Raises:
        ConnectionError: If no i-PI listens at that address after that time.

    Example:
        ::

            from keras_ff.interfaces.ipi import serve

            atoms.calc = kff.Calculator(model)
            serve(atoms, unix="silicon")
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
    if atoms.constraints:
        names = ", ".join(sorted({type(constraint).__name__ for constraint in atoms.constraints}))
        warnings.warn(
            f"Constraints of the structure ({names}) do not reach i-PI, and were removed. Fix atoms in its input: <fixatoms>.",
            stacklevel=2,
        )
        atoms.set_constraint()
    # i-PI needs a virial in every call, even if the cell does not change.
    client.run(atoms, use_stress=bool(atoms.pbc.all()))
