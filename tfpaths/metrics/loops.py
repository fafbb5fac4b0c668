"""The loop in which a metric trains a network: compiled, with progress between its parts."""

from collections.abc import Callable

import tensorflow as tf

from tfpaths import progress

# Updates in one call of the compiled loop; progress is shown between calls.
_AT_ONCE = 10


def repeat(update: Callable[[tf.Tensor], None], steps: int, label: str) -> None:
    """Calls `update(0)`, …, `update(steps - 1)` in a compiled loop.

    Args:
      update: Makes an update; its argument is the number of the update, an int32 scalar.
      steps: The number of updates.
      label: What the progress bar says.

    Example:
      >>> total = tf.Variable(0)
      >>> repeat(lambda step: total.assign_add(step), 25, "step")
      >>> int(total.numpy())  # 0 + … + 24
      300
    """

    def updated(step: tf.Tensor) -> tuple[tf.Tensor]:
        update(step)
        return (step + 1,)

    def loop(first: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor]:
        return tf.while_loop(lambda step: step < last, updated, (first,))

    # Traced here: TensorFlow would take the loops of several measurements for one that is traced again and again.
    number = tf.TensorSpec([], tf.int32)
    compiled = tf.function(loop, autograph=False).get_concrete_function(number, number)
    for start in progress.shown(range(0, steps, _AT_ONCE), label, steps, each=_AT_ONCE):
        compiled(tf.constant(start), tf.constant(min(start + _AT_ONCE, steps)))
