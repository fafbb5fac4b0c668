"""The evaluator: chooses the metrics that a config asks for, orders them, and reports them with floor and ceiling."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfpaths import config as config_lib
from tfpaths import errors, progress
from tfpaths.data import Examples
from tfpaths.metrics import cache, metric, sources
from tfpaths.metrics.classifiers import UnfitError
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import UnavailableError
from tfpaths.metrics.sources import Source

# Part of the keys of cached references: a number that changes with how they are computed.
_VERSION = 2


class Evaluator:
    """Measures examples by the protocol of a config. The constructor validates what can be checked before measuring.

    Args:
      data_config: The data set.
      evaluation: What to measure, and how.
      data_dir: The directory of prepared TFDS data.
      lenient: If the metrics are `auto`, one that is not available is left out with a warning, so that training does
        not fail for lack of it.
      splits: Splits that were read already.

    Attributes:
      metrics: The names of the metrics that are measured.
      every_metrics: The names of those that are measured during training.
      seed: Seed for the samples.
      split: The split that samples are compared with.

    Raises:
      InputError: A metric or an option is unknown or wrong, the data set cannot have a metric, the split or the
        extractor is not available, or there are too few images.

    Example:
      >>> evaluation = config_lib.Evaluation(metrics=("ms_ssim",))
      >>> evaluator = Evaluator(config_lib.Data(name="color_mnist", source="embedded"), evaluation)
      >>> list(evaluator.measure(sources.noise((28, 28, 3), 0)))
      ['ms_ssim', 'ms_ssim_real']
    """

    def __init__(
        self,
        data_config: config_lib.Data,
        evaluation: config_lib.Evaluation,
        *,
        data_dir: str | None = None,
        lenient: bool = False,
        splits: Sequence[Examples] = (),
    ):
        evaluation = metric.complete(evaluation)
        self._evaluation = evaluation
        self._table = metric.make(evaluation)
        self._context = Context(data_config, evaluation, data_dir=data_dir, splits=splits)
        self._lenient = lenient and evaluation.metrics == "auto"
        self.seed = evaluation.seed
        self.split = self._context.split
        # What a data set cannot have is refused before anything is read.
        chosen, chosen_every = self._chosen("metrics"), self._chosen("every_metrics")
        self.metrics = tuple(self._available(chosen))
        if evaluation.every_metrics == "auto":
            chosen_every = tuple(name for name in self.metrics if not self._table[name].slow)
        self.every_metrics: tuple[str, ...] = ()
        if evaluation.every:
            self.every_metrics = tuple(self._available(chosen_every, evaluation.every_samples))
        if self.metrics or self.every_metrics:
            # A split that is not available is an error now.
            self.examples(self.split)

    def _chosen(self, field: str) -> tuple[str, ...]:
        """The metrics that a field of the config names."""
        names = getattr(self._evaluation, field)
        if names == "none":
            return ()
        reasons = {name: one.missing(self._context) for name, one in self._table.items()}
        if names == "auto":
            return tuple(name for name, reason in reasons.items() if reason is None)
        for name in names:
            if reasons[name] is not None:
                raise errors.InputError(
                    f"evaluation.{field}: {name!r} cannot be computed for {self._context.data.name}, which "
                    f"{reasons[name]}."
                )
        return tuple(dict.fromkeys(names))

    def _available(self, names: Sequence[str], count: int | None = None) -> Iterator[str]:
        """Those of the metrics that can be measured; raises if one cannot and is needed."""
        for name in names:
            try:
                self._table[name].check(self._context, count)
            except UnavailableError as error:
                if not self._lenient:
                    raise
                logging.warning("%s: left out. %s", name, error)
            else:
                yield name

    def measure(self, source: Source, names: Sequence[str] | None = None, count: int | None = None) -> dict[str, float]:
        """Returns the values of several metrics of a source in one dictionary.

        Args:
          source: The examples to be judged.
          names: The metrics; by default `metrics`.
          count: How many examples; by default what the config says for each metric.

        Raises:
          InputError: A split is missing, or there are too few examples.
          RunError: A value is not finite, or a classifier is not accurate enough.
        """
        return flat(self.measure_each(source, names, count))

    def measure_each(
        self, source: Source, names: Sequence[str] | None = None, count: int | None = None
    ) -> dict[str, dict[str, float]]:
        """Returns the values of each metric by its name, without those that are left out; see `measure`."""
        measured: dict[str, dict[str, float]] = {}
        with self._context.judging(source):
            for name in self.metrics if names is None else names:
                try:
                    values = self._table[name].compute(self._context, source, count)
                except (errors.InputError, UnfitError) as error:
                    if not self._lenient:
                        raise
                    logging.warning("%s: left out. %s", name, error)
                    continue
                for key, value in values.items():
                    if not np.isfinite(value):
                        raise errors.RunError(f"{key} of the samples is {value}.")
                measured[name] = values
        return measured

    def references(self, names: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
        """Returns the same metrics for real examples (`real`, the floor) and for noise (`noise`, the ceiling).

        The floor is that of a generator which has memorised examples: those of train against those of `split` (of test,
        if `split` is train), as many as there would be samples, or all there are. What is cached is returned; what is
        not is measured if the config says so, and cached.

        Args:
          names: The metrics; by default `metrics`.
        """
        context, names = self._context, self.metrics if names is None else names
        memorised = "test" if self.split == "train" else "train"
        judged = {
            "real": lambda: sources.real(self.examples(memorised)),
            "noise": lambda: sources.noise(context.data.shape, self.seed),
        }
        if memorised not in context.known_splits:
            del judged["real"]
        references: dict[str, dict[str, float]] = {}
        for kind, source in judged.items():
            keys = {name: self._reference_key(kind, name, memorised) for name in names}
            known = {name: cached[1] for name, key in keys.items() if (cached := cache.read(key)) is not None}
            unknown = [name for name in names if name not in known]
            if unknown and self._evaluation.references:
                progress.say(f"Measuring {kind} images ({', '.join(unknown)}) for comparison …")
                for name, values in self.measure_each(source(), unknown).items():
                    known[name] = values
                    cache.write(keys[name], {}, values)
            if known:
                references[kind] = flat({name: known[name] for name in names if name in known})
        return references

    def protocol(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Returns what the numbers depend on.

        Args:
          names: The metrics; by default `metrics`.
        """
        names = self.metrics if names is None else names
        if not names:
            return {}
        real = self.examples(self.split)
        values = {
            "data_source": real.source,
            "evaluation_seed": self.seed,
            "split": self.split,
            "real_images": min(self._evaluation.samples, real.size),
        }
        for name in names:
            values |= self._table[name].protocol(self._context)
        return values

    def examples(self, split: str) -> Examples:
        """Returns a split of the data set, which is read once.

        Raises:
          InputError: The data set has no such split, or is not available.
        """
        return self._context.examples(split)

    def _reference_key(self, kind: str, name: str, memorised: str) -> str:
        """The cache key of a reference: the content of all that it depends on."""
        one = self._table[name]
        judged = self.examples(memorised).content if kind == "real" else None
        made_by = (type(one).__module__, type(one).__qualname__, one.version, sorted(one.options.items()))
        compared_with = (self.split, self.examples(self.split).content)
        parts = (*made_by, *compared_with, judged, self.seed, *one.depends_on(self._context), _VERSION)
        return cache.key("reference", kind, name, *parts)


def flat(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Returns the values of several metrics in one dictionary."""
    return {name: value for part in values.values() for name, value in part.items()}
