"""Compilation and mapping of functions on JAX."""

import jax
import keras
from jax.experimental.compilation_cache import compilation_cache as cache_of_jax

from ..shared import wraps
from .arrays import arguments, arrays


def accelerated():
    """Whether the default device is no CPU."""
    device = jax.config.jax_default_device or jax.devices()[0]
    # The setting may be a word, such as "cpu".
    return getattr(device, "platform", device) != "cpu"


def peak_memory():
    """Statistics of the first device."""
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def compilation_cache():
    """Folder of the cache of JAX, or None."""
    return jax.config.jax_compilation_cache_dir


def enable_compilation_cache(folder):
    """Store all compiled functions, also those that compile quickly."""
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # Without this call a cache that is enabled after the first compilation has no effect. If JAX removes the function, the
    # cache must be enabled before the first compilation.
    cache_of_jax.reset_cache()


def jit(function, layer=None):
    """Compiled function whose arguments include the variables of the layer."""
    variables = [] if layer is None else layer.variables

    def with_values(values, args, kwargs):
        with keras.StatelessScope(state_mapping=list(zip(variables, values))):
            return function(*args, **kwargs)

    compiled = jax.jit(with_values if variables else lambda _, args, kwargs: function(*args, **kwargs))

    @wraps(function)
    def wrapped(*args, **kwargs):
        return compiled([variable.value for variable in variables], *arguments((args, kwargs)))

    return wrapped


def vmap(function, in_axes=0):
    """Mapped function by `jax.vmap`, which raises the errors."""
    mapped = jax.vmap(function, in_axes)
    return wraps(function)(lambda *args: mapped(*arrays(args)))
