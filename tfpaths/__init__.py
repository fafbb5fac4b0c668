"""tfpaths: "Many Paths to Equilibrium" on Keras 3 and TensorFlow.

    import tfpaths

    tfpaths.train("color_mnist_dragan_ns", "runs/a")
    images = tfpaths.load("runs/a").sample(64, seed=1)

The public interface is these functions and the public modules: `from tfpaths import data, losses, networks, penalties`
and `from tfpaths.gan import GAN`. Importing the package does not import TensorFlow and has no side effects.
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
    """Runs an experiment in a run directory and writes its results. An interrupted run resumes.

    Args:
      experiment: The name of a registered experiment, or a value of `tfpaths.config`.
      workdir: The run directory; by default `runs/<name>`.
      **settings: The fields of `tfpaths.kinds.Settings`: data_dir, strategy, tpu, cluster_timeout, profile.

    Returns:
      How the run ended; `stopped_by` is None unless a signal stopped it.

    Raises:
      InputError: The input is invalid; nothing was written.
      RunError: The run cannot continue; the message gives the reason and what has been saved.

    Example:
      >>> from tfpaths import experiments, schema
      >>> tiny = ["networks.generator_filters=2", "networks.discriminator_filters=2", "schedule.batch_size=4"]
      >>> short = ["data.source=embedded", "schedule.steps=1", "evaluation.metrics=none"]
      >>> outcome = train(schema.assign(experiments.get("color_mnist_ns"), tiny + short), "toy")
      Computing on ...
      step 1/1 ...
      >>> load("toy").sample(5, seed=1).shape
      (5, 28, 28, 3)
    """
    from tfpaths import experiments, kinds

    value = experiments.get(experiment) if isinstance(experiment, str) else experiment
    return kinds.of(value).train(value, workdir or f"runs/{value.name}", kinds.Settings(**settings))


def evaluate(
    workdir: str | pathlib.Path, assignments: Sequence[str] = (), *, trust: bool = False, **settings: Any
) -> dict[str, Any]:
    """Evaluates the newest checkpoint of a run, writes the scores into its `results.json`, and returns its content.

    Args:
      workdir: The run directory.
      assignments: Changes to the evaluation, such as `["evaluation.metrics=ms_ssim"]`.
      trust: Whether a SavedModel that the run's config names may be loaded; `assignments` can name one in any case.
      **settings: The fields of `tfpaths.kinds.Settings`.

    Raises:
      InputError: There is nothing to evaluate; `results.json` is unchanged.

    Example: see `tfpaths.train` for a run directory.
    """
    from tfpaths import files, kinds
    from tfpaths.runs.directory import RunDirectory

    value = RunDirectory(files.path(workdir)).changed(assignments, trust=trust)
    return kinds.of(value).evaluate(value, workdir, kinds.Settings(**settings))


def load(workdir: str | pathlib.Path) -> Trained:
    """Loads a trained run: an object with `gan`, `config`, `step` and `sample(num, seed=0)`.

    Args:
      workdir: The run directory.

    Raises:
      InputError: The directory does not contain a trained run.

    Example: see `tfpaths.train`.
    """
    from tfpaths.runs import loading

    return loading.load(workdir)


def sample(
    workdir: str | pathlib.Path,
    out: str,
    *,
    num: int = 64,
    seed: int = 0,
    interpolate: bool = False,
    refine: int | None = None,
    member: int | None = None,
    overwrite: bool = True,
    trust: bool = False,
) -> pathlib.Path:
    """Writes samples of a run or of an export to a picture, an array file or a directory; returns its path.

    Args:
      workdir: A run directory, or an export.
      out: `….png`, of texts `….txt`, `….npz`, or a new directory.
      num: Number of samples.
      seed: Seed for the latents.
      interpolate: Whether each row of samples interpolates between two latents.
      refine: Langevin steps that refine the samples (`tfpaths.refinement`); None for as many as the game makes.
      member: The only generator of the game `mix` that samples come from; None for all of them.
      overwrite: Whether a file at `out` is replaced; the command line needs `--overwrite` for that.
      trust: Whether an export is loaded whatever it contains; a stranger's could read and write files.

    Raises:
      InputError: `workdir` has no samples to draw, or `out` cannot be written; nothing was written.

    Example: see `tfpaths.train` for a run directory.
    """
    from tfpaths.runs import sampling

    return sampling.sample(
        workdir,
        out,
        num=num,
        seed=seed,
        interpolate=interpolate,
        refine=refine,
        member=member,
        overwrite=overwrite,
        trust=trust,
    )


def export(workdir: str | pathlib.Path, *, member: int | None = None) -> pathlib.Path:
    """Writes `<workdir>/export`, a SavedModel that can be loaded and sampled with TensorFlow alone; returns its path.

    Args:
      workdir: The run directory.
      member: The only generator of the game `mix` that its samples come from; None for all of them.

    Raises:
      InputError: The directory does not contain a trained run, or another run is writing to it.

    Example: see `tfpaths.train` for a run directory.
    """
    from tfpaths.runs import exporting

    return exporting.export(workdir, member=member)


def report(workdirs: str | Sequence[str], out: str | None = None, *, overwrite: bool = True) -> pathlib.Path:
    """Writes one HTML page about one or several runs; returns its path. TensorFlow is not imported.

    Args:
      workdirs: The run directories.
      out: The `.html` file; by default `report.html` in the first directory.
      overwrite: Whether a file at `out` is replaced; the command line needs `--overwrite` for that.

    Raises:
      InputError: A directory does not contain a run, or `out` cannot be written.

    Example: see `tfpaths.runs.report.write`.
    """
    from tfpaths.runs import report as report_lib

    return report_lib.write([workdirs] if isinstance(workdirs, str) else list(workdirs), out, overwrite=overwrite)
