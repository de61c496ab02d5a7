"""Compiled functions are kept for later processes, unless the user says otherwise."""

import os
import sys

from keras_ff.backend.active import twin
from keras_ff.backend.transformations import backend_name
from keras_ff.files import OFF, cache_folder, keep_small


def keep_compiled() -> None:
    """Keep what this process compiles for later ones, at most 1 GB, in a folder of `keras_ff.files.cache_folder`.

    It is done when this package is imported. Nothing is kept if the environment variable `KERAS_FF_CACHE` is "off", if the user
    has named a cache of JAX or TensorFlow, or if the folder cannot be written. When the folder is made, a line on standard error
    says so. Only functions compiled by XLA are kept (`jit`, and models with `jit_compile=True`); they are still traced in every
    process. TensorFlow reads the setting once, at its first compilation. The folder is for one kind of machine and may be deleted
    at any time.
    """
    if os.environ.get("KERAS_FF_CACHE") == OFF or twin.compilation_cache():
        return
    try:
        folder = cache_folder() / backend_name()
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # The disk, or a user without a home.
        return
    if not os.access(folder, os.W_OK):
        return
    if new:
        print(
            f"keras_ff keeps compiled functions in {folder}, at most 1 GB, so that later runs start faster "
            f'(KERAS_FF_CACHE names another folder, or "{OFF}").',
            file=sys.stderr,
        )
    keep_small(folder)
    twin.enable_compilation_cache(str(folder))
