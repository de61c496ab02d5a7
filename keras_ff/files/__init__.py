"""Files that survive a kill: written whole or not at all, and recognized by their checksums."""

from keras_ff.files.checksums import checksum, checksum_of
from keras_ff.files.whole import replace_when_complete, sync

__all__ = ["checksum", "checksum_of", "replace_when_complete", "sync"]
