"""Norms of the players' gradients, and their derivatives: shared by the games `consensus` and `gradient_norm`."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tfpaths import errors

Gradients = Sequence[tf.Tensor | None]


def over_replicas(gradients: Gradients) -> list[tf.Tensor | None]:
    """Returns the sums of gradients over all replicas, as constants; a gradient that is None remains None.

    Each replica's gradient is that of its share of the loss, so that the sum is the gradient of the global batch.

    Args:
      gradients: The gradients of this replica.

    Example:
      >>> [float(total) for total in over_replicas([tf.constant(2.0)])]
      [2.0]
    """
    context = tf.distribute.get_replica_context()
    present = [gradient for gradient in gradients if gradient is not None]
    if context.num_replicas_in_sync > 1:
        present = context.all_reduce("SUM", present)
    totals = iter(present)
    return [None if gradient is None else tf.stop_gradient(next(totals)) for gradient in gradients]


def product(gradients: Gradients, totals: Gradients) -> tf.Tensor:
    """Returns <g, v>, the sum over all variables, where g is this replica's gradient and v the constant `totals`.

    v is the sum of g over replicas, so the derivative of <g, v>, summed over replicas, is that of ||v||^2 / 2.

    Args:
      gradients: g.
      totals: v, from `over_replicas`.

    Example:
      >>> float(product([tf.constant([1.0, 2.0]), None], [tf.constant([3.0, 4.0]), None]))
      11.0
    """
    pairs = zip(gradients, totals, strict=True)
    return tf.add_n([tf.reduce_sum(one * other) for one, other in pairs if one is not None])


def refuse_loss_scaling(game: str, optimizers: Mapping[str, keras.optimizers.Optimizer]) -> None:
    """Checks that no optimiser scales its loss: small gradients of a norm would underflow in float16 all the same.

    Args:
      game: The game's name, for the message.
      optimizers: The optimisers.

    Raises:
      InputError: An optimiser scales its loss.

    Example:
      >>> scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
      >>> refuse_loss_scaling("consensus", {"generator_optimizer": scaled})
      Traceback (most recent call last):
      tfpaths.errors.InputError: precision: the game 'consensus' differentiates gradients, which underflow in float16...
    """
    for optimizer in optimizers.values():
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor is not None:
            raise errors.InputError(
                f"precision: the game {game!r} differentiates gradients, which underflow in float16. To fix this: "
                "--precision=mixed_bfloat16, or float32."
            )
