"""Spectral normalisation: every kernel of a discriminator is divided by its largest singular value."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import errors
from tfpaths.compat import keras as compat
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.networks.family import Family
from tfpaths.streams import Stream

# Norms and sigma are at least this: a kernel of zeros stays zero, instead of NaN.
_SMALLEST = 1e-12


@keras.saving.register_keras_serializable("tfpaths")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """Applies a layer with the kernel W / sigma, where sigma is W's largest singular value, so that its norm is 1.

        v = normalise(u W^T)        u' = normalise(v W)        sigma = v W u'^T

    Miyato et al. 2018 (arXiv 1802.05957), algorithm 1: one power iteration in each call in training. W is a matrix
    `[inputs, units]`; of a convolution, all axes but the last are the inputs. The gradient passes through sigma, with u
    and v held fixed. Outside training, sigma is computed from u in the same way, and u does not change. The kernel is
    normalised in float32 under every precision.

    Keras' layer of this name overwrites W with W / sigma in each call in training. This has three effects: its gradient
    does not pass through sigma; the optimiser's moments are those of another scale; and the calls of a step, such as
    those of a penalty, change the weights of the calls after them. Here W is a variable that only the optimiser
    changes.

    The normalisation of a kernel bounds the Lipschitz constant of a dense layer by 1; that of a convolution by at most
    the square root of the number of times that the kernel covers a pixel.

    Args:
      layer: A layer with a kernel, without an activation that depends on it: a dense layer, a convolution, or an
        `EnsembleDense`, in which each run has its own sigma.
      power_iterations: Power iterations in each call in training.
      seed: Seed for the initial u, which is drawn from N(0, I) and normalised.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Example:
      >>> layer = SpectralNormalization(keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"))
      >>> float(layer(tf.ones([1, 4]))[0, 0])  # W is (1, 1, 1, 1) and sigma is 2
      2.0
    """

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, *, seed: int = 0, **kwargs: Any):
        # Inputs pass through unchanged, and kernels are read in float32; the inner layer casts for itself.
        super().__init__(layer, power_iterations, **{**kwargs, "autocast": False, "dtype": "float32"})
        self.seed = seed

    def build(self, input_shape):
        keras.layers.Wrapper.build(self, input_shape)
        self.kernel = self.layer.kernel
        # A run's kernel has its own sigma: [runs, inputs, units]; otherwise [1, inputs, units].
        self._groups = self.kernel.shape[0] if isinstance(self.layer, EnsembleDense) else 1
        shape = (self._groups, 1, self.kernel.shape[-1])
        drawn = np.random.default_rng(self.seed).normal(size=shape)
        self.vector_u = self.add_weight(
            shape=shape,
            initializer=lambda *_, **__: _normalise(tf.constant(drawn, tf.float32)),
            trainable=False,
            autocast=False,
            # All replicas compute the same value from the same kernel.
            aggregation="only_first_replica",
            name="vector_u",
        )

    def call(self, inputs, training=False):
        kernel, u = self.normalized()
        if training:
            self.vector_u.assign(u)
        with keras.StatelessScope(state_mapping=[(self.kernel, kernel)]):
            return self.layer(inputs)

    def normalized(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns W / sigma, of the kernel's shape, and the next u."""
        kernel = tf.convert_to_tensor(self.kernel)
        matrix = tf.reshape(kernel, [self._groups, -1, kernel.shape[-1]])  # [groups, inputs, units]
        fixed = tf.stop_gradient(matrix)
        u = start = tf.convert_to_tensor(self.vector_u)
        for _ in range(self.power_iterations):
            v = _normalise(tf.matmul(u, fixed, transpose_b=True))  # [groups, 1, inputs]
            u = _normalise(tf.matmul(v, fixed))  # [groups, 1, units]
        sigma = tf.matmul(tf.matmul(v, matrix), u, transpose_b=True)  # [groups, 1, 1]
        # A kernel of zeros has no next u, and a u of zeros would remain zero when the kernel is no longer.
        return tf.reshape(matrix / tf.maximum(sigma, _SMALLEST), kernel.shape), tf.where(sigma > 0, u, start)

    def reset(self, stream: Stream, scale: float | tf.Tensor = 1.0) -> None:
        """Draws new weights and a new u for each run of an ensemble; `EnsembleDense.reset` draws the same weights."""
        self.layer.reset(stream, scale)
        drawn = stream.fold(0).normal(self.vector_u.shape)
        self.vector_u.assign(_normalise(drawn))

    def as_keras(self) -> keras.layers.Layer:
        """Returns Keras' layer for `keras_weights`, without normalisation."""
        inner = self.layer
        return inner.as_keras() if hasattr(inner, "as_keras") else type(inner).from_config(inner.get_config())

    def keras_weights(self) -> list[np.ndarray]:
        """Returns the weights with which the layer of `as_keras` computes what this one computes outside training."""
        kernel = self.normalized()[0].numpy()
        return [kernel if variable is self.kernel else variable.numpy() for variable in self.layer.weights]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def normalized(model: keras.Model, *, seed: int = 0) -> keras.Model:
    """Returns a copy of a model whose layers with a kernel are in a `SpectralNormalization`; the weights are equal.

    Args:
      model: A model whose layers are dense layers, convolutions, `EnsembleDense`, and layers without a kernel.
      seed: Seed for the layers' initial u.

    Raises:
      InputError: A layer has layers inside, whose kernels would not be normalised.

    Example:
      >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.LeakyReLU()])
      >>> [type(layer).__name__ for layer in normalized(model).layers]
      ['SpectralNormalization', 'LeakyReLU']
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(len(model.layers)))

    def wrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
        copy = type(layer).from_config(layer.get_config())
        if not hasattr(layer, "kernel"):
            if any(hasattr(inner, "kernel") for inner in compat.all_layers(layer)):
                raise errors.InputError(
                    f"variant.spectral_normalization: the layer {layer.name!r} of the discriminator has layers inside, "
                    "whose kernels would not be normalised. To fix this: build the discriminator from single layers."
                )
            return copy
        return SpectralNormalization(copy, seed=int(next(seeds) >> 1), name=layer.name)

    clone = keras.models.clone_model(model, clone_function=wrapped)
    for layer, copy in zip(model.layers, clone.layers, strict=True):
        inner = copy.layer if isinstance(copy, SpectralNormalization) else copy
        inner.set_weights(layer.get_weights())
    return clone


class Normalized(Family):
    """A family whose discriminators have spectral normalisation.

    Args:
      family: The family.

    Example:
      >>> from tfpaths import networks
      >>> family = Normalized(networks.get("dcgan")(discriminator_filters=2))
      >>> type(family.discriminator((28, 28, 3)).layers[-1]).__name__
      'SpectralNormalization'
    """

    def __init__(self, family: Family):
        self._family = family

    def generator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        return self._family.generator(example_shape, seed=seed)

    def discriminator(self, example_shape: Sequence[int], *, seed: int = 0) -> keras.Model:
        return normalized(self._family.discriminator(example_shape, seed=seed), seed=seed)


def _normalise(vectors: tf.Tensor) -> tf.Tensor:
    # TensorFlow's epsilon is that of the squared norm; its default, 1e-12, is too large for kernels below 1e-6.
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=_SMALLEST**2)
