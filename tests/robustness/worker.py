"""Damages and reads files, one for each seed: `python worker.py FIRST END`. What it is about to do is printed first."""

import faulthandler
import resource
import sys
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "data")]

# Seconds and bytes that a file may take.
SECONDS = 10
BYTES = 16 * 2**30


def main(first, end):
    from damage import damaged
    from kinds import KINDS

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    with tempfile.TemporaryDirectory() as folder:
        good = {}
        for seed in range(first, end):
            name, make, read = KINDS[seed % len(KINDS)]
            print(f"seed {seed}: {name}", flush=True)
            place = Path(folder) / str(seed % len(KINDS))
            place.mkdir(exist_ok=True)
            if name not in good:
                path = make(place)
                good[name] = path, path.read_bytes()
                read(path)
            path, content = good[name]
            path.write_bytes(damaged(content, seed))
            # A hang, also in compiled code, ends the process and says where it was.
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            if problem := outcome(path, read):
                print(f"bad {seed}: {name}: {problem}", flush=True)
            faulthandler.cancel_dump_traceback_later()


def outcome(path, read):
    """What is wrong with how a file was read; None for a right reading, and for an error in our own words."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        ours = type(error).__module__ == "keras_ff.data.label_search" or type(error) in (ValueError, FileNotFoundError)
        if ours and str(path) in str(error):
            return None
        return f"{type(error).__name__}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error} " + " ".join(traceback.format_exc().split("\n")[-6:])
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
