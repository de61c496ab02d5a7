"""Silicon of the tests of data, as structures and as lines."""

from pathlib import Path

import pytest

from keras_ff.data import read

SILICON = Path(__file__).parent / "files" / "silicon.xyz"


@pytest.fixture(scope="module")
def silicon():
    return read(SILICON)


@pytest.fixture(scope="module")
def frames():
    """Lines of each frame of the file."""
    lines, frames = SILICON.read_text().splitlines(keepends=True), []
    while lines:
        end = int(lines[0]) + 2
        frames.append(lines[:end])
        lines = lines[end:]
    return frames
