"""Gradient penalties: where the discriminator's gradient is taken, and how its norm is punished.

    penalty = weight * E (||grad_p D(p)||_2 - target)^2

with one norm per example, over all axes but the batch's (in an ensemble, the runs' and the batch's). A penalty is a
Keras layer without weights, called as `penalty(discriminator, real, fake)`. A new one is a registered subclass with one
method, `points`.
"""

from typing import Any, Literal

import keras
import tensorflow as tf

from tfpaths import numerics, options
from tfpaths.compat import keras as compat
from tfpaths.registry import Registry
from tfpaths.schema import NonNegative, Positive
from tfpaths.streams import Stream

Noise = Literal["uniform", "centered_uniform", "gaussian"]


def gradient_penalty(
    gradient_norms: tf.Tensor, *, weight: float = 10.0, target: float = 1.0, one_sided: bool = False
) -> tf.Tensor:
    """weight * E (||g|| - target)^2, or weight * E max(0, ||g|| - target)^2 if `one_sided`.

    Args:
      gradient_norms: `[batch]`, or `[runs, batch]`.
      weight: The paper's lambda; 10 in Gulrajani et al. 2017, equation 3.
      target: The norm that costs nothing; 1 there.
      one_sided: Whether only norms above the target cost (Gulrajani et al. 2017, section 4, "one-sided penalty").

    Returns:
      A scalar.

    Example:
      >>> float(gradient_penalty(tf.constant([5.0]), weight=10.0, target=1.0))
      160.0
    """
    excess = gradient_norms - target
    if one_sided:
        excess = tf.nn.relu(excess)
    return weight * tf.reduce_mean(tf.square(excess))


def interpolate(real: tf.Tensor, fake: tf.Tensor, stream: Stream, *, batch_axes: int = 1) -> tf.Tensor:
    """a x + (1 - a) G(z), a ~ U[0, 1), one a per example. Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1.

    Some public code draws a from a normal distribution, or once for the whole batch; neither is the paper's.

    Args:
      real: `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
      fake: Of the same shape.
      stream: The stream to draw from.
      batch_axes: How many leading axes count examples.

    Returns:
      The points, of the shape of `real`.
    """
    a = stream.uniform(_per_example(real, batch_axes))
    return a * real + (1.0 - a) * fake


def perturb(
    real: tf.Tensor,
    stream: Stream,
    *,
    batch_axes: int = 1,
    noise: Noise = "uniform",
    noise_scale: float = 0.5,
    interpolated: bool = True,
    synchronized: bool = False,
) -> tf.Tensor:
    """x + a c std(x) u: points around the real data. Kodali et al. 2017 (arXiv 1705.07215).

    std is that of the whole batch, a single number; a ~ U[0, 1), one per example; u is drawn per element.

    Args:
      real: `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
      stream: The stream to draw from.
      batch_axes: How many leading axes count examples.
      noise: u is `uniform` on [0, 1), `centered_uniform` on [-1/2, 1/2), or `gaussian`.
      noise_scale: c.
      interpolated: Whether a is drawn; otherwise it is 1.
      synchronized: Whether std is that of the global batch, under a strategy of several replicas.

    Returns:
      The points, of the shape of `real`.
    """
    if noise == "gaussian":
        u = stream.fold(0).normal(_shape(real))
    else:
        u = stream.fold(0).uniform(_shape(real)) - (0.5 if noise == "centered_uniform" else 0.0)
    a = stream.fold(1).uniform(_per_example(real, batch_axes)) if interpolated else 1.0
    # Of the whole batch; in an ensemble, of each run's.
    axes = list(range(batch_axes - 1, real.shape.rank))
    return real + a * noise_scale * _std(real, axes, synchronized) * u


def _std(x: tf.Tensor, axes: list[int], synchronized: bool) -> tf.Tensor:
    """The standard deviation over `axes`, which are kept, and with `synchronized` over all replicas."""
    if not synchronized:
        return tf.math.reduce_std(x, axis=axes, keepdims=True)
    context = tf.distribute.get_replica_context()
    mean = context.all_reduce("MEAN", tf.reduce_mean(x, axes, keepdims=True))
    return tf.sqrt(context.all_reduce("MEAN", tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)))


def _per_example(x: tf.Tensor, batch_axes: int) -> list[int | tf.Tensor]:
    """The shape of one number for each example, with as many axes as `x`: any rank, any number of channels."""
    return [*_shape(x)[:batch_axes], *[1] * (x.shape.rank - batch_axes)]


def _shape(x: tf.Tensor) -> list[int | tf.Tensor]:
    """The shape of `x`, each axis as a number where it is known."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


PENALTIES: Registry[type["GradientPenalty"]] = Registry("penalty")


@keras.saving.register_keras_serializable("tfpaths")
class GradientPenalty(keras.layers.Layer):
    """weight * E (||grad_p D(p)||_2 - target)^2; a subclass says in `points` where p lies.

    The gradient is that of the logit, one norm per example, over all axes but the first. Points, norm and penalty are
    float32 under every precision policy: only the discriminator itself computes in its own. The root has an epsilon of
    1e-12, so that the gradient at a dead critic is finite and a norm of 1 reads 1.

    Args:
      weight: The factor before the mean, above zero.
      target: The norm at which nothing is paid, at least zero; zero for a zero-centred penalty.
      one_sided: Whether only norms above the target pay.
      seed: Seed for the points where the caller passes no stream. `GAN` always does.
      **kwargs: Keras' `name`.

    Raises:
      InputError: An option is out of its range.

    Example:
      >>> import keras
      >>> critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> critic.layers[0].kernel.assign([[3.0], [4.0]])
      >>> round(float(InterpolationPenalty(weight=1.0)(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 4)
      16.0
    """

    def __init__(
        self,
        *,
        weight: Positive = 10.0,
        target: NonNegative = 1.0,
        one_sided: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        options.validate(type(self), weight=weight, target=target, one_sided=one_sided)
        # No autocast: a policy of half precision would otherwise round the points before their gradient is taken.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        # The first argument of a call is a network.
        compat.takes_any_argument(self)
        self.weight = weight
        self.target = target
        self.one_sided = one_sided
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        """Returns where the gradient is taken.

        Args:
          real: `[batch, ...]`, float32; in an ensemble `[runs, batch, ...]`.
          fake: Of the same shape.
          stream: The stream for whatever is drawn: `stream.uniform(shape)`, `stream.normal(shape)`.
          batch_axes: How many leading axes count examples: 1, or 2 in an ensemble.

        Returns:
          One point for each example, of the shape of `real`.
        """
        raise NotImplementedError(f"{type(self).__name__} must say where its gradient is taken: define points().")

    def outputs(self, discriminator: keras.Model, points: tf.Tensor) -> tf.Tensor:
        """What is differentiated: one number per point. Here, the logit."""
        return discriminator(points, training=True)

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
          stream: The stream of this call; None for the layer's own next one.
          batch_axes: How many leading axes count examples.

        Raises:
          ValueError: `real` and `fake` differ in shape.
        """
        if not real.shape.is_compatible_with(fake.shape):
            raise ValueError(f"Expected fake of the shape of real, {real.shape}, received {fake.shape}.")
        if stream is None:
            stream = Stream(tf.cast(self.seed_generator.next(), tf.int32))
        # The point is a place, not a function of the players: nothing flows back through it.
        points = tf.stop_gradient(self.points(tf.cast(real, tf.float32), tf.cast(fake, tf.float32), stream, batch_axes))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            outputs = self.outputs(discriminator, points)
        # An example's output depends on that example alone, so the gradient of the sum holds the gradient of each.
        gradients = tape.gradient(outputs, points)
        return gradient_penalty(
            numerics.per_example_norm(gradients, batch_axes=batch_axes),
            weight=self.weight,
            target=self.target,
            one_sided=self.one_sided,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "weight": self.weight,
            "target": self.target,
            "one_sided": self.one_sided,
            "seed": self.seed,
        }


@PENALTIES.register("interpolation")
@keras.saving.register_keras_serializable("tfpaths")
class InterpolationPenalty(GradientPenalty):
    """The gradient between real and generated examples: p = a x + (1 - a) G(z), a ~ U[0, 1) per example.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1: WGAN-GP with the Wasserstein loss, GAN-GP with the
    non-saturating one (Fedus, Rosca et al. 2017).
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        return interpolate(real, fake, stream, batch_axes=batch_axes)


@PENALTIES.register("dragan")
@keras.saving.register_keras_serializable("tfpaths")
class DRAGANPenalty(GradientPenalty):
    """The gradient around real examples: p = x + a c std(x) u. Kodali et al. 2017 (arXiv 1705.07215).

    The default is the authors' notebook. Published code differs, and each of these is a DRAGAN somewhere:

    | source | options |
    | --- | --- |
    | the authors' notebook, and most ports | the default: u ~ U[0, 1), a ~ U[0, 1), c = 0.5 |
    | two-sided (compare_gan 2 and 3) | `noise="centered_uniform", noise_scale=1.0, interpolate=False, clip=True` |
    | Gaussian (the paper's last version) | `noise="gaussian", interpolate=False`, noise_scale their c |
    | on the probability (compare_gan 1) | `on_probability=True` |

    compare_gan keeps images in [0, 1], where a gradient is twice what it is here, and adds 1e-4 under the root. std is
    that of the replica's batch, or if it is synchronised of the global one.

    Args:
      noise: u is `uniform` on [0, 1), `centered_uniform` on [-1/2, 1/2), or `gaussian`.
      noise_scale: c, above zero.
      interpolate: Whether a is drawn; otherwise it is 1.
      clip: Whether the points are clipped to [-1, 1], the range of images.
      on_probability: Whether the gradient is that of sigmoid(D) instead of D.
      synchronized: Whether std is that of the global batch, under a strategy of several replicas.
      **kwargs: Those of `GradientPenalty`.
    """

    def __init__(
        self,
        *,
        noise: Noise = "uniform",
        noise_scale: Positive = 0.5,
        interpolate: bool = True,
        clip: bool = False,
        on_probability: bool = False,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        options.validate(type(self), noise=noise, noise_scale=noise_scale, interpolate=interpolate, clip=clip)
        self.noise = noise
        self.noise_scale = noise_scale
        self.interpolate = interpolate
        self.clip = clip
        self.on_probability = on_probability
        self.synchronized = synchronized

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del fake
        points = perturb(
            real,
            stream,
            batch_axes=batch_axes,
            noise=self.noise,
            noise_scale=self.noise_scale,
            interpolated=self.interpolate,
            synchronized=self.synchronized,
        )
        return tf.clip_by_value(points, -1.0, 1.0) if self.clip else points

    def outputs(self, discriminator: keras.Model, points: tf.Tensor) -> tf.Tensor:
        logits = super().outputs(discriminator, points)
        return tf.sigmoid(logits) if self.on_probability else logits

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "noise": self.noise,
            "noise_scale": self.noise_scale,
            "interpolate": self.interpolate,
            "clip": self.clip,
            "on_probability": self.on_probability,
            "synchronized": self.synchronized,
        }


@PENALTIES.register("one_sided")
@keras.saving.register_keras_serializable("tfpaths")
class OneSidedPenalty(InterpolationPenalty):
    """weight * E max(0, ||grad_p D(p)|| - target)^2 at the points of `InterpolationPenalty`: small gradients are free.

    Gulrajani et al. 2017, section 4, name it and prefer the two-sided one; Petzka et al. 2017 (arXiv 1709.08894) argue
    for it.
    """

    def __init__(self, *, one_sided: bool = True, **kwargs: Any):
        super().__init__(one_sided=one_sided, **kwargs)


@PENALTIES.register("r1")
@keras.saving.register_keras_serializable("tfpaths")
class R1Penalty(GradientPenalty):
    """weight * E ||grad_x D(x)||^2 on real examples alone: zero-centred, p = x.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9, write the factor as gamma / 2 with gamma = 10; hence 5 here.
    """

    def __init__(self, *, weight: Positive = 5.0, target: NonNegative = 0.0, **kwargs: Any):
        super().__init__(weight=weight, target=target, **kwargs)

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del fake, stream, batch_axes
        return real


@PENALTIES.register("r2")
@keras.saving.register_keras_serializable("tfpaths")
class R2Penalty(R1Penalty):
    """weight * E ||grad_p D(p)||^2 on generated examples alone: zero-centred, p = G(z).

    Mescheder et al. 2018 (arXiv 1801.04406), section 4.1; beside R1 in Huang et al. 2025 (arXiv 2501.05441). As for R1,
    their factor is gamma / 2.
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del real, stream, batch_axes
        return fake


def get(name: str) -> type[GradientPenalty]:
    """Returns the layer class of that name: `interpolation`, `dragan`, `one_sided`, `r1`, `r2`, ….

    Raises:
      InputError: There is none; the message has the nearest name.
    """
    return PENALTIES.lookup(name)
