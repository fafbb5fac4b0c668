"""Keras: what has no public name, and what only some versions have."""

import contextlib
from collections.abc import Iterator

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"tfpaths needs Keras' TensorFlow backend; it is {keras.backend.backend()!r}. To fix this: set KERAS_BACKEND "
        "to tensorflow before Keras is imported."
    )


def adam_moments(optimizer: keras.optimizers.Adam, variable: keras.Variable) -> tuple[keras.Variable, keras.Variable]:
    """Returns Adam's two moments of a variable: m and v."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def renormalizes(layer: keras.layers.BatchNormalization) -> bool:
    """Returns whether a BatchNormalization uses batch renormalisation, which Keras has from 3.14 on."""
    return bool(getattr(layer, "renorm", False))


def takes_any_argument(layer: keras.layers.Layer) -> None:
    """Lets a layer be called with positional arguments that are not tensors, such as a network."""
    layer._allow_non_tensor_positional_args = True


def all_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a model's layers, those inside its layers included."""
    return list(model._flatten_layers())


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Builds what is inside with Keras' original settings, whatever the user's are, and restores the user's."""
    floatx, layout = keras.config.floatx(), keras.config.image_data_format()
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_image_data_format(layout)
        keras.config.set_dtype_policy(policy)
