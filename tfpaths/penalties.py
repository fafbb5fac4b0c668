"""Gradient penalties: where the discriminator's gradient is taken, and how its norm is penalised.

    penalty = weight * E (||grad_p D(p)||_2 - target)^2

The norm is per example, over all axes but the batch axis (in an ensemble, the axes of runs and batch). A penalty is a
Keras layer without weights, called as `penalty(discriminator, real, fake)`. To add one, register a subclass that
defines one method, `points`.
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


def interpolate(real: tf.Tensor, fake: tf.Tensor, stream: Stream, *, batch_axes: int = 1) -> tf.Tensor:
    """Returns a x + (1 - a) G(z), a ~ U[0, 1), one a per example.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1. Some public code draws a from a normal distribution, or once
    for the whole batch; neither is in the paper.

    Args:
      real: x, `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
      fake: G(z), of the same shape.
      stream: The stream that a is drawn from.
      batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

    Returns:
      The points, with the shape of `real`.

    Example:
      >>> from tfpaths import streams
      >>> points = interpolate(tf.zeros([4, 3]), tf.ones([4, 3]), streams.root(0))
      >>> bool(tf.reduce_all((0.0 < points) & (points <= 1.0)))
      True
      >>> bool(tf.reduce_all(points == points[:, :1]))  # one a per example
      True
    """
    # a: [batch, 1, ...], with as many axes as real.
    a = stream.uniform(_per_example(real, batch_axes))
    return a * real + (1.0 - a) * fake


def perturb(
    real: tf.Tensor,
    stream: Stream,
    *,
    batch_axes: int = 1,
    noise: Noise = "uniform",
    noise_scale: float | tf.Tensor = 0.5,
    interpolated: bool = True,
    synchronized: bool = False,
) -> tf.Tensor:
    """Returns x + a c std(x) u: points around the real data. Kodali et al. 2017 (arXiv 1705.07215).

    std(x) is a single number, the standard deviation of all elements of the batch (in an ensemble, of each run's
    batch); a ~ U[0, 1) is drawn per example and u per element.

    Args:
      real: x, `[batch, ...]`, or `[runs, batch, ...]` with `batch_axes=2`.
      stream: The stream that a and u are drawn from.
      batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.
      noise: The distribution of u: `uniform` on [0, 1), `centered_uniform` on [-1/2, 1/2), or `gaussian`, N(0, 1).
      noise_scale: c; in an ensemble also `[runs]`.
      interpolated: Whether a is drawn; otherwise it is 1.
      synchronized: Whether std(x) is that of the global batch, under a strategy with several replicas.

    Returns:
      The points, with the shape of `real`.

    Example:
      >>> from tfpaths import streams
      >>> perturb(tf.ones([2, 3]), streams.root(0)).numpy().tolist()  # std(x) = 0
      [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    if noise == "gaussian":
        u = stream.fold(0).normal(_shape(real))
    else:
        u = stream.fold(0).uniform(_shape(real)) - (0.5 if noise == "centered_uniform" else 0.0)
    a = stream.fold(1).uniform(_per_example(real, batch_axes)) if interpolated else 1.0
    # All axes; in an ensemble, all but that of the runs.
    axes = list(range(batch_axes - 1, real.shape.rank))
    return real + a * numerics.of_runs(noise_scale, real) * _std(real, axes, synchronized) * u


def _std(x: tf.Tensor, axes: list[int], synchronized: bool) -> tf.Tensor:
    """Returns the standard deviation over `axes`, each kept with size 1; if `synchronized`, over all replicas too."""
    if not synchronized:
        return tf.math.reduce_std(x, axis=axes, keepdims=True)
    context = tf.distribute.get_replica_context()
    # Two all-reduces of one number each. All replicas have the same batch size, so the mean of their means is the mean.
    mean = context.all_reduce("MEAN", tf.reduce_mean(x, axes, keepdims=True))
    return tf.sqrt(context.all_reduce("MEAN", tf.reduce_mean(tf.square(x - mean), axes, keepdims=True)))


def _per_example(x: tf.Tensor, batch_axes: int) -> list[int | tf.Tensor]:
    """Returns the shape of one number per example that broadcasts against `x`: `[batch, 1, 1, 1]` for images."""
    return [*_shape(x)[:batch_axes], *[1] * (x.shape.rank - batch_axes)]


def _shape(x: tf.Tensor) -> list[int | tf.Tensor]:
    """Returns the shape of `x`; an axis is an integer if its size is static, otherwise a tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)]


PENALTIES: Registry[type["GradientPenalty"]] = Registry("penalty")


@keras.saving.register_keras_serializable("tfpaths")
class GradientPenalty(keras.layers.Layer):
    """weight * E (||grad_p D(p)||_2 - target)^2; the method `points` of a subclass returns p.

    The gradient is that of the logit, with one norm per example, over all axes but those of runs and batch. Points,
    norm and penalty are float32 under every precision policy; only the discriminator computes in its own precision. The
    norm is sqrt(sum g^2 + 1e-12): its derivative is finite where the gradient is zero, and a norm of 1 is exact.

    To add a penalty, register a subclass: `examples/custom_penalty.py`.

    Args:
      weight: The factor before the mean, above zero.
      target: The norm at which the penalty is zero, at least zero; zero for a zero-centred penalty.
      one_sided: Whether only norms above the target are penalised.
      seed: Seed for the points if the caller passes no stream. `GAN` always passes one.
      **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Raises:
      InputError: An option is out of its range.

    Example:
      >>> critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> _ = critic.layers[0].kernel.assign([[3.0], [4.0]])
      >>> round(float(InterpolationPenalty(weight=1.0)(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 4)
      16.0
    """

    # The options that may have a value for each run of an ensemble, `[runs]`.
    of_runs: tuple[str, ...] = ("weight", "target")

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
        # No autocast: with a half-precision policy it would round the points before their gradient is taken.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        # The first argument of `call` is a network, not a tensor.
        compat.takes_any_argument(self)
        self.weight = weight
        self.target = target
        self.one_sided = one_sided
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

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

    def outputs(self, discriminator: keras.Model, points: tf.Tensor) -> tf.Tensor:
        """Returns the output that is differentiated, one number per point: here the logit."""
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
          stream: The stream for the points; None to use the layer's seed, with different points in each call.
          batch_axes: The number of leading axes that index examples: 1, or 2 in an ensemble.

        Raises:
          ValueError: `real` and `fake` differ in shape.
        """
        if not real.shape.is_compatible_with(fake.shape):
            raise ValueError(f"Expected fake of the shape of real, {real.shape}, received {fake.shape}.")
        if stream is None:
            stream = Stream(tf.cast(self.seed_generator.next(), tf.int32))
        # The points are constants: no gradient flows through them to the generator.
        points = tf.stop_gradient(self.points(tf.cast(real, tf.float32), tf.cast(fake, tf.float32), stream, batch_axes))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            outputs = self.outputs(discriminator, points)
        # Each output depends on one example only, so the gradient of their sum contains each example's gradient.
        gradients = tape.gradient(outputs, points)  # as points: [batch, ...]
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
    """The penalty between real and generated examples: p = a x + (1 - a) G(z), a ~ U[0, 1) per example.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1. With the Wasserstein loss it is WGAN-GP, with the
    non-saturating loss GAN-GP (Fedus, Rosca et al. 2017).

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(InterpolationPenalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 10 (5 - 1)^2
      160.0
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        return interpolate(real, fake, stream, batch_axes=batch_axes)


@PENALTIES.register("dragan")
@keras.saving.register_keras_serializable("tfpaths")
class DRAGANPenalty(GradientPenalty):
    """The penalty around real examples: p = x + a c std(x) u. Kodali et al. 2017 (arXiv 1705.07215).

    The default is the authors' notebook. Published implementations differ; these options reproduce them:

    | source | options |
    | --- | --- |
    | the authors' notebook, and most ports | the default: u ~ U[0, 1), a ~ U[0, 1), c = 0.5 |
    | two-sided (compare_gan 2 and 3) | `noise="centered_uniform", noise_scale=1.0, interpolate=False, clip=True` |
    | Gaussian (the paper's last version) | `noise="gaussian", interpolate=False`, noise_scale their c |
    | on the probability (compare_gan 1) | `on_probability=True` |

    compare_gan scales images to [0, 1], where gradients are twice as large as here, and adds 1e-4 under the root.

    Args:
      noise: The distribution of u: `uniform` on [0, 1), `centered_uniform` on [-1/2, 1/2), or `gaussian`, N(0, 1).
      noise_scale: c, above zero.
      interpolate: Whether a is drawn from U[0, 1) per example; otherwise it is 1.
      clip: Whether the points are clipped to [-1, 1], the range of images.
      on_probability: Whether the gradient is that of sigmoid(D) instead of D.
      synchronized: Whether std(x) is that of the global batch, under a strategy with several replicas; otherwise it is
        that of each replica's batch.
      **kwargs: The arguments of `GradientPenalty`.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> penalty = DRAGANPenalty(noise="gaussian", interpolate=False)
      >>> round(float(penalty(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 10 (5 - 1)^2
      160.0
    """

    of_runs = (*GradientPenalty.of_runs, "noise_scale")

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
    """weight * E max(0, ||grad_p D(p)||_2 - target)^2 at the points of `InterpolationPenalty`.

    Gradients below the target are not penalised. Gulrajani et al. 2017, section 4, mention it and prefer the two-sided
    penalty; Petzka et al. 2017 (arXiv 1709.08894) argue for the one-sided penalty.

    Example:
      >>> critic = lambda x, training: 0.3 * x[:, :1] + 0.4 * x[:, 1:]  # the norm is 0.5 everywhere
      >>> float(OneSidedPenalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2])))
      0.0
    """

    def __init__(self, *, one_sided: bool = True, **kwargs: Any):
        super().__init__(one_sided=one_sided, **kwargs)


@PENALTIES.register("r1")
@keras.saving.register_keras_serializable("tfpaths")
class R1Penalty(GradientPenalty):
    """weight * E ||grad_x D(x)||_2^2 at the real examples, p = x: a zero-centred penalty.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9. Their factor is gamma / 2 with gamma = 10, so the default
    weight is 5.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(R1Penalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 5 * 5^2
      125.0
    """

    def __init__(self, *, weight: Positive = 5.0, target: NonNegative = 0.0, **kwargs: Any):
        super().__init__(weight=weight, target=target, **kwargs)

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del fake, stream, batch_axes
        return real


@PENALTIES.register("r2")
@keras.saving.register_keras_serializable("tfpaths")
class R2Penalty(R1Penalty):
    """weight * E ||grad_p D(p)||_2^2 at the generated examples, p = G(z): a zero-centred penalty.

    Mescheder et al. 2018 (arXiv 1801.04406), section 4.1; Huang et al. 2025 (arXiv 2501.05441) use it together with R1.
    As for R1, their factor is gamma / 2.

    Example:
      >>> critic = lambda x, training: 3.0 * x[:, :1] + 4.0 * x[:, 1:]  # the norm is 5 everywhere
      >>> round(float(R2Penalty()(critic, tf.zeros([8, 2]), tf.ones([8, 2]))), 2)  # 5 * 5^2
      125.0
    """

    def points(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream, batch_axes: int) -> tf.Tensor:
        del real, stream, batch_axes
        return fake


def get(name: str) -> type[GradientPenalty]:
    """Returns the class of penalties registered as `name`: `interpolation`, `dragan`, `one_sided`, `r1`, `r2`, ….

    Raises:
      InputError: No penalty has this name; the message suggests the nearest one.

    Example:
      >>> get("r1")().weight
      5.0
    """
    return PENALTIES.lookup(name)
