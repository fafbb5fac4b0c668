"""A discriminator with hidden layers between two parallel lines, trained by exact gradient descent."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from tfpaths.networks.mlp import MLP
from tfpaths.runs.rows import Row

# Nodes of the Gauss-Hermite quadrature over y and z: exact for polynomials below degree 32.
_NODES = 16
_SLOPE = 0.2


class Separation:
    """D between the data (0, y) and the samples (1, z), y and z from N(0, 1), by gradient descent on its cross-entropy.

        L = E softplus(-D(x)) + E softplus(D(G(z))),        D a logit, the expectations by Gauss-Hermite quadrature

    The first coordinate is along v, in the plane of both lines, and the generator is frozen at c = (1, 0), S = (0, 1).
    D has LeakyReLU layers with slope 0.2. For a network that is homogeneous of degree k in its parameters, as one with
    k layers and without biases is, gradient flow gives, once the sets are separated (Lyu and Li 2020, arXiv
    1906.05890), up to a factor

        L ~ 1 / (t (log t)^(2 - 2/k)),        with the slope d log L / d log t = -1 - (2 - 2/k) / log t

    With k = 1 this is the linear discriminator's 1 / t. Biases of the first layer, weights of a further input 1, keep a
    network homogeneous; D has biases in all layers, so that the theorem does not hold for it. The figure `perfect_line`
    compares its slope with that of k = `depth` + 1.

    Args:
      width: Units of each hidden layer.
      depth: The number of hidden layers, k - 1; 0 is a linear discriminator, which begins at zero.
      rate: The size of a gradient step.
      seed: Seed for the initial weights.

    Example:
      >>> rows = list(Separation(width=8, depth=1, rate=0.1).rows([1, 50]))
      >>> [row["step"] for row in rows], rows[1]["d_loss"] < rows[0]["d_loss"]
      ([1, 50], True)
    """

    def __init__(self, *, width: int, depth: int, rate: float, seed: int = 0):
        self.rate = rate
        self.depth = depth
        networks = MLP(latent_dim=1, width=width, depth=depth, negative_slope=_SLOPE)
        self._discriminator = networks.discriminator((2,), seed=seed)
        if depth == 0:
            self._discriminator.set_weights([np.zeros_like(weight) for weight in self._discriminator.get_weights()])
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        self._y = tf.constant(nodes[:, np.newaxis], tf.float32)
        self._weights = tf.constant(weights[:, np.newaxis] / weights.sum(), tf.float32)
        self._advance = tf.function(self._advanced, jit_compile=True, autograph=False)

    def rows(self, steps: Iterable[int]) -> Iterator[Row]:
        """Yields a row after each of these numbers of steps, which increase.

        `time` is t, the number of steps times the rate. `grad_minimax` and `grad_ns` are the norms of the gradients of
        E log(1 - D(G(z))) and of -E log D(G(z)) by the generator's c and S, `d_fake` is the mean of D(G(z)).
        """
        before = 0
        for step in steps:
            self._advance(tf.constant(step - before))
            before = step
            yield {"step": step, "time": self.rate * step, **self._measured()}

    def _logits(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns D on the data and on the samples, `[nodes, 1]` each."""
        points = [tf.concat([tf.fill(self._y.shape, place), self._y], axis=1) for place in (0.0, 1.0)]
        real, fake = tf.split(self._discriminator(tf.concat(points, axis=0)), 2)
        return real, fake

    def _mean(self, values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self._weights * values)

    def _loss(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return self._mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))

    def _advanced(self, steps: tf.Tensor) -> None:
        variables = self._discriminator.trainable_variables

        def step(index: tf.Tensor) -> tuple[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = self._loss(*self._logits())
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(self.rate * gradient)
            return (index + 1,)

        tf.while_loop(lambda index: index < steps, step, (tf.constant(0),))

    def _measured(self) -> Row:
        real, _ = self._logits()
        offset, directions = tf.constant([1.0, 0.0]), tf.constant([0.0, 1.0])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([offset, directions])
            fake = self._discriminator(offset + self._y * directions)
            minimax = self._mean(tf.math.log_sigmoid(-fake))
            non_saturating = -self._mean(tf.math.log_sigmoid(fake))
        norms = (
            tf.linalg.global_norm(tape.gradient(target, [offset, directions])) for target in (minimax, non_saturating)
        )
        return {
            "d_loss": float(self._loss(real, fake)),
            "d_fake": float(self._mean(tf.sigmoid(fake))),
            **dict(zip(("grad_minimax", "grad_ns"), map(float, norms), strict=True)),
        }
