"""Mixtures: several generators, or discriminators, and their weights, as one Keras model.

    w = softmax(alpha)
    generator:      latents (z, t) -> G_i(z), where i is drawn from w by t ~ N(0, 1)
    discriminator:  x -> sum_j w_j D_j(x)

The members have their own variables. Their calls are independent parts of one graph, which run side by side: on a CPU
that takes as long as dense layers with an axis of members. alpha is not a trainable variable of the model: a game
updates it, see `tfpaths.games.mix`.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def choose(u: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns the i with w_0 + … + w_(i-1) <= u < w_0 + … + w_i: for u from U[0, 1), it is drawn from w.

    Args:
      u: `[num]`, in [0, 1].
      weights: w, `[size]`; they add up to 1, nearly.

    Returns:
      Numbers from 0 to size - 1, int32 `[num]`.

    Example:
      >>> choose(tf.constant([0.0, 0.4, 0.5, 1.0]), tf.constant([0.5, 0.25, 0.25])).numpy().tolist()
      [0, 0, 1, 2]
    """
    # Without the last end, which may be rounded to less than 1.
    ends = tf.cumsum(weights)[:-1]
    return tf.reduce_sum(tf.cast(u[:, tf.newaxis] >= ends, tf.int32), axis=1)


def entropy(weights: tf.Tensor) -> tf.Tensor:
    """Returns -sum_k w_k log w_k, in nats: log T for T equal weights, 0 if one weight is 1.

    Example:
      >>> round(float(entropy(tf.constant([0.5, 0.5, 0.0]))), 4)  # log 2
      0.6931
    """
    return -tf.reduce_sum(tf.math.xlogy(weights, weights))


class Weighted(keras.layers.Layer):
    """The base class of the layer of a mixture that has alpha.

    Args:
      size: T, the number of members.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Attributes:
      alpha: The variable, `[size]`, float32; zero at the start, so that all weights are equal.

    Example:
      >>> layer = WeightedMean(2)
      >>> _ = layer.alpha.assign([0.0, 1000.0])
      >>> layer.weights_of_members.numpy().tolist()
      [0.0, 1.0]
    """

    def __init__(self, size: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.size = size
        self.alpha = self.add_weight(
            shape=(size,), initializer="zeros", trainable=False, autocast=False, dtype="float32", name="alpha"
        )

    @property
    def weights_of_members(self) -> tf.Tensor:
        """w = softmax(alpha), `[size]`."""
        return tf.nn.softmax(tf.convert_to_tensor(self.alpha))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("tfpaths")
class Route(Weighted):
    """Sends each latent to a member: `[num, latent_dim + 1]` -> the positions and the latents of each member.

    The latents of each member end with a row of zeros: TensorFlow has no derivative of a convolution of no examples.

    The last number t chooses the member, `choose(u, w)` with u = Phi(t), which is uniform. So a sample is a function of
    its latent, the shares of the members are w, and a small change of w changes the members of few latents only. A
    single member needs no such number: `[num, latent_dim]`, and no row.

    Example:
      >>> positions, latents = Route(2)(tf.constant([[7.0, -1.0], [8.0, 1.0], [9.0, -2.0]]))
      >>> [part.numpy().tolist() for part in positions], [part.numpy().tolist() for part in latents]
      ([[0, 2], [1]], [[[7.0], [9.0], [0.0]], [[8.0], [0.0]]])
    """

    def call(self, latents):
        numbers = tf.range(tf.shape(latents)[0])
        if self.size == 1:
            return [numbers], [latents]
        u = 0.5 * tf.math.erfc(latents[:, -1] / -math.sqrt(2.0))
        chosen = choose(u, self.weights_of_members)  # [num]
        positions, parts = (tf.dynamic_partition(of, chosen, self.size) for of in (numbers, latents[:, :-1]))
        return positions, [tf.pad(part, [[0, 1], [0, 0]]) for part in parts]


@keras.saving.register_keras_serializable("tfpaths")
class Stitch(keras.layers.Layer):
    """Puts the members' examples, without those of `Route`'s rows, in the order of the latents: `[num, ...]`.

    Example:
      >>> positions = [tf.constant([0, 2]), tf.constant([1])]
      >>> Stitch()(positions, [tf.constant([7.0, 9.0, 0.0]), tf.constant([8.0, 0.0])]).numpy()
      array([7., 8., 9.], dtype=float32)
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})

    def call(self, positions, examples):
        return tf.dynamic_stitch(positions, examples if len(examples) == 1 else [part[:-1] for part in examples])


@keras.saving.register_keras_serializable("tfpaths")
class WeightedMean(Weighted):
    """Returns sum_j w_j D_j(x): the logits of each member, `[num, 1]` -> `[num, 1]`.

    Example:
      >>> float(WeightedMean(2)([tf.constant([[1.0]]), tf.constant([[4.0]])])[0, 0])
      2.5
    """

    def call(self, logits):
        return tf.tensordot(self.weights_of_members, tf.stack(logits), axes=1)


def generator(members: Sequence[keras.Model], name: str = "generator") -> keras.Model:
    """Returns the mixture of some generators: latents `[num, latent_dim + 1]` -> examples `[num, ...]`.

    Args:
      members: The generators, of one shape of latents `[latent_dim]` and of examples. They are renamed.
      name: The mixture's name.

    Raises:
      ValueError: There is none, or their shapes differ.

    Example:
      >>> def constant(value):
      ...     bias = keras.initializers.Constant(value)
      ...     dense = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=bias)
      ...     return keras.Sequential([keras.Input((3,)), dense])
      >>> mixture = generator([constant(7.0), constant(8.0)])
      >>> mixture(tf.constant([[0.0, 0.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])).numpy().tolist()
      [[7.0], [8.0]]
    """
    (latent_dim,) = _shape(members, name)
    size = len(members)
    latents = keras.Input((latent_dim + (size > 1),), dtype="float32")
    positions, parts = Route(size, name="route")(latents)
    examples = Stitch(name="stitch")(list(positions), [one(part) for one, part in zip(members, parts, strict=True)])
    return keras.Model(latents, examples, name=name)


def discriminator(members: Sequence[keras.Model], name: str = "discriminator") -> keras.Model:
    """Returns the mixture of some discriminators: examples `[num, ...]` -> mean logits `[num, 1]`.

    Args:
      members: The discriminators, of one shape of examples. They are renamed.
      name: The mixture's name.

    Raises:
      ValueError: There is none, or their shapes differ.

    Example:
      >>> mixture = discriminator([keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(3)])
      >>> mixture(tf.zeros([5, 2])).shape
      TensorShape([5, 1])
    """
    shape = _shape(members, name)
    examples = keras.Input(shape, dtype="float32")
    return keras.Model(examples, WeightedMean(len(members), name="mean")([one(examples) for one in members]), name=name)


def weighted(model: keras.Model) -> Weighted | None:
    """Returns the layer of a mixture that has alpha, or None if the model is no mixture.

    Example:
      >>> weighted(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])) is None
      True
    """
    return next((layer for layer in model.layers if isinstance(layer, Weighted)), None)


def members(model: keras.Model) -> list[keras.Model]:
    """Returns the members of a mixture, in their order; of another model, nothing.

    Example:
      >>> mixture = discriminator([keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(3)])
      >>> [one.name for one in members(mixture)]
      ['discriminator_0', 'discriminator_1', 'discriminator_2']
    """
    if weighted(model) is None:
        return []
    return sorted(
        (layer for layer in model.layers if isinstance(layer, keras.Model)),
        key=lambda member: int(member.name.rpartition("_")[2]),
    )


def _shape(members: Sequence[keras.Model], name: str) -> tuple[int, ...]:
    """Names the members, and returns their common shape of inputs."""
    shapes = {(tuple(one.input_shape[1:]), tuple(one.output_shape[1:])) for one in members}
    if len(shapes) != 1:
        raise ValueError(f"{name}: expected members of one shape, received the shapes {sorted(shapes)}.")
    for index, one in enumerate(members):
        one.name = f"{name}_{index}"
    return shapes.pop()[0]
