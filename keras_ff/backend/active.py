"""Package of the backend that Keras runs on, `twin`, whose functions the interface calls."""

from keras_ff.choose_backend import check_backend

if check_backend() == "jax":
    from keras_ff.backend import jax as twin
    from keras_ff.backend.unimported import write_without_tensorflow

    write_without_tensorflow()
else:
    from keras_ff.backend import tensorflow as twin

__all__ = ["twin"]
