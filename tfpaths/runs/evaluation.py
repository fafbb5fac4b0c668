"""The evaluation of a run: scores of its samples, written into `results.json` with the protocol."""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, files
from tfpaths.compat.tensorflow import check_process
from tfpaths.gan import GAN
from tfpaths.metrics import sources
from tfpaths.metrics.evaluator import Evaluator, flat
from tfpaths.metrics.sources import Source
from tfpaths.networks import linear
from tfpaths.runs import build, devices, faults, identity, results, rows
from tfpaths.runs.checkpoints import Checkpoints
from tfpaths.runs.directory import RunDirectory
from tfpaths.streams import Stream

# The entries of the protocol that belong to the training; an evaluation copies them.
_OF_TRAINING = (
    "data",
    "data_version",
    "data_source",
    "batch_size",
    "precision",
    "train_examples",
    "unreadable_files",
    "corpus",
    "padded_lines",
    "cropped_lines",
    "dropped_lines",
    "unknown_characters",
    "replicas",
)


def evaluate(
    config: config_lib.Training, workdir: str | pathlib.Path, *, data_dir: str | None = None
) -> dict[str, Any]:
    """Evaluates the newest checkpoint of a run and writes the scores into its `results.json`.

    Scores that are already there stay, unless they are measured again, if step, split, data and seed are the same.

    Args:
      config: The experiment in the directory; its `evaluation` says what is measured.
      workdir: The run directory.
      data_dir: The directory of prepared TFDS data.

    Returns:
      The content of `results.json`.

    Raises:
      InputError: The directory has no such run, or a metric is not available; `results.json` is unchanged.

    Example: see `tfpaths.train` for a run directory.
    """
    check_process()
    directory = RunDirectory(files.path(workdir))
    if directory.stored() is None:
        raise errors.InputError(f"--workdir: expected the directory of a run, received {workdir}, which has none.")
    config = cast(config_lib.Training, directory.continued(build.complete(config)))
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir)
    if not evaluator.metrics:
        metrics = config.evaluation.metrics
        raise errors.InputError(f"evaluation.metrics: expected a metric to measure, received {metrics!r}.")
    kept = faults.explained(tf.distribute.get_strategy(), lambda: "The checkpoints are unchanged.")
    with directory.locked(), kept:
        gan = build.build(config, evaluator.examples(evaluator.split).shape)
        step = Checkpoints(directory.checkpoints, gan, description=identity.essence(config, gan)).restore()
        if step == 0:
            raise errors.InputError(f"--workdir: expected a run with a checkpoint, received {workdir}, which has none.")
        losses = rows.last_values(directory.metrics, step, tuple(gan.reported))
        device = devices.description(tf.distribute.get_strategy())
        summary = results.summary(config, step, losses, _protocol_of_training(config, directory), device=device)
        return write(directory, evaluator, gan, summary)


def source(gan: GAN, seed: int, refine: int | None = None) -> Source:
    """Returns the samples of a GAN as a source for the metrics, which reuse their results at the same step.

    Args:
      gan: The GAN.
      seed: Seed for the samples.
      refine: Langevin steps that refine the samples; None for as many as the game makes.
    """

    def refined(num: int, stream: Stream) -> tf.Tensor:
        assert refine is not None
        return gan.refined(gan.latents(num, stream), refine)

    draw = gan.draw if refine is None else refined
    network = gan.sampled_network if refine is None else None
    law = None if network is None else functools.partial(linear.law, network)
    return sources.samples(draw, seed, state=lambda: (gan.step, int(gan.restarts.numpy())), gan=gan, law=law)


def write(directory: RunDirectory, evaluator: Evaluator, gan: GAN, summary: dict[str, Any]) -> dict[str, Any]:
    """Evaluates a GAN, adds the scores to the summary of its run, writes `results.json`, and returns its content.

    The file is written twice: with the scores of the samples, and again when floor and ceiling are measured too.
    Pictures of metrics are written beside the samples.

    Args:
      directory: The run directory.
      evaluator: Computes the metrics.
      gan: The GAN.
      summary: The summary that `results.summary` returned.
    """
    samples = source(gan, evaluator.seed, evaluator.refine)
    measured = evaluator.measure_each(samples)
    pictures = evaluator.pictures(samples, tuple(measured))
    protocol = evaluator.protocol(tuple(measured))
    complete = {
        **summary,
        "metrics": summary["metrics"] | flat(measured),
        "protocol": summary["protocol"] | protocol,
        "references": {},
    }
    if pictures:
        complete["pictures"] = {name: picture.caption for name, picture in pictures.items()}
    previous = results.read_results(directory.results)
    if previous is not None and _comparable(previous, complete):
        for part in ("metrics", "protocol", "references", "pictures"):
            if part in previous or part in complete:
                complete[part] = previous.get(part, {}) | complete.get(part, {})
    for name, picture in pictures.items():
        files.write_bytes(directory.samples / f"{name}.png", picture.png)
    files.write_json(directory.results, complete)
    for kind, values in evaluator.references(tuple(measured)).items():
        complete["references"][kind] = complete["references"].get(kind, {}) | values
    files.write_json(directory.results, complete)
    return complete


def _protocol_of_training(config: config_lib.Training, directory: RunDirectory) -> dict[str, Any]:
    """Returns the training's part of the protocol: from the previous results, otherwise from the config."""
    previous = results.read_results(directory.results)
    stored = {} if previous is None else previous["protocol"]
    values = {"data": config.data.name, "batch_size": config.schedule.batch_size, "precision": config.precision}
    return values | {name: stored[name] for name in _OF_TRAINING if name in stored}


def _comparable(previous: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Returns whether the previous results have the same step, real images and seed."""
    shared = ("evaluation_seed", "refine", "split", "data_source")
    shared += tuple(name for name in new["protocol"] if name.startswith("real_"))
    same = all(previous["protocol"].get(name) == new["protocol"].get(name) for name in shared)
    return previous["step"] == new["step"] and "references" in previous and same


def table(summary: Mapping[str, Any]) -> str:
    """Returns the scores in a `results.json` as a table for a terminal, with floor and ceiling where they are known.

    Example:
      >>> print(table({"metrics": {"fid": 25.0}, "references": {"real": {"fid": 2.0}}}))
      metric  samples  real
      fid          25     2
    """
    references = summary.get("references", {})
    columns = {"samples": summary["metrics"]} | {
        name: references[name] for name in ("real", "noise") if name in references
    }
    lines = ["".join([f"{'metric':<30}", *(f"{name:>12}" for name in columns)])]
    for name in summary["metrics"]:
        values = [f"{column[name]:.4g}" if name in column else "" for column in columns.values()]
        lines.append("".join([f"{name:<30}", *(f"{value:>12}" for value in values)]))
    return "\n".join(f"  {line.rstrip()}" for line in lines)
