"""The Jacobian of the game: how the field of both players changes with the parameters of both.

    J = d v / d w        v = (-grad_D L_D, -grad_G L_G),    w = the parameters of D, then of G

Near an equilibrium, gradient flow w' = v(w) approaches it if all eigenvalues of J have negative real parts (Nagarajan
and Kolter 2017, Mescheder et al. 2018), and circles around it where they are imaginary. On the line, with a linear
discriminator and gamma of (gamma / 2) E |grad D(x)|^2, the eigenvalues at the equilibrium are known, `eigenvalues`.
"""

import cmath
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths.gan import GAN
from tfpaths.lines.path_angle import field
from tfpaths.streams import Stream

# A real part counts as positive from here on: what float32 and a batch leave of zero is smaller.
POSITIVE = 1e-3


def eigenvalues(variance: float, gamma: float = 0.0) -> tuple[complex, complex]:
    """Returns the pair -x ± sqrt(x^2 - 1/4), x = (variance / 2 + gamma) / 2, of a linear D at the equilibrium.

    It belongs to one direction, for the non-saturating and for the minimax loss. Without noise and penalty the
    directions aside have ±i/2: simultaneous steps spiral out. It is critically damped at x = 1/2.

    Args:
      variance: The variance of the data, with instance noise, in this direction: |s|^2 + sigma^2 along the line,
        sigma^2 aside.
      gamma: That of R1 or R2 (the weight of `R1Penalty` is gamma / 2); for both, their sum.

    Example:
      >>> [value.imag for value in eigenvalues(0.0)]
      [0.5, -0.5]
      >>> [value.real for value in eigenvalues(0.0, gamma=1.0)]
      [-0.5, -0.5]
    """
    x = (variance / 2 + gamma) / 2
    root = cmath.sqrt(x * x - 0.25)
    return root - x, -root - x


def jacobian(gan: GAN, real: tf.Tensor, stream: Stream) -> tf.Tensor:
    """Returns J of each run of an ensemble, `[runs, size, size]`, by forward-over-reverse products.

    Row i is the derivative of component i of the field, column j that by parameter j; the parameters are those of the
    discriminator's trainable variables, flattened and concatenated, then the generator's. One product gives a column of
    all runs, because runs do not depend on each other. LeakyReLU's second derivative is zero where it exists, so the
    kinks have no part in J.

    Call it in a compiled program.

    Args:
      gan: An ensemble.
      real: A real batch, `[runs, batch, dimension]`, with which the field is estimated.
      stream: The stream of latents, noise and penalties.

    Raises:
      ValueError: The GAN is no ensemble.

    Example: `tfpaths/figures/jacobian.py`.
    """
    if gan.runs is None:
        raise ValueError("runs: expected an ensemble, received a single GAN.")
    runs, total = gan.runs, sum(_sizes(gan))

    def step(index, columns):
        # The same direction in every run.
        directions = tf.broadcast_to(tf.one_hot(index, total), [runs, total])
        return index + 1, columns.write(index, product(gan, real, stream, directions))

    empty = tf.TensorArray(tf.float32, size=total, element_shape=[runs, total])
    _, columns = tf.while_loop(lambda index, _: index < total, step, (tf.constant(0), empty), maximum_iterations=total)
    return tf.transpose(columns.stack(), [1, 2, 0])


def product(gan: GAN, real: tf.Tensor, stream: Stream, directions: tf.Tensor) -> tf.Tensor:
    """Returns J u of each run of an ensemble, `[runs, size]`: the derivative of the field in a direction.

    Args:
      gan: As in `jacobian`.
      real: As there.
      stream: As there.
      directions: u, `[runs, size]`.

    Example: `tfpaths/lines/equilibrium.py`.
    """
    variables = _variables(gan)
    parts = tf.split(directions, _sizes(gan), axis=1)
    tangents = [tf.reshape(part, variable.shape) for part, variable in zip(parts, variables, strict=True)]
    with tf.autodiff.ForwardAccumulator(variables, tangents) as accumulator:
        values = field(gan, real, stream)
    derivatives = accumulator.jvp(values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.concat([tf.reshape(value, [gan.runs, -1]) for value in derivatives], axis=1)


def _variables(gan: GAN) -> list[tf.Variable]:
    return [one.value for one in (*gan.discriminator.trainable_variables, *gan.generator.trainable_variables)]


def _sizes(gan: GAN) -> list[int]:
    """Returns the number of elements of each variable in one run."""
    return [int(np.prod(variable.shape[1:])) for variable in _variables(gan)]


def slopes(discriminator: Any, examples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns E |grad D(x)| and |E grad D(x)| over examples, each `[runs]`.

    Slopes in opposite directions cancel in the second. Where D = 0 at all generated examples, the generator's offset is
    moved by half of the second at these examples.

    Args:
      discriminator: The discriminator of an ensemble.
      examples: `[runs, batch, dimension]`.

    Example:
      >>> both = slopes(lambda x: tf.abs(x[..., :1]), tf.constant([[[1.0, 0.0], [-1.0, 0.0]]]))
      >>> [value.numpy().tolist() for value in both]
      [[1.0], [0.0]]
    """
    with tf.GradientTape() as tape:
        tape.watch(examples)
        logits = discriminator(examples)
    gradients = tape.gradient(logits, examples)
    return tf.reduce_mean(tf.norm(gradients, axis=-1), axis=1), tf.norm(tf.reduce_mean(gradients, axis=1), axis=-1)


def spectrum(matrix: np.ndarray) -> dict[str, Any]:
    """Returns the eigenvalues of a matrix as pairs, and their summary; nothing if an element is not finite.

    `rotation` is |imaginary part| / |real part| of the eigenvalue with the largest imaginary part; it is left out where
    that real part is zero.

    Args:
      matrix: A square matrix.

    Example:
      >>> values = spectrum(np.array([[-1.0, 2.0], [-2.0, -1.0]]))
      >>> values["largest_real"], round(values["rotation"], 6), values["positive_share"]
      (-1.0, 2.0, 0.0)
    """
    if not np.isfinite(matrix).all():
        return {}
    values = np.linalg.eigvals(matrix.astype(np.float64))
    turning = values[np.argmax(np.abs(values.imag))]
    row = {
        "largest_real": float(values.real.max()),
        "positive_share": float(np.mean(values.real > POSITIVE)),
        "largest_imaginary": float(abs(turning.imag)),
        "eigenvalues": [[float(value.real), float(value.imag)] for value in values],
    }
    return row | ({"rotation": float(abs(turning.imag / turning.real))} if turning.real else {})
