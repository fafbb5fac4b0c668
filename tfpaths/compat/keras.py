"""Keras: the private names that tfpaths uses, and what only some versions have."""

import contextlib
import threading
from collections.abc import Iterator

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"tfpaths needs Keras' TensorFlow backend; it is {keras.backend.backend()!r}. To fix this: set KERAS_BACKEND "
        "to tensorflow before Keras is imported."
    )


def adam_moments(optimizer: keras.optimizers.Adam, variable: keras.Variable) -> tuple[keras.Variable, keras.Variable]:
    """Returns Adam's moments of a variable: m, the mean of the gradients, and v, the mean of their squares.

    Example:
      >>> optimizer, w = keras.optimizers.Adam(beta_1=0.5), keras.Variable(1.0)
      >>> optimizer.apply([keras.ops.ones(())], [w])
      >>> float(adam_moments(optimizer, w)[0])  # (1 - 0.5) * 1
      0.5
    """
    index = variable_index(optimizer, variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def variable_index(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> int:
    """Returns the place of a variable among those that an optimiser was built for.

    Example:
      >>> optimizer, w = keras.optimizers.SGD(), keras.Variable(1.0)
      >>> optimizer.build([keras.Variable(2.0), w])
      >>> variable_index(optimizer, w)
      1
    """
    return optimizer._get_variable_index(variable)


def renormalizes(layer: keras.layers.BatchNormalization) -> bool:
    """Returns whether a BatchNormalization uses batch renormalisation, which exists since Keras 3.14.

    Example:
      >>> renormalizes(keras.layers.BatchNormalization())
      False
    """
    return bool(getattr(layer, "renorm", False))


def takes_any_argument(layer: keras.layers.Layer) -> None:
    """Allows positional arguments that are not tensors, such as a network, in calls of a layer.

    Call it in the layer's constructor: `penalties.GradientPenalty` is an example.
    """
    layer._allow_non_tensor_positional_args = True


def all_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a model, its layers, and the layers inside them.

    Example:
      >>> inner = keras.Sequential([keras.layers.Dense(1, name="dense")], name="inner")
      >>> [layer.name for layer in all_layers(keras.Sequential([inner], name="outer"))]
      ['outer', 'inner', 'dense']
    """
    return list(model._flatten_layers())


# The blocks of `own_settings` that are active in any thread, and the user's settings from before the first of them.
_BLOCKS: set[object] = set()
_USERS: dict[str, str] = {}
_LOCK = threading.Lock()


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Sets Keras' settings to their defaults within a `with` block, and restores the user's settings after it.

    The settings are the float type, the order of an image's axes and the dtype policy. Networks that are built in the
    block do not depend on the user's settings. Blocks of several threads may overlap: Keras has one float type and one
    order of axes for all threads, which are restored after the last block, and a dtype policy for each thread.

    Example:
      >>> with own_settings():
      ...     keras.layers.Conv2D(1, 3).data_format
      'channels_last'
    """
    block, policy = object(), keras.config.dtype_policy()
    with _LOCK:
        if not _BLOCKS:
            _USERS.update(floatx=keras.config.floatx(), layout=keras.config.image_data_format())
            keras.config.set_floatx("float32")
            keras.config.set_image_data_format("channels_last")
        _BLOCKS.add(block)
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _LOCK:
            _BLOCKS.remove(block)
            if not _BLOCKS:
                keras.config.set_floatx(_USERS["floatx"])
                keras.config.set_image_data_format(_USERS["layout"])
