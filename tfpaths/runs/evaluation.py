"""Evaluation of a run: how good its samples are, written into `results.json` beside the protocol."""

import pathlib
from collections.abc import Mapping
from typing import Any, cast

from tfpaths import config as config_lib
from tfpaths import errors, files
from tfpaths.gan import GAN
from tfpaths.metrics import sources
from tfpaths.metrics.evaluator import Evaluator, flat
from tfpaths.metrics.sources import Source
from tfpaths.runs import build, results, rows
from tfpaths.runs.checkpoints import Checkpoints
from tfpaths.runs.directory import RunDirectory

# The part of the protocol that belongs to the training, which an evaluation copies.
_OF_TRAINING = (
    "data",
    "data_version",
    "data_source",
    "batch_size",
    "precision",
    "train_examples",
    "unreadable_files",
    "replicas",
)


def evaluate(
    config: config_lib.Training, workdir: str | pathlib.Path, *, data_dir: str | None = None
) -> dict[str, Any]:
    """Measures the newest checkpoint of a run and writes the numbers into its `results.json`.

    What is there of the same step by the same split and seed, and is not measured now, stays.

    Args:
      config: The experiment in the directory; its `evaluation` says what is measured.
      workdir: The run directory.
      data_dir: The directory of prepared TFDS data.

    Returns:
      The content of `results.json`.

    Raises:
      InputError: The directory has no such run, or a metric is not available; `results.json` is as it was.
    """
    directory = RunDirectory(pathlib.Path(workdir))
    if directory.stored() is None:
        raise errors.InputError(f"--workdir: expected the directory of a run, received {workdir}, which has none.")
    config = cast(config_lib.Training, directory.continued(build.complete(config)))
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir)
    if not evaluator.metrics:
        metrics = config.evaluation.metrics
        raise errors.InputError(f"evaluation.metrics: expected a metric to measure, received {metrics!r}.")
    with directory.locked():
        gan = build.build(config, evaluator.examples(evaluator.split).shape)
        step = Checkpoints(directory.checkpoints, gan).restore()
        if step == 0:
            raise errors.InputError(f"--workdir: expected a run with a checkpoint, received {workdir}, which has none.")
        losses = rows.last_values(directory.metrics, step, tuple(gan.reported))
        summary = results.summary(config, step, losses, _protocol_of_training(config, directory))
        return write(directory, evaluator, gan, summary)


def source(gan: GAN, seed: int) -> Source:
    """Returns the samples of a GAN. What was measured of them at the same step is not computed again.

    Args:
      gan: The GAN.
      seed: Seed for the samples.
    """
    return sources.samples(gan.draw, seed, state=lambda: (gan.step, int(gan.restarts.numpy())))


def write(directory: RunDirectory, evaluator: Evaluator, gan: GAN, summary: dict[str, Any]) -> dict[str, Any]:
    """Measures a GAN, adds the numbers to a summary of its run, writes `results.json`, and returns its content.

    The numbers of the samples are written before floor and ceiling are measured, and again with them.

    Args:
      directory: The run directory.
      evaluator: What is measured.
      gan: The GAN.
      summary: That of `results.summary`.
    """
    measured = evaluator.measure_each(source(gan, evaluator.seed))
    protocol = evaluator.protocol(tuple(measured))
    complete = {
        **summary,
        "metrics": summary["metrics"] | flat(measured),
        "protocol": summary["protocol"] | protocol,
        "references": {},
    }
    previous = results.read_results(directory.results)
    if previous is not None and _comparable(previous, complete):
        for part in ("metrics", "protocol", "references"):
            complete[part] = previous[part] | complete[part]
    files.write_json(directory.results, complete)
    for kind, values in evaluator.references(tuple(measured)).items():
        complete["references"][kind] = complete["references"].get(kind, {}) | values
    files.write_json(directory.results, complete)
    return complete


def _protocol_of_training(config: config_lib.Training, directory: RunDirectory) -> dict[str, Any]:
    """What the run's numbers depend on besides the evaluation: from the previous results, otherwise from the config."""
    previous = results.read_results(directory.results)
    stored = {} if previous is None else previous["protocol"]
    values = {"data": config.data.name, "batch_size": config.schedule.batch_size, "precision": config.precision}
    return values | {name: stored[name] for name in _OF_TRAINING if name in stored}


def _comparable(previous: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the previous results are of the same step, against the same images, from the same seed."""
    shared = ("evaluation_seed", "split", "data_source", "real_images")
    same = all(previous["protocol"].get(name) == new["protocol"].get(name) for name in shared)
    return previous["step"] == new["step"] and "references" in previous and same


def table(summary: Mapping[str, Any]) -> str:
    """Returns the numbers of a `results.json` for a terminal, with floor and ceiling beside those that have them."""
    references = summary.get("references", {})
    columns = {"samples": summary["metrics"]} | {
        name: references[name] for name in ("real", "noise") if name in references
    }
    lines = ["".join([f"{'metric':<30}", *(f"{name:>12}" for name in columns)])]
    for name in summary["metrics"]:
        values = [f"{column[name]:.4g}" if name in column else "" for column in columns.values()]
        lines.append("".join([f"{name:<30}", *(f"{value:>12}" for value in values)]))
    return "\n".join(f"  {line.rstrip()}" for line in lines)
