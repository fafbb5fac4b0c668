"""`evaluate`: how good a run's samples are, under a protocol that is written beside the numbers."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import assembly, data, results, streams
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints
from tfpaths.gan import GAN
from tfpaths.metrics import cache, critic, extractors, modes, scores, similarity

_SSIM_IMAGES = similarity.BATCHES * similarity.BATCH
_MODE_READER = "digits"


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the images to be judged come from.

    Attributes:
      batches: `(start, num)` -> the `num` images from `start` on; the same call gives the same images.
      sampler: `(num, seed)` -> images drawn anew, for the critic.
      size: how many different ones there are; none where there is no end.
    """

    batches: Callable[[int, int], tf.Tensor]
    sampler: critic.Sampler
    size: int | None = None


def samples(sampler: critic.Sampler, seed: int) -> Source:
    """The images that a sampler gives for a seed."""
    stream = streams.root(seed)
    compiled = tf.function(sampler, reduce_retracing=True)
    return Source(lambda start, num: compiled(num, streams.fold(stream, start)), sampler)


def real(images: data.Images) -> Source:
    """A generator that has memorised a data set: its images in their order, or drawn at random."""

    def sampler(num, seed):
        return images.take(tf.cast(streams.uniform(seed, [num]) * images.size, tf.int64))

    return Source(lambda start, num: images.take(tf.range(start, start + num, dtype=tf.int64)), sampler, images.size)


def noise(shape: Sequence[int], seed: int) -> Source:
    """Independent uniform pixels."""
    return samples(lambda num, seed: 2.0 * streams.uniform(seed, [num, *shape]) - 1.0, seed)


def _default_split(data_config: config_lib.Data) -> str:
    """`test`, but for a folder that has no sub-folders for its splits."""
    folder = data_config.name == "folder" and data_config.path is not None
    return "test" if not folder or (pathlib.Path(str(data_config.path)).expanduser() / "test").is_dir() else "train"


class Evaluator:
    """Measures images by the protocol of a config. Making one refuses at once what would be refused later.

    Args:
      data_config: the data set.
      evaluation: what to measure, and how.
      data_dir: prepared TFDS data.
      known: splits that have been read already.
      lenient: with metrics that nobody named (`auto`), one that cannot be had is left out with a warning: training
        does not fail for want of it.

    Attributes:
      metrics: those that are measured.
      every_metrics: those that are measured while training.
      seed: of the samples.
      split: the images that samples are compared with.

    Raises:
      InputError: a metric does not belong to the data set, or the extractor cannot be had.
    """

    def __init__(
        self,
        data_config: config_lib.Data,
        evaluation: config_lib.Evaluation,
        *,
        data_dir: str | None = None,
        lenient: bool = False,
        known: Sequence[data.Images] = (),
    ):
        self._data = data_config
        self._evaluation = evaluation
        self.seed = evaluation.seed
        self._data_dir = data_dir
        self._lenient = lenient
        self.split = evaluation.split
        if self.split == "auto":
            self.split = _default_split(data_config)
        self._splits = {images.split: images for images in known}
        self._extractor_name = evaluation.extractor
        if self._extractor_name == "auto":
            self._extractor_name = extractors.default(data_config.name)
        self.metrics = self._resolved(evaluation.metrics)
        self.every_metrics = self._resolved(evaluation.every_metrics) if evaluation.every else ()

    def _resolved(self, names: str) -> tuple[str, ...]:
        """The metrics that a text of the config stands for."""
        has_modes = extractors.default(self._data.name) == _MODE_READER
        if names == "none":
            return ()
        if names == "auto":
            found = tuple(name for name in config_lib.METRICS if name != "modes" or has_modes)
        else:
            found = tuple(names.split(","))
            if "modes" in found and not has_modes:
                raise config_lib.InputError(
                    f"evaluation.metrics: expected none that counts modes with {self._data.name}, received 'modes'; "
                    "color_mnist and stacked_mnist have them."
                )
        if "scores" in found:
            try:
                extractors.check(self._extractor_name, self._data.name)
            except config_lib.InputError as error:
                if not (self._lenient and names == self._evaluation.extractor == "auto"):
                    raise
                logging.warning("no scores will be computed: %s", error)
                found = tuple(name for name in found if name != "scores")
        return found

    def measure(
        self, source: Source, metrics: Sequence[str] | None = None, count: int | None = None
    ) -> dict[str, float]:
        """The values of `metrics`, by default all, of the first `count` images of a source, by default the config's.

        Raises:
          InputError: a split is missing, or there are too few images.
          RunError: an image is not finite.
        """
        each = self._measure(source, self.metrics if metrics is None else metrics, count)
        return {name: value for values in each.values() for name, value in values.items()}

    def references(self) -> dict[str, dict[str, float]]:
        """The same metrics for real images (the floor) and for noise (the ceiling), as far as they are known.

        The floor is that of a generator which has memorised images: train images against those of `split`,
        as many as there would be samples. What is known is kept; what is not is computed where the config says so.
        """
        evaluation = self._evaluation
        memorised = "test" if self.split == "train" else "train"
        sources = {
            "real": lambda: real(self.images(memorised)),
            "noise": lambda: noise(self.images(self.split).shape, evaluation.seed),
        }
        found: dict[str, dict[str, float]] = {}
        for kind, source in sources.items():
            names = {name: cache.key("reference", kind, name, *self._depends_on(name)) for name in self.metrics}
            known = {name: kept[1] for name, file in names.items() if (kept := cache.read(file)) is not None}
            missing = [name for name in names if name not in known]
            if missing and evaluation.references:
                print(
                    f"Measuring {kind} images ({', '.join(missing)}), once; it is kept in {cache.folder()}.", flush=True
                )
                for name, values in self._measure(source(), missing).items():
                    known[name] = values
                    cache.write(names[name], {}, values)
            if known:
                found[kind] = {name: value for values in known.values() for name, value in values.items()}
        return found

    def protocol(self) -> dict[str, Any]:
        """What the numbers depend on."""
        evaluation = self._evaluation
        if not self.metrics:
            return {}
        told: dict[str, Any] = {"evaluation_seed": evaluation.seed, "split": self.split}
        images = self.images(self.split)
        told["data_source"] = images.source
        if "scores" in self.metrics:
            told |= {"samples": evaluation.samples, "real_images": min(evaluation.samples, images.size)}
            told |= {"extractor": self._extractor.name, "extractor_accuracy": self._extractor.accuracy}
        if "ms_ssim" in self.metrics:
            scales = len(similarity.weights(min(images.shape[:2])))
            told["ms_ssim"] = f"{similarity.BATCHES} batches of {similarity.BATCH}, all pairs, {scales} scales"
        if "modes" in self.metrics:
            told |= {"mode_samples": evaluation.mode_samples, "mode_classifier_accuracy": self._reader.accuracy}
        if "critic" in self.metrics:
            told |= {"critic_steps": evaluation.critic_steps, "critic_batch_size": critic.BATCH}
        return told

    def images(self, split: str) -> data.Images:
        """A split of the data set, read once.

        Raises:
          InputError: the data set has no such split, or cannot be had.
        """
        if split not in self._splits:
            try:
                self._splits[split] = assembly.load_data(self._data, split, data_dir=self._data_dir)
            except config_lib.InputError as error:
                raise config_lib.InputError(
                    f"{error} Ways out: another split (--set evaluation.split=…), or fewer metrics (--set "
                    "evaluation.metrics=…; the critic alone needs validation, test and train)."
                ) from error
        return self._splits[split]

    @functools.cached_property
    def _extractor(self) -> extractors.Extractor:
        """Of the scores."""
        return self._made(self._extractor_name)

    @functools.cached_property
    def _reader(self) -> extractors.Extractor:
        """Of modes."""
        return self._extractor if self._extractor_name == _MODE_READER else self._made(_MODE_READER)

    def _made(self, name: str) -> extractors.Extractor:
        # `auto` is settled by the images: what they come from is what the classifier is trained on.
        source = self.images(self.split).source
        return extractors.get(name, self._data.name, source=source, data_dir=self._data_dir)

    def _depends_on(self, name: str) -> tuple[object, ...]:
        """What a metric's value depends on beside the images that it judges."""
        evaluation, images = self._evaluation, self.images(self.split)
        common = (*dataclasses.astuple(self._data), images.source, images.split, images.size, evaluation.seed)
        match name:
            case "scores":
                return (*common, evaluation.samples, self._extractor.key)
            case "modes":
                return (*common, evaluation.mode_samples, self._reader.key)
            case "critic":
                return (*common, evaluation.samples, evaluation.critic_steps, *critic.PROTOCOL)
            case _:
                return (*common, *similarity.PROTOCOL)

    def _measure(
        self, source: Source, names: Sequence[str], count: int | None = None
    ) -> dict[str, Mapping[str, float]]:
        """The values of each metric."""
        outputs = _Outputs(source)
        found: dict[str, Mapping[str, float]] = {}
        for name in names:
            try:
                match name:
                    case "scores":
                        found[name] = self._scores(outputs, _at_most(count or self._evaluation.samples, source))
                    case "ms_ssim":
                        found[name] = self._ms_ssim(source)
                    case "modes":
                        found[name] = self._modes(outputs, _at_most(count or self._evaluation.mode_samples, source))
                    case "critic":
                        found[name] = self._critic(source, count or self._evaluation.samples)
            except config_lib.InputError as error:
                if not (self._lenient and self._evaluation.metrics == "auto"):
                    raise
                logging.warning("%s: left out. %s", name, error)
                self.metrics = tuple(other for other in self.metrics if other != name)
        return found

    def _scores(self, outputs: "_Outputs", count: int) -> Mapping[str, float]:
        extractor, images = self._extractor, self.images(self.split)
        known = self._real_features(extractor, images, min(self._evaluation.samples, images.size))
        scores.check_counts(len(known), known.shape[1], f"the split {images.split} of {images.name}")
        scores.check_counts(count, known.shape[1], "evaluation.samples")
        logits, features = outputs.first(extractor, count)
        return scores.all_scores(known, logits, features, is_inception=extractor.is_inception)

    def _real_features(self, extractor: extractors.Extractor, images: data.Images, count: int) -> np.ndarray:
        def make():
            return {"features": extractor.collect(real(images).batches, 0, count)[1]}, {}

        if images.source == "folder":  # Its files may change while its name stays.
            return make()[0]["features"]
        place = dataclasses.astuple(self._data)
        name = cache.key("features", *place, images.source, images.split, images.size, count, extractor.key)
        return cache.fetch(name, make)[0]["features"]

    def _ms_ssim(self, source: Source) -> Mapping[str, float]:
        images = self.images(self.split)
        for size, what in ((images.size, f"the split {images.split} of {images.name}"), (source.size, "the reference")):
            if size is not None and size < _SSIM_IMAGES:
                raise config_lib.InputError(f"ms_ssim: expected {_SSIM_IMAGES} images in {what}, received {size}.")
        judged = {"ms_ssim": source, "ms_ssim_real": real(images)}
        return {name: similarity.mean_over_pairs(of.batches(0, _SSIM_IMAGES)) for name, of in judged.items()}

    def _modes(self, outputs: "_Outputs", count: int) -> Mapping[str, float]:
        probabilities = self.images("train").modes
        assert probabilities is not None  # Data sets without modes have no such metric.
        logits, _ = outputs.first(self._reader, count)
        return modes.coverage(logits.argmax(axis=1), probabilities)

    def _critic(self, source: Source, count: int) -> Mapping[str, float]:
        evaluation = self._evaluation
        examples = {split: self.images(split) for split in ("validation", "test", "train")}
        validation = examples["validation"].batches(critic.BATCH, seed=evaluation.seed)
        trained = critic.train(source.sampler, validation, steps=evaluation.critic_steps, seed=evaluation.seed)
        return critic.estimates(trained, source.sampler, examples, count=count, seed=evaluation.seed)


class _Outputs:
    """Logits and features of a source: what one metric has read the next need not read again."""

    def __init__(self, source: Source):
        self._source = source
        self._known: dict[str, tuple[np.ndarray, ...]] = {}

    def first(self, extractor: extractors.Extractor, count: int) -> tuple[np.ndarray, ...]:
        """Of the first `count` images."""
        known = self._known.get(extractor.key, ())
        have = len(known[0]) if known else 0
        if have < count:
            more = extractor.collect(self._source.batches, have, count)
            known = tuple(np.concatenate(parts) for parts in zip(known, more, strict=True)) if known else more
            self._known[extractor.key] = known
        return tuple(array[:count] for array in known)


def _at_most(count: int, source: Source) -> int:
    return count if source.size is None else min(count, source.size)


def evaluate(
    config: config_lib.Experiment, workdir: str | pathlib.Path, *, data_dir: str | None = None
) -> dict[str, Any]:
    """Measures the newest checkpoint of a run and writes the numbers into its `results.json`.

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
    evaluator = Evaluator(config.data, config.evaluation, data_dir=data_dir)
    with directory.locked():
        gan = assembly.build(config, evaluator.images(evaluator.split).shape)
        step = Checkpoints(directory.checkpoints, gan).restore()
        if step == 0:
            raise config_lib.InputError(f"--workdir: expected a run with a checkpoint, received {workdir}: none there.")
        return write(directory, evaluator, gan, results.summary(config, directory, step))


def write(directory: results.RunDirectory, evaluator: Evaluator, gan: GAN, summary: dict[str, Any]) -> dict[str, Any]:
    """Adds what the evaluator measures of a GAN to a summary of its run, and writes the whole at once."""
    values = evaluator.measure(samples(gan.draw, evaluator.seed))
    complete = {
        **summary,
        "metrics": summary["metrics"] | values,
        "references": evaluator.references(),
        "protocol": summary["protocol"] | evaluator.protocol(),
    }
    results.write_json(directory.results, complete)
    return complete


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
