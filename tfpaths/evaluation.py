"""`evaluate`: how good a run's samples are, written beside the protocol by which they were measured."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfpaths import assembly, results
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints
from tfpaths.evaluator import Evaluator, flat
from tfpaths.gan import GAN
from tfpaths.metrics import sources

# What training alone knows, and an evaluation later passes on.
_OF_TRAINING = ("train_examples", "unreadable_files", "replicas")


def evaluate(
    config: config_lib.Experiment, workdir: str | pathlib.Path, *, data_dir: str | None = None
) -> dict[str, Any]:
    """Measures the newest checkpoint of a run and writes the numbers into its `results.json`.

    What stands there of the same step by the same split and seed, and is not measured now, stays.

    Args:
      config: the experiment that is in the directory; its `evaluation` says what is measured.
      workdir: the run directory.
      data_dir: prepared TFDS data.

    Returns:
      The content of `results.json`.

    Raises:
      InputError: the directory has no such run, or a metric cannot be had; `results.json` is as it was.
    """
    directory = results.RunDirectory(pathlib.Path(workdir))
    if directory.stored() is None:
        raise config_lib.InputError(f"--workdir: expected the directory of a run, received {workdir}, which has none.")
    config = directory.continued(config)
    if config.evaluation.metrics == "none":
        raise config_lib.InputError("evaluation.metrics: expected something to measure, received 'none'.")
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir)
    with directory.locked():
        gan = assembly.build(config, evaluator.images(evaluator.split).shape)
        step = Checkpoints(directory.checkpoints, gan).restore()
        if step == 0:
            raise config_lib.InputError(f"--workdir: expected a run with a checkpoint, received {workdir}: none there.")
        losses = results.last_values(directory.metrics, step, GAN.reported)
        known = results.read_results(directory.results)
        told = {} if known is None else {k: v for k, v in known["protocol"].items() if k in _OF_TRAINING}
        return write(directory, evaluator, gan, results.summary(config, step, losses, told))


def write(directory: results.RunDirectory, evaluator: Evaluator, gan: GAN, summary: dict[str, Any]) -> dict[str, Any]:
    """Adds what the evaluator measures of a GAN to a summary of its run, and writes the whole at once.

    The numbers of the samples are written before floor and ceiling are measured, and once more with them.
    """
    measured = evaluator.measure_each(sources.samples(gan.draw, evaluator.seed), evaluator.metrics)
    protocol = evaluator.protocol(tuple(measured))
    complete = {
        **summary,
        "metrics": summary["metrics"] | flat(measured),
        "protocol": summary["protocol"] | protocol,
        "references": {},
    }
    known = results.read_results(directory.results)
    if known is not None and _comparable(known, complete):
        for part in ("metrics", "protocol", "references"):
            complete[part] = known[part] | complete[part]
    results.write_json(directory.results, complete)
    for kind, values in evaluator.references(tuple(measured)).items():
        complete["references"][kind] = complete["references"].get(kind, {}) | values
    results.write_json(directory.results, complete)
    return complete


def _comparable(known: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether what is known was measured at the same step, against the same images, from the same seed."""
    shared = ("evaluation_seed", "split", "data_source", "real_images")
    same = all(known["protocol"].get(name) == new["protocol"].get(name) for name in shared)
    return known["step"] == new["step"] and "references" in known and same


def table(summary: Mapping[str, Any]) -> str:
    """The numbers of a `results.json` for a terminal, with floor and ceiling beside them where they are known."""
    references = summary.get("references", {})
    columns = {"samples": summary["metrics"]} | {
        name: references[name] for name in ("real", "noise") if name in references
    }
    lines = ["".join(["", f"{'metric':<30}", *(f"{name:>12}" for name in columns)])]
    for name in summary["metrics"]:
        values = [f"{column[name]:.4g}" if name in column else "" for column in columns.values()]
        lines.append("".join([f"{name:<30}", *(f"{value:>12}" for value in values)]))
    return "\n".join(f"  {line.rstrip()}" for line in lines)
