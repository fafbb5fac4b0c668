"""DRAGAN's penalty: around real examples."""

from typing import Any, Literal

import keras
import tensorflow as tf

from tfpaths import numerics, options
from tfpaths.penalties.penalty import PENALTIES, GradientPenalty
from tfpaths.schema import Positive
from tfpaths.streams import Stream

Noise = Literal["uniform", "centered_uniform", "gaussian"]


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
        u = stream.fold(0).normal(numerics.shape_of(real))
    else:
        u = stream.fold(0).uniform(numerics.shape_of(real)) - (0.5 if noise == "centered_uniform" else 0.0)
    a = stream.fold(1).uniform(numerics.per_example_shape(real, batch_axes)) if interpolated else 1.0
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
