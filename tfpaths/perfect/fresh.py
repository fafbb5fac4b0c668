"""A fresh discriminator against a frozen source of images, and what is measured of it.

    D minimises E softplus(-D(x)) + E softplus(D(x~)), the cross-entropy, with D(x) a logit and x~ from the source
    |grad of E log(1 - sigmoid(D(G(z))))| and |grad of -E log sigmoid(D(G(z)))| by G's parameters, on several batches

Arjovsky and Bottou 2017 (arXiv 1701.04862), section 2.2. The paper gives neither the data nor the networks; those of
the base training are used.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import losses, streams
from tfpaths.gan import GAN
from tfpaths.runs.checkpoints import NotFiniteError
from tfpaths.runs.rows import Row
from tfpaths.streams import Stream

# Branches of the stream of a discriminator: its updates, and the latents of what is measured.
_UPDATES, _BATCHES, _TRAINED, _HELDOUT = 0, 1, 2, 3
# Images that D sees at once when a set is measured.
_CHUNK = 250
# What is measured without a generator.
_NO_GRADIENTS: Row = {"grad_minimax": None, "grad_ns": None, "grad_ns_sd": None}


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Real and other images of one comparison.

    Attributes:
      real: Batches of real images, endless.
      fake: The number of an update -> the batch of images that it compares them with.
      trained: Two sets of images like those of the updates, `[examples, ...]` each: real ones, and the others.
      heldout: The same of images that no update has seen.

    Example: see `against_samples`.
    """

    real: Iterator[tf.Tensor]
    fake: Callable[[int], tf.Tensor]
    trained: tuple[tf.Tensor, tf.Tensor]
    heldout: tuple[tf.Tensor, tf.Tensor]


def generated(generator: keras.Model, size: int, stream: Stream) -> tf.Tensor:
    """Returns `size` samples of a frozen generator. BatchNorm uses its stored statistics, so z alone decides them.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> generated(generator, 4, stream_of(0, 1)).shape
      TensorShape([4, 2])
    """
    return generator(stream.normal((size, *generator.input_shape[1:])), training=False)


def against_samples(
    generator: keras.Model,
    batches: Iterator[tf.Tensor],
    batch_size: int,
    sets: tuple[tf.Tensor, tf.Tensor],
    stream: Stream,
) -> Pairs:
    """Returns the comparison of training images with new samples of a generator.

    Args:
      generator: The frozen generator.
      batches: Batches of training images.
      batch_size: The number of samples in a batch.
      sets: Training images and held-out images; each is compared with as many samples that no update uses.
      stream: The stream of this comparison.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> pairs = against_samples(generator, iter([]), 4, (tf.zeros([5, 2]), tf.zeros([6, 2])), stream_of(0, 1))
      >>> pairs.fake(7).shape, pairs.heldout[1].shape
      (TensorShape([4, 2]), TensorShape([6, 2]))
    """
    draw = tf.function(lambda number: generated(generator, batch_size, stream.fold(_UPDATES, number)), autograph=False)
    trained, heldout = (
        (real, _in_chunks(generator, len(real), stream.fold(which)))
        for real, which in zip(sets, (_TRAINED, _HELDOUT), strict=True)
    )
    return Pairs(batches, lambda number: draw(tf.constant(number)), trained, heldout)


def _in_chunks(generator: keras.Model, size: int, stream: Stream) -> tf.Tensor:
    sizes = [min(_CHUNK, size - start) for start in range(0, size, _CHUNK)]
    return tf.concat([generated(generator, count, stream.fold(part)) for part, count in enumerate(sizes)], axis=0)


def factors(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the derivatives of E log(1 - D) and of -E log D by each logit, D the probability: -D / n, -(1 - D) / n.

    Their ratio is D / (1 - D): both losses give each sample the same direction, with another length.

    Example:
      >>> minimax, ns = factors(tf.math.log([[3.0], [1.0]]))  # D is 3/4 and 1/2
      >>> minimax.numpy().ravel().tolist(), ns.numpy().ravel().tolist()
      ([-0.375, -0.25], [-0.125, -0.25])
    """
    logits = tf.cast(logits, tf.float32)
    size = tf.cast(tf.size(logits), tf.float32)
    return -tf.sigmoid(logits) / size, -tf.sigmoid(-logits) / size


class Discriminator:
    """A fresh discriminator.

    Args:
      gan: A new compiled game: its discriminator, the discriminator's optimiser, losses and penalties are used.
      generator: The frozen generator, whose gradients are measured; None for none.
      stream: The stream of this discriminator.
      fresh: What is measured, and how often.
      batch_size: Samples in a batch whose gradient is measured.

    Example: see `tfpaths/perfect/runner.py`.
    """

    def __init__(
        self, gan: GAN, generator: keras.Model | None, stream: Stream, fresh: config_lib.Fresh, batch_size: int
    ):
        self._gan = gan
        self._generator = generator
        self._stream = stream
        self._fresh = fresh
        self._batch_size = batch_size
        self._update = tf.function(self._updated, autograph=False)
        self._logits = tf.function(lambda images: gan.discriminator(images, training=False), autograph=False)
        self._norms = tf.function(self.norms, autograph=False)

    def _updated(self, real: tf.Tensor, fake: tf.Tensor, number: tf.Tensor) -> None:
        gradients, _ = self._gan.discriminator_gradients(real, fake, self._stream.fold(_UPDATES, number))
        self._gan.move_discriminator(gradients)

    def norms(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the norms of the generator's gradients of E log(1 - D) and of -E log D, `[2]`, on one batch."""
        assert self._generator is not None
        variables = self._generator.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            logits = self._gan.discriminator(
                generated(self._generator, self._batch_size, self._stream.fold(_BATCHES, number)), training=False
            )
        gradients = (
            tape.gradient(logits, variables, output_gradients=tf.cast(factor, logits.dtype))
            for factor in factors(logits)
        )
        return tf.stack([tf.linalg.global_norm(gradient) for gradient in gradients])

    def rows(self, pairs: Pairs, steps: Iterator[int]) -> Iterator[Row]:
        """Trains the discriminator, and yields a row before the first update, and then every `log_every` updates.

        Args:
          pairs: The images.
          steps: The numbers 0, 1, … of the updates; training ends with them.

        Raises:
          NotFiniteError: A measured quantity is NaN or infinite.
        """
        yield self.row(pairs, 0)
        for number in steps:
            real = next(pairs.real)
            self._update(real, pairs.fake(number), tf.constant(number))
            if (number + 1) % self._fresh.log_every == 0 or number + 1 == self._fresh.steps:
                yield self.row(pairs, number + 1)

    def row(self, pairs: Pairs, step: int) -> Row:
        """Returns what is measured after `step` updates.

        `d_loss` is the cross-entropy of both sets (2 log 2 for a constant 1/2), `d_accuracy` the mean of the shares of
        real images with a positive logit and of generated ones with a negative logit. `grad_minimax` and `grad_ns` are
        means over the batches, `grad_ns_sd` is the standard deviation of a batch's norm.
        """
        row: Row = {"step": step, "d_step": step}
        for suffix, pair in (("", pairs.trained), ("_heldout", pairs.heldout)):
            real, fake = (self._of_set(images) for images in pair)
            row[f"d_loss{suffix}"] = float(losses.minimax_discriminator_loss(real, fake))
            row[f"d_accuracy{suffix}"] = accuracy(real, fake)
        row |= _NO_GRADIENTS if self._generator is None else self._gradients()
        wrong = [name for name, value in row.items() if value is not None and not np.isfinite(value)]
        if wrong:
            raise NotFiniteError(f"{wrong[0]} is not finite after {step} updates of the fresh discriminator")
        return row

    def _of_set(self, images: tf.Tensor) -> np.ndarray:
        parts = range(0, len(images), _CHUNK)
        return np.concatenate([self._logits(images[start : start + _CHUNK]).numpy() for start in parts], axis=0)

    def _gradients(self) -> dict[str, Any]:
        # [batches, 2]
        norms = np.array([self._norms(tf.constant(number)).numpy() for number in range(self._fresh.batches)], float)
        minimax, ns = norms.mean(axis=0)
        return {"grad_minimax": minimax, "grad_ns": ns, "grad_ns_sd": norms[:, 1].std(ddof=1)}


def accuracy(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the mean of the shares of real logits above 0 and of fake ones below 0; a logit of 0 counts one half.

    Example:
      >>> accuracy(np.array([2.0, 1.0]), np.array([-1.0, 3.0])), accuracy(np.zeros(3), np.zeros(3))
      (0.75, 0.5)
    """
    return float((np.sign(real).mean() - np.sign(fake).mean()) / 4 + 0.5)


def stream_of(seed: int, index: int) -> Stream:
    """Returns the stream of fresh discriminator `index`.

    Example:
      >>> bool(tf.reduce_all(stream_of(0, 1).key == stream_of(0, 2).key))
      False
    """
    return streams.root(seed).fold(index)
