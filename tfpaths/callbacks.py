"""What happens beside training, on a schedule: rows, sample grids, checkpoints, progress, a stop on request, traces."""

import math
import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import config, pictures, progress, results, startup
from tfpaths.checkpoints import Checkpoints, NotFiniteError

_GRID_SIDE = 8


class Scheduled(keras.callbacks.Callback):
    """Calls `act(step, logs)` whenever a multiple of `every` steps is reached or passed, and at the last step."""

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every = every
        self.last = last

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen = self.model.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.model.step
        if step // self.every > self._seen // self.every or step >= self.last:
            self.act(step, logs)
        self._seen = step

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        raise NotImplementedError


class Rows(Scheduled):
    """Losses, penalty and speed: a line of `metrics.jsonl`, TensorBoard's scalars, and whoever listens.

    examples_per_second counts real examples: the batch, times the discriminator's updates, times steps, over the time
    since the last row, whatever else that time was spent on.

    Raises:
      NotFiniteError: a value is NaN or infinite; nothing of this row is written.
    """

    def __init__(
        self,
        every: int,
        last: int,
        *,
        path: pathlib.Path,
        writer: tf.summary.SummaryWriter,
        examples_per_step: int,
        listeners: tuple[Callable[[dict[str, Any]], None], ...] = (),
    ):
        super().__init__(every, last)
        self.path = path
        self.writer = writer
        self.examples_per_step = examples_per_step
        self.listeners = listeners

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self._since = (self.model.step, time.perf_counter())

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        (then, start), now = self._since, time.perf_counter()
        self._since = (step, now)
        values = {name: float(value) for name, value in logs.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise NotFiniteError(f"{name} is {value} at step {step}")
        values["examples_per_second"] = round((step - then) * self.examples_per_step / (now - start), 1)
        results.append_row(self.path, {"step": step, **values})
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        for listener in self.listeners:
            listener({"step": step, **values})


class SampleGrids(Scheduled):
    """An 8×8 grid from the same latents each time, as a PNG and in TensorBoard; also before the first step."""

    def __init__(self, every: int, last: int, *, directory: pathlib.Path, writer: tf.summary.SummaryWriter, seed: int):
        super().__init__(every, last)
        self.directory = directory
        self.writer = writer
        self.seed = seed

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if self.model.step == 0:
            self.act(0, {})

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        images = self.model.sample(_GRID_SIDE**2, seed=self.seed).numpy()
        if not np.isfinite(images).all():
            raise NotFiniteError(f"a sample is not finite at step {step}")
        picture = pictures.grid(images, _GRID_SIDE)
        results.write_bytes(self.directory / f"step_{step:08d}.png", pictures.png(picture))
        with self.writer.as_default(step=step):
            tf.summary.image("samples", picture[tf.newaxis])


class Evaluations(Scheduled):
    """Measures the samples: a line of `metrics.jsonl` of its own, and TensorBoard's scalars.

    Args:
      every: steps between evaluations.
      last: the last step.
      measure: gives the values by name.
      path: of the rows.
      writer: TensorBoard's.
    """

    def __init__(
        self,
        every: int,
        last: int,
        *,
        measure: Callable[[], Mapping[str, float]],
        path: pathlib.Path,
        writer: tf.summary.SummaryWriter,
    ):
        super().__init__(every, last)
        self.measure = measure
        self.path = path
        self.writer = writer

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        try:
            values = self.measure()
        except (config.InputError, config.RunError) as error:
            # Training does not end for want of a measurement on the way; the last one says what is wrong for good.
            logging.warning("not measured at step %d: %s", step, error)
            return
        if not values:
            return
        results.append_row(self.path, {"step": step, **values})
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(f"evaluation/{name}", value)


class SaveCheckpoints(Scheduled):
    """Saves the complete state."""

    def __init__(self, every: int, last: int, *, checkpoints: Checkpoints):
        super().__init__(every, last)
        self.checkpoints = checkpoints

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        self.checkpoints.save()


class Progress(keras.callbacks.Callback):
    """On a terminal a bar with an estimate of the time left; in a pipe or a log a plain line for each row.

    The bar goes to standard error and the lines to standard output: `> log` on a terminal gives both.
    """

    def __init__(self, last: int):
        super().__init__()
        self.last = last
        self._bar: tqdm.tqdm | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        start = self.model.step
        self._since = (start, time.perf_counter())
        if sys.stderr.isatty():
            # Some terminals, a container's among them, say that they have no size; a bar would not be shown there.
            known = os.get_terminal_size(sys.stderr.fileno()).columns > 0
            width = {"dynamic_ncols": True} if known else {"ncols": 100, "nrows": 24}
            # Little smoothing: the first step compiles, and an average over the last few would swing for long.
            self._bar = tqdm.tqdm(total=self.last, initial=start, unit="step", smoothing=0.02, **width)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.update(self.model.step - self._bar.n)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the bar as it is, and the line after it free."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def row(self, row: Mapping[str, Any]) -> None:
        """Shows a row."""
        step = row["step"]
        shown = {
            "D": f"{row['discriminator_loss']:.3f}",
            "G": f"{row['generator_loss']:.3f}",
            "penalty": f"{row['penalty']:.3f}",
            "examples/s": f"{row['examples_per_second']:.0f}",
        }
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
            if sys.stdout.isatty():
                return
        first, began = self._since
        left = (time.perf_counter() - began) / max(step - first, 1) * (self.last - step)
        numbers = "  ".join(f"{name} {value}" for name, value in shown.items())
        progress.say(f"step {step}/{self.last}  {numbers}  left {tqdm.tqdm.format_interval(left)}")


class Profile(keras.callbacks.Callback):
    """A trace of `steps` steps for TensorBoard's profiler, from the third execution on: the first ones compile.

    A run that ends before leaves the steps that it made; one that is shorter leaves none, and says so.

    Args:
      directory: TensorBoard's; the trace lies below it in `plugins/profile`.
      steps: how many.
    """

    def __init__(self, directory: pathlib.Path, steps: int = 10):
        super().__init__()
        self.directory = directory
        self.steps = steps
        self._first: int | None = None
        self._running = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._first is None and batch >= 2 * self.model.steps_per_execution:
            self._first = self.model.step
            tf.profiler.experimental.start(str(self.directory))
            self._running = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._running and self._first is not None and self.model.step - self._first >= self.steps:
            self.close()

    def on_train_end(self, logs: Any = None) -> None:
        self.close()
        if self._first is None:
            logging.warning("--profile: nothing was traced; expected at least three executions of the step.")

    def close(self) -> None:
        """Writes what was traced."""
        if self._running:
            self._running = False
            with startup.filtered_stderr():
                tf.profiler.experimental.stop()


class StopOnSignal(keras.callbacks.Callback):
    """Ends training after the step under way on SIGINT (Ctrl-C) or SIGTERM; a second one is the usual abrupt end.

    Args:
      agreed: asks whether any of several workers is to stop, each of which asks it after every execution.

    Attributes:
      received: the signal that came, or none; SIGTERM where it came to another worker.
    """

    def __init__(self, agreed: Callable[[bool], bool] = bool) -> None:
        super().__init__()
        self._agreed = agreed
        self.received: signal.Signals | None = None
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        while self._former:
            signal.signal(*self._former.popitem())

    def _note(self, number: int, frame: Any) -> None:
        self.received = signal.Signals(number)
        self._give_back()
        # Not print: the signal may have come in the middle of one, whose buffer cannot be entered twice.
        os.write(2, "\nStopping after this step …\n".encode())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._agreed(self.received is not None):
            self.received = self.received or signal.SIGTERM
            self.model.stop_training = True
