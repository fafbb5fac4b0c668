"""Gradient penalties: where the discriminator's gradient is taken, and how its norm is penalised.

    penalty = weight * E (||grad_p D(p)||_2 - target)^2

The norm is per example, over all axes but the batch axis (in an ensemble, the axes of runs and batch). A penalty is a
Keras layer without weights, called as `penalty(discriminator, real, fake)`. To add one, register a subclass that
defines one method, `points`.
"""

import warnings
from typing import Any

import keras
import tensorflow as tf

from tfpaths import numerics, options
from tfpaths.compat import keras as compat
from tfpaths.registry import Registry
from tfpaths.schema import NonNegative, Positive
from tfpaths.streams import Stream


def gradient_penalty(
    gradient_norms: tf.Tensor,
    *,
    weight: float | tf.Tensor = 10.0,
    target: float | tf.Tensor = 1.0,
    one_sided: bool = False,
) -> tf.Tensor:
    """Returns weight * E (||g|| - target)^2, or weight * E max(0, ||g|| - target)^2 if `one_sided`.

    Args:
      gradient_norms: ||g||, `[batch]` or `[runs, batch]`.
      weight: The paper's lambda; 10 in Gulrajani et al. 2017, equation 3. In an ensemble also `[runs]`.
      target: The norm at which the penalty is zero; 1 in Gulrajani et al. 2017. In an ensemble also `[runs]`.
      one_sided: Whether only norms above the target are penalised (Gulrajani et al. 2017, section 4, "one-sided
        penalty").

    Returns:
      A scalar; in an ensemble the mean over runs.

    Example:
      >>> float(gradient_penalty(tf.constant([5.0]), weight=10.0, target=1.0))
      160.0
    """
    excess = gradient_norms - numerics.of_runs(target, gradient_norms)
    if one_sided:
        excess = tf.nn.relu(excess)
    return tf.reduce_mean(weight * tf.reduce_mean(tf.square(excess), axis=-1))  # over runs, over a run's examples


PENALTIES: Registry[type["Penalty"]] = Registry("penalty", "tfpaths.penalties")


@keras.saving.register_keras_serializable("tfpaths")
class Penalty(keras.layers.Layer):
    """The base class of penalties: of a discriminator, a real and a generated batch. See `GradientPenalty`.

    Slopes, norms and the penalty are float32 under every precision policy; only the discriminator computes in its own
    precision. A norm is sqrt(sum g^2 + 1e-12): its derivative is finite where the gradient is zero, and a norm of 1 is
    exact.

    Args:
      weight: The factor before the mean, above zero.
      noisy: With instance noise, whether `real` and `fake` are the noisy examples, which the discriminator sees, or the
        clean ones. Without noise it has no effect.
      seed: Seed for random points if the caller passes no stream. `GAN` always passes one.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Raises:
      InputError: An option is out of its range.

    Example: `tfpaths/penalties/roth.py`.
    """

    # The options that may have a value for each run of an ensemble, `[runs]`.
    of_runs: tuple[str, ...] = ("weight",)
    # Whether `call` takes the number of completed steps as `step`, for a weight that changes.
    needs_step = False

    def __init__(self, *, weight: Positive = 10.0, noisy: bool = True, seed: int | None = None, **kwargs: Any):
        options.validate(type(self), weight=weight, noisy=noisy)
        # No autocast: with a half-precision policy it would round the points before their gradient is taken.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        # The first argument of `call` is a network, not a tensor.
        compat.takes_any_argument(self)
        self.weight = weight
        self.noisy = noisy
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def outputs(self, discriminator: keras.Model, points: tf.Tensor) -> tf.Tensor:
        """Returns the output that is differentiated, one number per point: here the logit."""
        return discriminator(points, training=True)

    def slopes(self, discriminator: keras.Model, points: tf.Tensor, batch_axes: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `outputs` at given points and the norm of its gradient there, each `[batch]` or `[runs, batch]`.

        Args:
          discriminator: Maps `[batch, ...]` to one logit per example.
          points: `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`; float32.
          batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            outputs = self.outputs(discriminator, points)
        # Each output depends on one example only, so the gradient of their sum contains each example's gradient.
        gradients = tape.gradient(outputs, points)  # as points: [batch, ...]
        norms = numerics.per_example_norm(gradients, batch_axes=batch_axes)
        return tf.reshape(tf.cast(outputs, tf.float32), tf.shape(norms)), norms

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight, "noisy": self.noisy, "seed": self.seed}


@keras.saving.register_keras_serializable("tfpaths")
class GradientPenalty(Penalty):
    """weight * E (||grad_p D(p)||_2 - target)^2; the method `points` of a subclass returns p.

    The gradient is that of the logit, with one norm per example, over all axes but those of runs and batch.

    To add a penalty, register a subclass: `examples/custom_penalty.py`.

    Args:
      weight: The factor before the mean, above zero.
      target: The norm at which the penalty is zero, at least zero; zero for a zero-centred penalty.
      one_sided: Whether only norms above the target are penalised.
      **kwargs: The arguments of `Penalty`.

    Raises:
      InputError: An option is out of its range.

    Example:
      >>> from tfpaths.penalties import InterpolationPenalty
      >>> critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> _ = critic.layers[0].kernel.assign([[3.0], [4.0]])
      >>> round(float(InterpolationPenalty(weight=1.0)(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 4)
      16.0
    """

    of_runs: tuple[str, ...] = ("weight", "target")

    def __init__(self, *, weight: Positive = 10.0, target: NonNegative = 1.0, one_sided: bool = False, **kwargs: Any):
        super().__init__(weight=weight, **kwargs)
        options.validate(type(self), target=target, one_sided=one_sided)
        self.target = target
        self.one_sided = one_sided

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        """Returns the points p at which the gradient is taken.

        Args:
          real: Real examples, `[batch, ...]`, float32; in an ensemble `[runs, batch, ...]`.
          fake: Generated examples, of the same shape.
          stream: The stream for all random numbers: `stream.uniform(shape)`, `stream.normal(shape)`.
          batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

        Returns:
          One point for each example, with the shape of `real`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define points(), where its gradient is taken.")

    def call(
        self,
        discriminator: keras.Model,
        real: tf.Tensor,
        fake: tf.Tensor,
        stream: Stream | None = None,
        batch_axes: int = 1,
    ) -> tf.Tensor:
        """Returns the weighted penalty, a float32 scalar.

        Args:
          discriminator: Maps `[batch, ...]` to one logit per example.
          real: Real examples, `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
          fake: Generated examples, of the same shape.
          stream: The stream for the points; None to use the layer's seed, with different points in each call.
          batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

        Raises:
          ValueError: `real` and `fake` differ in shape.
        """
        if not real.shape.is_compatible_with(fake.shape):
            raise ValueError(f"Expected fake of the shape of real, {real.shape}, received {fake.shape}.")
        if stream is None:
            stream = Stream(tf.cast(self.seed_generator.next(), tf.int32))
        # No stop_gradient: an update of the discriminator watches its variables only, and the derivative of the game
        # itself needs that by the generator, through points that depend on its examples.
        points = self.points(tf.cast(real, tf.float32), tf.cast(fake, tf.float32), stream, batch_axes)
        return self.at(discriminator, points, batch_axes)

    def at(self, discriminator: keras.Model, points: tf.Tensor, batch_axes: int = 1) -> tf.Tensor:
        """Returns the weighted penalty at given points, through which a gradient may flow; arguments as in `slopes`."""
        _, norms = self.slopes(discriminator, points, batch_axes)
        return gradient_penalty(norms, weight=self.weight, target=self.target, one_sided=self.one_sided)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target": self.target, "one_sided": self.one_sided}


def warn_of_batch_norm(discriminator: keras.Model, *, stacklevel: int = 2) -> None:
    """Warns if a discriminator that a penalty is about has BatchNorm.

    Args:
      discriminator: The discriminator.
      stacklevel: That of `warnings.warn`, from the caller of this function on.

    Example:
      >>> warn_of_batch_norm(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    """
    norms = [layer for layer in compat.all_layers(discriminator) if isinstance(layer, keras.layers.BatchNormalization)]
    if norms:
        warnings.warn(
            "A gradient penalty assumes that each output of the discriminator depends on one example only, but with "
            f"BatchNormalization ({', '.join(norm.name for norm in norms)}) it depends on the whole batch. To fix "
            "this: remove these layers from the discriminator.",
            stacklevel=stacklevel + 1,
        )
