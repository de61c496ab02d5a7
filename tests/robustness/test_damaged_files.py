"""Every damaged file is read rightly or refused with a sentence that names it, in a bounded time.

FUZZ=5000 damages so many files, as `make fuzz` does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).parent / "worker.py"
COUNT = int(os.environ.get("FUZZ", "300"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))


def test_damaged_files_are_read_or_refused_in_our_own_words():
    first, problems = FIRST, []
    while first < FIRST + COUNT and len(problems) < 20:
        command = [sys.executable, str(WORKER), str(first), str(FIRST + COUNT)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        problems += re.findall(r"^bad .*", done.stdout, re.MULTILINE)
        seeds = re.findall(r"^seed (\d+): (.*)", done.stdout, re.MULTILINE)
        assert seeds, done.stderr
        last, name = seeds[-1]
        if done.returncode:
            problems.append(f"seed {last}: {name}: the process ended with status {done.returncode}. {done.stderr[-2000:]}")
        first = int(last) + 1
    assert not problems, "\n".join(problems)
