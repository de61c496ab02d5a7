import os
import subprocess
import sys

from keras_ff.files.processes import host, is_dead


def test_only_an_ended_process_of_this_computer_is_dead():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_dead(host(), ended.pid) and not is_dead("elsewhere", ended.pid)
    assert not is_dead(host(), os.getpid())
