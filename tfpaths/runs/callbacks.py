"""Callbacks of training: rows, sample grids, evaluations and checkpoints on a schedule, and progress."""

import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import errors, files, progress
from tfpaths.data.example import ExampleType, Scene
from tfpaths.runs import rows
from tfpaths.runs.checkpoints import Checkpoints, NotFiniteError


class Counted(keras.callbacks.Callback):
    """Counts the completed steps by the batches of `fit`.

    `model.step` waits until the device has done all its work: a callback that read it after each execution would keep
    the host from preparing the next one.
    """

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._before = self.model.step

    def completed(self, batch: int) -> int:
        """Returns the number of completed steps at the end of batch `batch` of the epoch."""
        return self._before + batch + 1


class Scheduled(Counted):
    """Calls `act(step, logs)` whenever a multiple of `every` steps is reached or passed, and at the last step.

    Args:
      every: Steps between calls.
      last: The last step.
    """

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every = every
        self.last = last

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen = self.model.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.completed(batch)
        if step // self.every > self._seen // self.every or step >= self.last:
            self.act(step, logs)
        self._seen = step

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        """Acts on a step; `logs` holds the quantities that the step reports."""
        raise NotImplementedError


class Recorded(Scheduled):
    """The base class of callbacks that write values: a row in the file at `path`, and scalars for TensorBoard."""

    def __init__(self, every: int, last: int, *, path: pathlib.Path, writer: tf.summary.SummaryWriter):
        super().__init__(every, last)
        self.path = path
        self.writer = writer

    def record(self, step: int, values: Mapping[str, float], prefix: str = "") -> None:
        """Writes values by name; the names in TensorBoard begin with `prefix`."""
        rows.append_row(self.path, {"step": step, **values})
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(f"{prefix}{name}", value)


class Rows(Recorded):
    """Records the quantities that a step reports and the speed, and passes each row to the listeners.

        examples_per_second = examples_per_step (step - previous step) / (time - previous time)

    It counts real examples. The time since the previous row includes all other work, such as checkpoints.

    Args:
      every: Steps between rows.
      last: The last step.
      path: The file of rows.
      writer: The summary writer for TensorBoard.
      examples_per_step: Real examples in a step, over all discriminator updates.
      listeners: Functions that are called with each row.

    Raises:
      NotFiniteError: A value is NaN or infinite; nothing of this row is written.
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
        super().__init__(every, last, path=path, writer=writer)
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
        self.record(step, values)
        for listener in self.listeners:
            listener({"step": step, **values})


class SampleGrids(Scheduled):
    """Draws samples of the same latents each time, to a file and to TensorBoard; also before the first step.

    Args:
      every: Steps between grids.
      last: The last step.
      example: The data set's type of example, which draws the grid.
      directory: The directory of the files, such as `step_00000500.png`.
      writer: The summary writer for TensorBoard.
      seed: Seed for the latents.
      real: Real examples `[num, *shape]`, which the grid may show beside the samples.

    Raises:
      NotFiniteError: A sample is NaN or infinite; nothing is written.
    """

    def __init__(
        self,
        every: int,
        last: int,
        *,
        example: ExampleType,
        directory: pathlib.Path,
        writer: tf.summary.SummaryWriter,
        seed: int,
        real: np.ndarray,
    ):
        super().__init__(every, last)
        self.example = example
        self.directory = directory
        self.writer = writer
        self.seed = seed
        self.real = real

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if self.model.step == 0:
            self.act(0, {})

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        samples = self.model.sample(self.example.grid_size, seed=self.seed).numpy()
        if not np.isfinite(samples).all():
            raise NotFiniteError(f"a sample is not finite at step {step}")
        scene = Scene(self.real, lambda examples: self.model.discriminator(examples, training=False).numpy())
        content = self.example.training_grid(samples, scene)
        files.write_bytes(self.directory / f"step_{step:08d}{self.example.suffix}", content)
        with self.writer.as_default(step=step):
            if self.example.is_png:
                tf.summary.image("samples", tf.io.decode_png(content)[tf.newaxis])
            else:
                # Four spaces make each line one of Markdown's code, as it is.
                lines = content.decode().splitlines()
                tf.summary.text("samples", "\n".join(f"    {line}" for line in lines))


class Evaluations(Recorded):
    """Records scores of the samples. If a measurement fails, a warning is logged and training continues.

    Args:
      every: Steps between evaluations.
      last: The last step.
      measure: Returns the scores by name; for an empty mapping nothing is written.
      **recorded: The arguments of `Recorded`: path, writer.
    """

    def __init__(self, every: int, last: int, *, measure: Callable[[], Mapping[str, float]], **recorded: Any):
        super().__init__(every, last, **recorded)
        self.measure = measure

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        try:
            values = self.measure()
        except (errors.InputError, errors.RunError) as error:
            # Training continues without these scores; if the cause lasts, the final evaluation reports it.
            logging.warning("not measured at step %d: %s", step, error)
            return
        if values:
            self.record(step, values, "evaluation/")


class SaveCheckpoints(Scheduled):
    """Saves checkpoints of the complete state."""

    def __init__(self, every: int, last: int, *, checkpoints: Checkpoints):
        super().__init__(every, last)
        self.checkpoints = checkpoints

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        self.checkpoints.save()


class Progress(Counted):
    """Shows a bar with an estimate of the remaining time on a terminal, or a plain line for each row elsewhere.

    The bar is written to standard error and the lines to standard output, so `> log` on a terminal gives both.

    Args:
      last: The last step.
    """

    def __init__(self, last: int):
        super().__init__()
        self.last = last
        self._bar: tqdm.tqdm | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        start = self.model.step
        self._since = (start, time.perf_counter())
        if sys.stderr.isatty():
            # Some terminals, such as those of containers, report no size; tqdm would not show a bar there.
            has_size = os.get_terminal_size(sys.stderr.fileno()).columns > 0
            width = {"dynamic_ncols": True} if has_size else {"ncols": 100, "nrows": 24}
            # tqdm's average over recent steps would vary much, since the first step compiles and checkpoints take time;
            # with little smoothing the estimate is nearly that of the mean speed.
            self._bar = tqdm.tqdm(total=self.last, initial=start, unit="step", smoothing=0.02, **width)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.update(self.completed(batch) - self._bar.n)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the bar, which stays on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def row(self, row: Mapping[str, Any]) -> None:
        """Shows a row: the reported quantities under their short labels, and the speed."""
        step = row["step"]
        shown = [(label, f"{row[name]:.3f}") for name, label in self.model.reported.items() if label]
        shown.append(("examples/s", f"{row['examples_per_second']:.0f}"))
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join(f"{label}={value}" for label, value in shown), refresh=False)
            if sys.stdout.isatty():
                return
        first, began = self._since
        left = (time.perf_counter() - began) / max(step - first, 1) * (self.last - step)
        numbers = "  ".join(f"{label} {value}" for label, value in shown)
        progress.say(f"step {step}/{self.last}  {numbers}  left {tqdm.tqdm.format_interval(left)}")
