"""Files that are complete even if the process is killed: written whole or not at all, and verified by checksums."""

from keras_ff.files.checksums import checksum, checksum_of
from keras_ff.files.folders import folder_beside
from keras_ff.files.whole import replace_when_complete, sync

__all__ = ["checksum", "checksum_of", "folder_beside", "replace_when_complete", "sync"]
