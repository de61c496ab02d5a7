"""Files that are complete even if the process is killed, verified by checksums, and written by one process at a time."""

from keras_ff.files.cache import OFF, cache_folder, keep_small
from keras_ff.files.checksums import checksum, checksum_of
from keras_ff.files.fingerprints import differences, fingerprint
from keras_ff.files.folders import folder_beside
from keras_ff.files.lock import exclusive, exclusive_file
from keras_ff.files.whole import replace_when_complete, sentence_of_the_disk, sync

__all__ = [
    "OFF",
    "cache_folder",
    "checksum",
    "checksum_of",
    "differences",
    "exclusive",
    "exclusive_file",
    "fingerprint",
    "folder_beside",
    "keep_small",
    "replace_when_complete",
    "sentence_of_the_disk",
    "sync",
]
