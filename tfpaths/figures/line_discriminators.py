"""Discriminators of parallel lines whose generator is held fixed, and the gradients that they give it."""

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import experiments, losses, progress
from tfpaths.lines import ensemble, problem, study

# Samples of each network that are measured at once: a layer's activations are [runs, 512, width].
_AT_ONCE = 512
# The branch of the runs' stream for the measured samples: those of training are steps, which are not negative.
_MEASURED = -6
# The gradients have two coordinates: towards the data, and along the line.
_COORDINATES = 2


class Discriminators:
    """Discriminators of parallel lines at the distance 1, all trained in one program by the update of `gan.GAN`.

    The generators are held fixed at the parallel start. Loss, optimiser and batch are those of `line1_ns`.

    Args:
      runs: Their number. Network i has the lines and the initial weights of run i of the studies of lines.
      width: Units of each of the two hidden layers.
      seed: Seed for all of it.

    Example:
      >>> networks = Discriminators(2, width=4, seed=0)
      >>> networks.train(1, "toy")
      >>> networks.gradients(8, "toy")[0].shape
      (2, 8, 2)
    """

    def __init__(self, runs: int, *, width: int, seed: int):
        base = experiments.get("line1_ns")
        assert isinstance(base, config_lib.Study)
        lines = base.lines.replace(runs=runs, width=width, start="parallel")
        block = study.build(base.replace(study=lines, seed=seed), runs)
        assert isinstance(block, ensemble.LineEnsemble)
        block.reset(first_run=0)
        self._block = block
        self._gan = block.gan
        # Traced here, once for each object, as in `ensemble.Ensemble`.
        count = tf.TensorSpec([], tf.int32)
        train = tf.function(self._train_all, jit_compile=True, autograph=False)
        self._train = train.get_concrete_function(count)
        axes = tf.TensorSpec([runs, lines.dimension, _COORDINATES], tf.float32)
        self._measure = tf.function(self._measure_some, autograph=False).get_concrete_function(count, axes)

    def train(self, updates: int, name: str) -> None:
        """Makes discriminator updates, each with a new batch; `name` is for the progress line."""
        done = 0
        parts = -(-updates // 100)
        with tf.device(self._gan.steps.device):
            for part in progress.shown(range(parts), f"{name}, training, part", parts):
                last = updates * (part + 1) // parts
                self._train(tf.constant(last - done))
                done = last

    def gradients(self, examples: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the gradient of -log D(G(z)) by the generator's offset for each of many z, and D(G(z)).

        Args:
          examples: Samples of each network.
          name: For the progress line.

        Returns:
          `[runs, examples, 2]`, in the coordinates v / |v| and s / |s|: a positive number in the first one moves the
          generator towards the data. And `[runs, examples]`. Both are float32.
        """
        players = self._block.players()
        s, v = players["direction"], players["offset"] - players["mean"]
        axes = np.stack([each / np.linalg.norm(each, axis=1, keepdims=True) for each in (v, s)], axis=2)  # [runs, d, 2]
        parts = -(-examples // _AT_ONCE)
        found = [
            self._measure(tf.constant(part), tf.constant(axes))
            for part in progress.shown(range(parts), f"{name}, gradients, part", parts)
        ]
        gradients, outputs = (np.concatenate([part[index].numpy() for part in found], axis=1) for index in (0, 1))
        return gradients[:, :examples], outputs[:, :examples]

    def accuracy(self, examples: int) -> np.ndarray:
        """Returns the share of examples on the right side of each network, `[runs]`: of real and generated ones."""
        size = min(examples, 8 * _AT_ONCE)
        stream = self._gan.stream.fold(_MEASURED, 0)
        real = self._block.data.batch(size, stream.fold(0))
        fake = self._gan.generate(self._gan.latents(size, stream.fold(1)))
        right = [tf.cast(logits > 0, tf.float32) for logits in (self._logits(real), -self._logits(fake))]
        return tf.reduce_mean(tf.concat(right, axis=1), axis=1).numpy()

    def _logits(self, examples: tf.Tensor) -> tf.Tensor:
        return self._gan.discriminator(examples)[:, :, 0]

    def _train_all(self, updates: tf.Tensor) -> None:
        gan, stream = self._gan, self._gan.stream

        def update(done: tf.Tensor) -> tf.Tensor:
            batch = self._block.batch(problem.data_stream(stream, gan.steps, 0))
            gan.update_discriminator(batch, stream.fold(gan.steps, 0))
            gan.steps.assign_add(1)
            return done + 1

        tf.while_loop(lambda done: done < updates, update, [tf.constant(0)])

    def _measure_some(self, part: tf.Tensor, axes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stream = self._gan.stream.fold(_MEASURED, 1 + part)
        # dG / dc is the identity, so that the gradient by c of one sample's loss is that by the sample.
        samples = self._gan.generate(self._gan.latents(_AT_ONCE, stream))
        loss = losses.get("non_saturating")
        with tf.GradientTape() as tape:
            tape.watch(samples)
            logits = self._logits(samples)
            # The loss is a mean over all samples, so the gradient of their sum has each sample's own gradient.
            total = tf.size(logits, tf.float32) * loss.generator(tf.reshape(logits, [-1]))
        return tf.matmul(tape.gradient(total, samples), axes), tf.sigmoid(logits)
