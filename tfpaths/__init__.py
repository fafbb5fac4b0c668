"""tfpaths: "Many Paths to Equilibrium" on Keras 3 and TensorFlow.

    import tfpaths

    tfpaths.train("color_mnist_dragan_ns", "runs/a")
    images = tfpaths.load("runs/a").sample(64, seed=1)

The public interface is these functions and the public modules: `from tfpaths import data, losses, networks, penalties`
and `from tfpaths.gan import GAN`. Importing the package imports nothing heavy and changes nothing in the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfpaths.version import __version__ as __version__

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

    from tfpaths.config import Experiment
    from tfpaths.kinds import Outcome
    from tfpaths.runs.loading import Trained


def train(experiment: str | Experiment, workdir: str | pathlib.Path | None = None, **settings: Any) -> Outcome:
    """Runs an experiment in a run directory, from where it was stopped if it was, and writes the results.

    Args:
      experiment: A registered experiment's name, or a value of `tfpaths.config`.
      workdir: The run directory; by default `runs/<name>`.
      **settings: Those of `tfpaths.kinds.Settings`: data_dir, strategy, tpu, profile.

    Returns:
      How it ended; `stopped_by` is None if it is finished.

    Raises:
      InputError: Something is invalid; nothing was written.
      RunError: The run cannot continue; the message says why and what is kept.
    """
    from tfpaths import experiments, kinds

    value = experiments.get(experiment) if isinstance(experiment, str) else experiment
    return kinds.of(value).train(value, workdir or f"runs/{value.name}", kinds.Settings(**settings))


def evaluate(workdir: str | pathlib.Path, assignments: Sequence[str] = (), **settings: Any) -> dict[str, Any]:
    """Measures the newest checkpoint of a run, writes the numbers into its `results.json`, and returns its content.

    Args:
      workdir: The run directory.
      assignments: Changes of the evaluation: `["evaluation.metrics=ms_ssim"]`.
      **settings: Those of `tfpaths.kinds.Settings`.

    Raises:
      InputError: There is nothing to measure; `results.json` is as it was.
    """
    import pathlib

    from tfpaths import kinds, schema
    from tfpaths.runs.directory import RunDirectory

    value = schema.assign(RunDirectory(pathlib.Path(workdir)).known(), assignments)
    return kinds.of(value).evaluate(value, workdir, kinds.Settings(**settings))


def load(workdir: str | pathlib.Path) -> Trained:
    """Loads a trained run: an object with `gan`, `config`, `step` and `sample(num, seed=0)`.

    Args:
      workdir: The run directory.

    Raises:
      InputError: The directory is not that of a trained run.
    """
    from tfpaths.runs import loading

    return loading.load(workdir)


def sample(
    workdir: str | pathlib.Path, out: str, *, num: int = 64, seed: int = 0, interpolate: bool = False
) -> pathlib.Path:
    """Writes samples of a run, or of an export, to a picture, a directory or an array file; returns its path.

    Args:
      workdir: A run directory, or an export.
      out: `….png`, `….npz`, or a new directory.
      num: How many.
      seed: Seed for the latents.
      interpolate: Whether the samples are rows from one latent to another.

    Raises:
      InputError: Nothing there samples, or `out` cannot be written; nothing was written.
    """
    from tfpaths.runs import sampling

    return sampling.sample(workdir, out, num=num, seed=seed, interpolate=interpolate)


def export(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes `<workdir>/export`, a SavedModel that TensorFlow alone loads and samples; returns its path.

    Raises:
      InputError: The directory is not that of a trained run, or another run is writing to it.
    """
    from tfpaths.runs import exporting

    return exporting.export(workdir)


def report(workdirs: str | Sequence[str], out: str | None = None) -> pathlib.Path:
    """Writes one page on one or several runs; returns its path. TensorFlow is not imported.

    Args:
      workdirs: The run directories.
      out: The `.html` file; by default `report.html` in the first directory.

    Raises:
      InputError: A directory is not that of a run, or `out` cannot be written.
    """
    from tfpaths.runs import report as report_lib

    return report_lib.write([workdirs] if isinstance(workdirs, str) else list(workdirs), out)
