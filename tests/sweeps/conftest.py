"""Sweeps for tests: small experiments, and an engine that pretends to train their jobs."""

import zlib

import pytest

from tfpaths import config, experiments, files, schema, space
from tfpaths.lines import statistics
from tfpaths.runs import results, rows
from tfpaths.runs.directory import RunDirectory
from tfpaths.sweeps.engines import ENGINES
from tfpaths.sweeps.engines.registry import Ended

RATE = "variant.generator_optimizer.learning_rate"
TOY = {"study.width": "8", "schedule.batch_size": "8", "schedule.steps": "4", "schedule.log_every": "2"}


class Pretender:
    """An engine that writes the rows of each job's runs without training them, since compiling a job takes seconds.

    Attributes:
      started: The names of the tasks, in the order of their start.
      before: Is called before each task with it; what it returns, if not None, is how the task ended.
    """

    def __init__(self):
        self.started = []
        self.before = lambda task: None

    def check(self):
        pass

    def run(self, tasks, *, heard, stopped):
        for task in tasks:
            if stopped():
                return
            self.started.append(task.name)
            heard(task.name, "step 1/4")
            yield self.before(task) or self._train(task)

    def _train(self, task):
        directory = RunDirectory(task.directory)
        value = directory.stored()
        made = []
        for run in range(value.study.runs):
            settings = [setting.values[run] for setting in value.settings]
            # Any number that depends on the run's setting, from 0 to 1.
            end = zlib.crc32(repr((value.variant.name, value.study.width, settings, run)).encode()) / 2**32
            for step, distance in ((0, 2.0), (value.schedule.steps, end)):
                made.append({"step": step, "run": run, "squared_distance": distance, "rises": 0.0, "climbed": 0.0})
        rows.rewrite_rows(directory.metrics, made)
        metrics = statistics.summary(made, value.study.runs)
        files.write_json(directory.results, results.summary(value, value.schedule.steps, metrics, {}, device="CPU"))
        return Ended(task.name, 0, "")


@pytest.fixture
def pretender(monkeypatch):
    """An engine `local` that pretends to train, see `Pretender`."""
    engine = Pretender()
    list(ENGINES)  # Imports the engines.
    monkeypatch.setitem(ENGINES._items, "local", lambda jobs: engine)
    return engine


@pytest.fixture(scope="session")
def toy():
    """Returns a sweep of toy studies over the generator's rate and the width."""

    def made(names=("line1_ns", "line1_gan_gp"), trials=4, confirmed=0, axes=None, **texts):
        texts = {path.replace("__", "."): text for path, text in texts.items()}
        swept = tuple(schema.override(experiments.get(name), TOY | texts) for name in names)
        rate = space.Range(paths=(RATE,), scale="log", low=1e-3, high=1e-1)
        width = space.Choice(paths=("study.width",), values=((8,), (16,)))
        return config.Sweep(
            name="toy", experiments=swept, space=axes or (rate, width), trials=trials, confirmed=confirmed
        )

    return made
