"""Everything around the step: `fit` with all callbacks, the input pipeline, the first step.

    python -m benchmarks.overhead [--turns=5] [--steps=500]

Prints a table and writes `benchmarks/results/overhead.json`. `fit` and a plain loop over the step take turns on one
model and data set, so that other load on the machine slows both; a ratio is of one turn, and the median is over turns.
"""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from benchmarks import machine, spread, store
from tfpaths import experiments, schema, startup

_TURNS = flags.DEFINE_integer("turns", 5, "Pairs of measurements.")
_STEPS = flags.DEFINE_integer("steps", 500, "Steps in each measurement; the default is the interval of grids.")
_EXP = flags.DEFINE_string("exp", "color_mnist_dragan_ns", "The experiment.")


def loop_and_fit(experiment, images, turns, steps):
    """Returns seconds per step of (the traced step in a loop, `fit` as training calls it), one pair for each turn."""
    from tfpaths.runs import build
    from tfpaths.runs.checkpoints import Checkpoints
    from tfpaths.runs.directory import RunDirectory

    gan = build.build(experiment, images.shape)
    pairs = []
    with tempfile.TemporaryDirectory() as path:
        directory = RunDirectory(pathlib.Path(path))
        checkpoints = Checkpoints(directory.checkpoints, gan)
        batches = images.batches(experiment.schedule.batch_size)
        function, iterator = gan.make_train_function(), iter(batches)

        def loop():
            start = time.perf_counter()
            for _ in range(steps):
                values = function(iterator)
            float(values["penalty"])
            return (time.perf_counter() - start) / steps

        def fit():
            timed = schema.override(experiment, {"schedule.steps": str(gan.step + steps)})
            return fit_seconds(gan, images, timed, directory, checkpoints) / steps

        function(iterator)  # Compiles.
        gan.steps.assign(0)
        for turn in range(turns):
            # The order changes from turn to turn, so that neither always has the warmer machine.
            earlier, later = (loop, fit) if turn % 2 else (fit, loop)
            first, second = earlier(), later()
            pairs.append((first, second) if turn % 2 else (second, first))
    return pairs


def fit_seconds(gan, examples, experiment, directory, checkpoints):
    """Returns the seconds from the start of the first step to the end of the last, with all that a run writes."""
    import keras

    from tfpaths.runs import fitting

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 0:
                self.start = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            # This callback is the last, so that rows, grids and checkpoints are included.
            self.seconds = time.perf_counter() - self.start

    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()):
        fitting.fit(gan, examples, experiment, directory, checkpoints, [clock])
    return clock.seconds


def pipeline_seconds(images, batch_size, turns, count=500):
    """Returns seconds per batch of the input pipeline alone, for each turn."""
    times = []
    for turn in range(turns):
        iterator = iter(images.batches(batch_size, start=turn * count))
        next(iterator)
        start = time.perf_counter()
        for _ in range(count):
            next(iterator)
        times.append((time.perf_counter() - start) / count)
    return times


def first_step_seconds(turns=3):
    """Returns the seconds from the command to the end of a run of one step, for each turn."""
    times = []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as directory:
            command = [
                sys.executable,
                "-m",
                "tfpaths.launch",
                f"--exp={_EXP.value}",
                "--steps=1",
                f"--workdir={directory}/r",
                # The evaluation has its own benchmark.
                "--set=evaluation.metrics=none",
            ]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    return times


def main(argv):
    del argv
    startup.import_tensorflow()
    from tfpaths import data

    experiment = experiments.get(_EXP.value)
    images = data.load(experiment.data.name)
    pairs = loop_and_fit(experiment, images, _TURNS.value, _STEPS.value)
    overhead = [fit / loop for loop, fit in pairs]
    batch = pipeline_seconds(images, experiment.schedule.batch_size, _TURNS.value)
    used = experiment.variant.discriminator_steps
    margin = [loop / used / seconds for (loop, _), seconds in zip(pairs, batch, strict=True)]
    first = first_step_seconds()
    rows = {
        "fit with rows, grids and checkpoints / the step in a loop (goal: 1.05)": overhead,
        "pipeline's batches / what training consumes (goal: at least 10)": margin,
        "command to the end of a run of one step, seconds (goal: at most 20)": first,
    }
    for name, values in rows.items():
        print(f"{name:70} {spread(values)}")
    about = {**machine("tensorflow", "keras"), "experiment": _EXP.value}
    store("overhead", {**about, **rows})


if __name__ == "__main__":
    app.run(main)
