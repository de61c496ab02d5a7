import importlib.util
import os
import subprocess
import sys

import pytest

from keras_ff_tools.quiet import QuietTensorFlow, without_noise

NOISE = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1795791316.975737   21694 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n"
)


def test_lines_about_missing_drivers_are_left_out_and_all_others_stay(capfd):
    with without_noise():
        os.write(2, f"first\n{NOISE}E0000 out of memory\n".encode())
    os.write(2, b"last\n")
    assert capfd.readouterr().err == "first\nE0000 out of memory\nlast\n"


def test_an_import_that_fails_tells_why(capfd):
    with pytest.raises(ImportError), without_noise():
        os.write(2, f"{NOISE}libcudart.so: wrong ELF class\n".encode())
        raise ImportError
    assert capfd.readouterr().err == "libcudart.so: wrong ELF class\n"


def test_what_is_said_before_the_process_is_ended_from_within_is_written():
    said = f"{NOISE}compiled to use AVX instructions, but these aren't available\n"
    program = "import os\nfrom keras_ff_tools.quiet import without_noise\nwith without_noise():\n"
    program += f"    os.write(2, {said!r}.encode())\n    os.abort()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode < 0 and done.stderr == said.removeprefix(NOISE)


def test_tensorflow_is_imported_quietly_and_other_modules_are_not_touched(tmp_path, capfd):
    (tmp_path / "tensorflow.py").write_text(f"import os\nos.write(2, {NOISE!r}.encode())\nos.write(2, b'kept\\n')\nvalue = 1\n")
    spec = QuietTensorFlow().find_spec("tensorflow", [str(tmp_path)])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.value == 1 and capfd.readouterr().err == "kept\n"
    assert QuietTensorFlow().find_spec("json") is None
    assert QuietTensorFlow().find_spec("tensorflow", []) is None
