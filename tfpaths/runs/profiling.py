"""A trace of a few steps for TensorBoard's profiler."""

import pathlib
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from tfpaths import startup


class Profile(keras.callbacks.Callback):
    """Traces `steps` steps for TensorBoard's profiler, beginning with the third execution: the first ones compile.

    If training ends earlier, the trace has fewer steps; with fewer than three executions there is no trace, and a
    warning is logged.

    Args:
      directory: TensorBoard's directory; the trace is in its subdirectory `plugins/profile`.
      steps: The number of steps.

    Example: `gan.fit(batches, callbacks=[Profile(pathlib.Path("tensorboard"))])`.
    """

    def __init__(self, directory: pathlib.Path, steps: int = 10):
        super().__init__()
        self.directory = directory
        self.steps = steps
        self._first: int | None = None
        self._running = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._first is None and batch >= 2 * self.model.steps_per_execution:
            self._first = batch
            tf.profiler.experimental.start(str(self.directory))
            self._running = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._running and self._first is not None and batch + 1 - self._first >= self.steps:
            self.close()

    def on_train_end(self, logs: Any = None) -> None:
        self.close()
        if self._first is None:
            logging.warning("--profile: nothing was traced; expected at least three executions of the step.")

    def close(self) -> None:
        """Ends the trace and writes it, if one is running."""
        if self._running:
            self._running = False
            with startup.filtered_stderr():
                tf.profiler.experimental.stop()
