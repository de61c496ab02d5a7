import codecs
import gzip
import os

import pytest

from keras_ff.files.text import open_text

TEXT = "2\nenergy=1.0 comment=Å\nH 0 0 0\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("latin-1"),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        gzip.compress(TEXT.encode("latin-1")),
    ],
)
def test_text_in_any_encoding(tmp_path, content):
    (tmp_path / "a.xyz").write_bytes(content)
    with open_text(tmp_path / "a.xyz") as file:
        assert file.read() == TEXT


def test_what_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        open_text(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file"):
        open_text(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is a pipe"):
        open_text(tmp_path / "pipe")
