"""What happens beside training, on a schedule: rows, sample grids, checkpoints, progress, a stop on request."""

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

from tfpaths import errors, files, progress
from tfpaths.data.example import ExampleType
from tfpaths.runs import rows
from tfpaths.runs.checkpoints import Checkpoints, NotFiniteError


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


class Recorded(Scheduled):
    """Writes values: a line of the file of rows at `path`, and TensorBoard's scalars."""

    def __init__(self, every: int, last: int, *, path: pathlib.Path, writer: tf.summary.SummaryWriter):
        super().__init__(every, last)
        self.path = path
        self.writer = writer

    def record(self, step: int, values: Mapping[str, float], prefix: str = "") -> None:
        """Writes the values by name; TensorBoard's names begin with `prefix`."""
        rows.append_row(self.path, {"step": step, **values})
        with self.writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(f"{prefix}{name}", value)


class Rows(Recorded):
    """Records what a step reports, and the speed; each row goes to the listeners too.

    examples_per_second counts real examples: `examples_per_step` times steps, over the time since the last row, which
    includes all other work.

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
    """Draws samples of the same latents each time, as a file and in TensorBoard; also before the first step.

    Args:
      every: Steps between grids.
      last: The last step.
      example: The data set's type of example, which draws them.
      directory: Where the files are written: `step_00000500.png`.
      writer: TensorBoard's.
      seed: Seed for the latents.

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
    ):
        super().__init__(every, last)
        self.example = example
        self.directory = directory
        self.writer = writer
        self.seed = seed

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if self.model.step == 0:
            self.act(0, {})

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        samples = self.model.sample(self.example.grid_size, seed=self.seed).numpy()
        if not np.isfinite(samples).all():
            raise NotFiniteError(f"a sample is not finite at step {step}")
        content = self.example.grid(samples, self.example.grid_columns)
        files.write_bytes(self.directory / f"step_{step:08d}{self.example.suffix}", content)
        with self.writer.as_default(step=step):
            if self.example.is_png:
                tf.summary.image("samples", tf.io.decode_png(content)[tf.newaxis])
            else:
                tf.summary.text("samples", content.decode())


class Evaluations(Recorded):
    """Records measurements of the samples.

    Args:
      every: Steps between evaluations.
      last: The last step.
      measure: Returns the values by name; an empty mapping writes nothing.
      **recorded: Those of `Recorded`: path, writer.
    """

    def __init__(self, every: int, last: int, *, measure: Callable[[], Mapping[str, float]], **recorded: Any):
        super().__init__(every, last, **recorded)
        self.measure = measure

    def act(self, step: int, logs: Mapping[str, Any]) -> None:
        try:
            values = self.measure()
        except (errors.InputError, errors.RunError) as error:
            # Training continues without this measurement; the final evaluation reports a lasting cause.
            logging.warning("not measured at step %d: %s", step, error)
            return
        if values:
            self.record(step, values, "evaluation/")


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
            # Some terminals, a container's among them, report no size; a bar would not be shown there.
            has_size = os.get_terminal_size(sys.stderr.fileno()).columns > 0
            width = {"dynamic_ncols": True} if has_size else {"ncols": 100, "nrows": 24}
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
        """Shows a row: what the game reports, under its short labels, and the speed."""
        step = row["step"]
        shown = [(label, f"{row[name]:.3f}") for name, label in self.model.reported.items()]
        shown.append(("examples/s", f"{row['examples_per_second']:.0f}"))
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join(f"{label}={value}" for label, value in shown), refresh=False)
            if sys.stdout.isatty():
                return
        first, began = self._since
        left = (time.perf_counter() - began) / max(step - first, 1) * (self.last - step)
        numbers = "  ".join(f"{label} {value}" for label, value in shown)
        progress.say(f"step {step}/{self.last}  {numbers}  left {tqdm.tqdm.format_interval(left)}")


class StopOnSignal(keras.callbacks.Callback):
    """Ends training after the current step on SIGINT (Ctrl-C) or SIGTERM; a second signal ends it abruptly, as usual.

    Args:
      agreed: Flag -> whether any of several workers has it set; each of them asks after every execution.

    Attributes:
      received: The signal that came, or None; SIGTERM if it came to another worker.
    """

    def __init__(self, agreed: Callable[[bool], bool] = bool) -> None:
        super().__init__()
        self._agreed = agreed
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _note(self, number: int, frame: Any) -> None:
        self.received = signal.Signals(number)
        self._restore()
        # Not print: the signal may interrupt another print, whose buffer is not reentrant.
        os.write(2, "\nStopping after this step …\n".encode())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._agreed(self.received is not None):
            self.received = self.received or signal.SIGTERM
            self.model.stop_training = True
