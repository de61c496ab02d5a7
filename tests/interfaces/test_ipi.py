"""i-PI with our forces: constant energy, and a path integral shared by two clients."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms

import keras_ff as kff
from keras_ff import backend
from keras_ff.interfaces import ipi
from keras_ff.interfaces.ipi import serve
from keras_ff.potentials import StillingerWeber

pytestmark = [
    pytest.mark.usefixtures("float64"),
    pytest.mark.skipif(shutil.which("i-pi", path=os.path.dirname(sys.executable)) is None, reason="needs `pip install ipi`"),
]

INPUT = """<simulation verbosity="quiet">
  <output prefix="out">
    <properties stride="1" filename="thermo">
      [ step, conserved{{electronvolt}}, potential{{electronvolt}}, temperature{{kelvin}} ]
    </properties>
  </output>
  <total_steps> {steps} </total_steps>
  <prng><seed> 7 </seed></prng>
  <ffsocket name="keras_ff" mode="unix" pbc="false"><address> {address} </address></ffsocket>
  <system>
    <initialize nbeads="{beads}">
      <file mode="xyz"> start.xyz </file>
      <velocities mode="thermal" units="kelvin"> 600 </velocities>
    </initialize>
    <forces><force forcefield="keras_ff"/></forces>
    <motion mode="dynamics">
      <dynamics mode="nvt"><timestep units="femtosecond"> 0.5 </timestep>
        <thermostat mode="pile_l"><tau units="femtosecond"> 50 </tau></thermostat>
      </dynamics>
    </motion>
    <ensemble><temperature units="kelvin"> 600 </temperature></ensemble>
  </system>
</simulation>
"""


@pytest.fixture
def folder(tmp_path):
    """A model, and a structure for i-PI and for ASE."""
    kff.ForceField(StillingerWeber.silicon()).save(tmp_path / "model.keras")
    atoms = bulk("Si", a=5.43, cubic=True)
    atoms.rattle(0.02, seed=0)
    atoms.write(tmp_path / "start.extxyz")
    lines = ["8", "# CELL(abcABC): 5.43 5.43 5.43 90 90 90 positions{angstrom} cell{angstrom}"]
    lines += [f"Si {x:.12f} {y:.12f} {z:.12f}" for x, y, z in atoms.positions]
    (tmp_path / "start.xyz").write_text("\n".join(lines) + "\n")
    return tmp_path


def simulated(folder, clients, **settings):
    """Lines of the properties that i-PI writes."""
    address = uuid.uuid4().hex[:12]
    (folder / "input.xml").write_text(INPUT.format(address=address, **settings))
    environment = {**os.environ, "KERAS_BACKEND": backend.backend_name(), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "keras_ff_tools.main", "ipi", "model.keras", "start.extxyz", "--unix", address]
    running = [subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) for _ in range(clients)]
    # A client that has still to compile when the others have done all steps would find no server.
    assert all(b"Ready" in client.stdout.readline() for client in running)
    server = subprocess.Popen([shutil.which("i-pi", path=os.path.dirname(sys.executable)), "input.xml"], cwd=folder)
    try:
        assert server.wait(timeout=240) == 0
        assert all(b"i-PI has finished" in client.communicate(timeout=60)[0] for client in running)
    finally:
        server.kill()
    return np.loadtxt(folder / "out.thermo")


@pytest.mark.slow_on_tensorflow
def test_two_clients_share_four_beads_and_energy_is_conserved(folder):
    rows = simulated(folder, clients=2, beads=4, steps=100)
    # The zero of the potential energy is the cohesive energy, and the beads hold 8 atoms at some 600 K.
    assert len(rows) == 101 and (rows[:, 2] > -8 * 4.3363).all() and (rows[:, 2] < -8 * 4.3363 + 24 * units.kB * 1200).all()
    # The energy of springs and thermostats included.
    assert np.ptp(rows[:, 2]) > 0.1 and np.ptp(rows[:, 1]) < 0.01 * np.ptp(rows[:, 2])


def test_no_server():
    with pytest.raises(ConnectionError, match="No i-PI listens at the socket /tmp/ipi_nobody.*Start it first"):
        serve(bulk("Si"), unix="nobody", patience=0.0)


def test_a_client_waits_for_a_server_that_is_starting():
    address = uuid.uuid4().hex[:12]
    client = threading.Thread(target=serve, args=(bulk("Si"), address), daemon=True)
    client.start()
    time.sleep(0.3)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/tmp/ipi_{address}")
        try:
            server.listen()
            server.settimeout(5)
            server.accept()[0].close()
        finally:
            os.unlink(f"/tmp/ipi_{address}")
    client.join(5)
    assert not client.is_alive()


def test_constraints_take_no_forces_from_i_pi(monkeypatch):
    class Client:
        def __init__(self, **where):
            pass

        def run(self, atoms, use_stress):
            self.forces.append(atoms.get_forces())

        forces = []

    monkeypatch.setattr(ipi, "SocketClient", Client)
    atoms = bulk("Ar", cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.01)
    atoms.set_constraint(FixAtoms([0]))
    expected = atoms.get_forces(apply_constraint=False)
    with pytest.warns(UserWarning, match=r"\(FixAtoms\) do not reach i-PI"):
        serve(atoms, unix="address")
    assert expected[0].any()
    np.testing.assert_array_equal(Client.forces[0], expected)
