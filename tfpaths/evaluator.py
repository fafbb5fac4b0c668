"""The evaluator: which metrics a config asks for, of which images, against which; and what is kept of them."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfpaths import assembly, data, progress
from tfpaths import config as config_lib
from tfpaths.data import photographs
from tfpaths.metrics import cache, critic, extractors, modes, scores, similarity, sources
from tfpaths.metrics.classifiers import UnfitError

_SSIM_IMAGES = similarity.BATCHES * similarity.BATCH
_MODE_READER = "digits"
# Part of the names of what is kept: a number that changes with how it is made.
_VERSION = 1


class Evaluator:
    """Measures images by the protocol of a config. Making one refuses at once what can be refused before measuring.

    Args:
      data_config: the data set.
      evaluation: what to measure, and how.
      data_dir: prepared TFDS data.
      lenient: with metrics that nobody named (`auto`), one that cannot be had is left out with a warning: training
        does not fail for want of it.
      known: splits that have been read already.

    Attributes:
      metrics: those that are measured.
      every_metrics: those that are measured while training.
      seed: of the samples.
      split: the images that samples are compared with.

    Raises:
      InputError: a metric does not belong to the data set, the split or the extractor cannot be had, or there are too
        few images for its features.
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
        self._data_dir = data_dir
        self._lenient = lenient and evaluation.metrics == "auto"
        self._splits = {images.split: images for images in known}
        self._real_features: dict[tuple[str, int], np.ndarray] = {}
        self._extractor_name = evaluation.extractor
        if self._extractor_name == "auto":
            self._extractor_name = extractors.default(data_config.name)
        self.seed = evaluation.seed
        self.split = evaluation.split
        if self.split == "auto":
            self.split = "test" if "test" in self._known_splits() else "train"
        self.metrics = self._resolved(evaluation.metrics)
        self.every_metrics: tuple[str, ...] = ()
        if evaluation.every:
            chosen = tuple(name for name in self.metrics if name != "critic")
            self.every_metrics = (
                chosen if evaluation.every_metrics == "auto" else self._resolved(evaluation.every_metrics)
            )
        if self.metrics or self.every_metrics:
            self.images(self.split)
        counts = {"evaluation.samples": evaluation.samples} if "scores" in self.metrics else {}
        if "scores" in self.every_metrics:
            counts["evaluation.every_samples"] = evaluation.every_samples
        self._check_counts(counts)

    def _resolved(self, names: str) -> tuple[str, ...]:
        """The metrics that a text of the config stands for."""
        has_modes = extractors.default(self._data.name) == _MODE_READER
        if names == "none":
            return ()
        if names == "auto":
            absent = {"modes": not has_modes, "critic": len(self._known_splits()) < 3}
            found = tuple(name for name in config_lib.METRICS if not absent.get(name))
        else:
            found = tuple(names.split(","))
            if "modes" in found and not has_modes:
                raise config_lib.InputError(
                    f"evaluation.metrics: expected none that counts modes with {self._data.name}, received 'modes'; "
                    "color_mnist and stacked_mnist have them."
                )
        if "scores" in found:
            try:
                if self._extractor_name in extractors.TRAINED_HERE:
                    extractors.check(self._extractor_name, self._data.name)
                else:
                    self._extractor  # noqa: B018 - made now, so that what is wrong with it is known now
            except config_lib.InputError as error:
                if not (self._lenient and self._evaluation.extractor == "auto"):
                    raise
                logging.warning("no scores will be computed: %s", error)
                found = tuple(name for name in found if name != "scores")
        return found

    def _check_counts(self, counts: Mapping[str, int]) -> None:
        """Whether there are enough images for the covariance of their features, by what their number is called."""
        if not counts:
            return
        dimensions = extractors.dimensions(self._extractor_name) or self._dimensions
        for name, count in counts.items():
            scores.check_counts(count, dimensions, name)
            images = self.images(self.split)
            scores.check_counts(images.size, dimensions, f"the split {images.split} of {images.name}")

    def measure(
        self, source: sources.Source, metrics: Sequence[str] | None = None, count: int | None = None
    ) -> dict[str, float]:
        """The values of `metrics`, by default all, of the first `count` images of a source, by default the config's.

        Raises:
          InputError: a split is missing, or there are too few images.
          RunError: an image or a value is not finite, or a classifier is not good enough.
        """
        return flat(self.measure_each(source, self.metrics if metrics is None else metrics, count))

    def measure_each(
        self, source: sources.Source, names: Sequence[str], count: int | None = None
    ) -> dict[str, dict[str, float]]:
        """The values of each of these metrics by its name, of those that could be had; see `measure`."""
        evaluation, outputs = self._evaluation, _Outputs(source)
        measures = {
            "scores": lambda: self._scores(outputs, _at_most(count or evaluation.samples, source)),
            "ms_ssim": lambda: self._ms_ssim(source),
            "modes": lambda: self._modes(outputs, _at_most(count or evaluation.mode_samples, source)),
            "critic": lambda: self._critic(source, count or evaluation.samples),
        }
        found: dict[str, dict[str, float]] = {}
        for name in names:
            try:
                values = measures[name]()
            except (config_lib.InputError, UnfitError) as error:
                if not self._lenient:
                    raise
                logging.warning("%s: left out. %s", name, error)
                continue
            for key, value in values.items():
                if not np.isfinite(value):
                    raise config_lib.RunError(f"{key} of the samples is {value}.")
            found[name] = values
        return found

    def references(self, metrics: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
        """The same metrics for real images (the floor) and for noise (the ceiling), as far as they are known.

        The floor is that of a generator which has memorised images: train images against those of `split` (test images,
        where that is `train`), as many as there would be samples, or all there are. What is known is kept, but for
        folders, whose images may change; what is not is measured where the config says so.
        """
        metrics = self.metrics if metrics is None else metrics
        evaluation = self._evaluation
        memorised = "test" if self.split == "train" else "train"
        judged = {
            "real": lambda: sources.real(self.images(memorised)),
            "noise": lambda: sources.noise(self.images(self.split).shape, evaluation.seed),
        }
        if memorised not in self._known_splits():
            del judged["real"]
        found: dict[str, dict[str, float]] = {}
        for kind, source in judged.items():
            names = {name: self._reference_key(kind, name) for name in metrics}
            known = {name: kept[1] for name, file in names.items() if file and (kept := cache.read(file)) is not None}
            missing = [name for name in names if name not in known]
            if missing and evaluation.references:
                progress.say(f"Measuring {kind} images ({', '.join(missing)}) for comparison …")
                for name, values in self.measure_each(source(), missing).items():
                    known[name] = values
                    if file := names[name]:
                        cache.write(file, {}, values)
            if known:
                found[kind] = flat(known)
        return found

    def protocol(self, metrics: Sequence[str] | None = None) -> dict[str, Any]:
        """What the numbers depend on."""
        metrics = self.metrics if metrics is None else metrics
        evaluation = self._evaluation
        if not metrics:
            return {}
        images = self.images(self.split)
        told: dict[str, Any] = {
            "data_source": images.source,
            "evaluation_seed": evaluation.seed,
            "split": self.split,
            "real_images": min(evaluation.samples, images.size),
        }
        if "scores" in metrics:
            extractor = self._extractor
            told |= {"samples": evaluation.samples, "extractor": extractor.name, "extractor_key": extractor.key}
            told |= {"extractor_accuracy": extractor.accuracy}
        if "ms_ssim" in metrics:
            scales = len(similarity.weights(min(images.shape[:2])))
            told["ms_ssim"] = f"{similarity.BATCHES} batches of {similarity.BATCH}, all pairs, {scales} scales"
        if "modes" in metrics:
            told |= {"mode_samples": evaluation.mode_samples, "mode_classifier_accuracy": self._reader.accuracy}
        if "critic" in metrics:
            told |= {"critic_steps": evaluation.critic_steps, "critic_samples": evaluation.samples}
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

    def _known_splits(self) -> Sequence[str]:
        """The splits that the data set has, by what is known without reading it."""
        if self._data.name != "folder":
            return ("train", "validation", "test")
        return photographs.splits_of(self._data.path or "")

    def _made(self, name: str) -> extractors.Extractor:
        # `auto` is settled by the images: what they come from is what the classifier is trained on.
        source = self.images(self.split).source if name in extractors.TRAINED_HERE else "tfds"
        return extractors.get(name, self._data.name, source=source, data_dir=self._data_dir)

    @property
    def _dimensions(self) -> int:
        return self._extractor.outputs(self.images(self.split).some(0, 1))[1].shape[1]

    def _reference_key(self, kind: str, name: str) -> str | None:
        """The file of a reference, named by all that it depends on; none where it is not to be kept."""
        evaluation, images = self._evaluation, self.images(self.split)
        if self._data.name == "folder":
            return None
        common = (_VERSION, *dataclasses.astuple(self._data), images.source, images.split, images.size, evaluation.seed)
        train = self.images("train").size
        depends_on = {
            "scores": lambda: (evaluation.samples, self._extractor.key, train),
            "ms_ssim": lambda: (*similarity.PROTOCOL, train),
            "modes": lambda: (evaluation.mode_samples, self._reader.key, train),
            "critic": lambda: (evaluation.samples, evaluation.critic_steps, *critic.PROTOCOL, train),
        }[name]()
        return cache.key("reference", kind, name, *common, *depends_on)

    def _scores(self, outputs: "_Outputs", count: int) -> dict[str, float]:
        extractor, images = self._extractor, self.images(self.split)
        known = self._features_of(extractor, images, min(self._evaluation.samples, images.size))
        scores.check_counts(min(count, len(known)), known.shape[1], "the scores")
        logits, features = outputs.first(extractor, count)
        return dict(scores.all_scores(known, logits, features, is_inception=extractor.is_inception))

    def _features_of(self, extractor: extractors.Extractor, images: data.Images, count: int) -> np.ndarray:
        """Features of the first real images, read once; kept, but for a folder, whose files may change."""

        def make():
            return {"features": extractor.collect(images.some, 0, count)[1]}, {}

        known = self._real_features.get((extractor.key, count))
        if known is None:
            place = dataclasses.astuple(self._data)
            name = cache.key(
                "features", *place, images.source, images.split, images.size, count, extractor.key, _VERSION
            )
            arrays = make()[0] if self._data.name == "folder" else cache.fetch(name, make)[0]
            known = self._real_features[extractor.key, count] = arrays["features"]
        return known

    def _ms_ssim(self, source: sources.Source) -> dict[str, float]:
        images = self.images(self.split)
        for size, what in ((images.size, f"the split {images.split} of {images.name}"), (source.size, "the reference")):
            if size is not None and size < _SSIM_IMAGES:
                raise config_lib.InputError(f"ms_ssim: expected {_SSIM_IMAGES} images in {what}, received {size}.")
        judged = {"ms_ssim": source, "ms_ssim_real": sources.real(images)}
        return {name: similarity.mean_over_pairs(of.batches(0, _SSIM_IMAGES)) for name, of in judged.items()}

    def _modes(self, outputs: "_Outputs", count: int) -> dict[str, float]:
        probabilities = self.images("train").modes
        assert probabilities is not None  # Data sets without modes have no such metric.
        logits, _ = outputs.first(self._reader, count)
        return modes.coverage(logits.argmax(axis=1), probabilities)

    def _critic(self, source: sources.Source, count: int) -> dict[str, float]:
        evaluation = self._evaluation
        examples = {split: self.images(split) for split in ("validation", "test", "train")}
        if examples["validation"].size < critic.BATCH:
            raise config_lib.InputError(
                f"critic: expected at least the {critic.BATCH} validation images of a batch, received "
                f"{examples['validation'].size}."
            )
        validation = examples["validation"].batches(critic.BATCH, seed=evaluation.seed)
        trained = critic.train(source.sampler, validation, steps=evaluation.critic_steps, seed=evaluation.seed)
        return critic.estimates(trained, source.sampler, examples, count=count, seed=evaluation.seed)


class _Outputs:
    """Logits and features of a source: what one metric has read the next need not read again."""

    def __init__(self, source: sources.Source):
        self._source = source
        self._known: dict[str, tuple[np.ndarray, ...]] = {}

    def first(self, extractor: extractors.Extractor, count: int) -> tuple[np.ndarray, ...]:
        """Of the first `count` images."""
        known = self._known.get(extractor.key, ())
        have = len(known[0]) if known else 0
        if have < count:
            # On from a whole batch: images are the same for the same start and number.
            have -= have % extractors.BATCH
            more = extractor.collect(self._source.batches, have, count)
            parts = [(old[:have], new) for old, new in zip(known, more, strict=True)] if known else [(m,) for m in more]
            known = self._known[extractor.key] = tuple(np.concatenate(part) for part in parts)
        return tuple(array[:count] for array in known)


def _at_most(count: int, source: sources.Source) -> int:
    return count if source.size is None else min(count, source.size)


def flat(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The values of several metrics in one."""
    return {name: value for part in values.values() for name, value in part.items()}
