"""Locks of folders and files, also of processes that were killed and of other computers."""

import json
import os
import signal
import subprocess
import sys

import pytest

from keras_ff.files.lock import LOCK, InUseError, exclusive, exclusive_file
from keras_ff.files.processes import host

HOLD = """
import sys, time
from keras_ff.files.lock import exclusive, exclusive_file
with (exclusive_file if sys.argv[1].endswith(".h5") else exclusive)(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("name", ["run", "data.h5"])
def test_a_second_process_gets_a_sentence_and_a_killed_one_keeps_nothing(tmp_path, name):
    path, exclusively = tmp_path / name, exclusive if name == "run" else exclusive_file
    other = holder(path)
    try:
        with pytest.raises(InUseError, match=f"{name} is in use by process {other.pid} on {host()} since .*Wait until"):
            with exclusively(path):
                pass
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    with exclusively(path):
        lock = tmp_path / (f"{name}/{LOCK}" if name == "run" else f".{name}.lock")
        assert json.loads(lock.read_text())["process"] == os.getpid()
        with exclusively(path):
            pass
        assert lock.exists()
    assert not lock.exists()


def test_a_lock_of_another_computer_is_not_taken_over(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"host": "node-7", "process": 12, "since": "2024-01-01 00:00:00"}))
    with pytest.raises(InUseError, match=f"process 12 on node-7 since 2024.*remove {tmp_path / LOCK}"):
        with exclusive(tmp_path):
            pass
    for damaged in ("", "[]", "{", '{"host": 1}', "\x00"):
        (tmp_path / LOCK).write_text(damaged)
        with exclusive(tmp_path):
            pass


def test_a_fork_does_not_have_the_lock_of_its_parent(tmp_path):
    with exclusive(tmp_path):
        child = os.fork()
        if not child:
            try:
                with exclusive(tmp_path):
                    os._exit(0)
            except InUseError:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert not os.listdir(tmp_path)


def test_leftovers_of_killed_processes_are_removed_and_no_others(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "state").mkdir()
    dead = [f".best.{host()}-{ended.pid}-0123abcd.part.keras", f"state/.epoch.{host()}-{ended.pid}-0123abcd.part.state"]
    kept = [f".best.{host()}-{os.getpid()}-0123abcd.part.keras", f".best.node-7-{ended.pid}-0123abcd.part.keras", "a.part.keras"]
    for name in [*dead, *kept]:
        (tmp_path / name).touch()
    with exclusive(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "state"]) and not any((tmp_path / "state").iterdir())
