import pytest

from keras_ff.files import checksum, checksum_of


def test_checksums_are_those_of_the_standard(tmp_path):
    # FIPS 180-4, the message "abc".
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert checksum(b"abc") == checksum_of(tmp_path / "abc") == known
    with pytest.raises(FileNotFoundError):
        checksum_of(tmp_path / "nowhere")
