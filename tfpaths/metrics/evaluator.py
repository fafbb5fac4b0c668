"""The evaluator: selects the metrics of a config, computes them, and compares them with floor and ceiling."""

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

# Part of the cache keys of references: increase it when their computation changes.
_VERSION = 2


class Evaluator:
    """Computes the metrics of a config. The constructor validates everything that can be checked before measuring.

    Args:
      data_config: The config of the data set.
      evaluation: The config of the evaluation: the metrics and their options.
      data_dir: The directory of prepared TFDS data.
      lenient: Whether, if the metrics are `auto`, an unavailable metric is skipped with a warning instead of an error.
        Training uses this.
      splits: Splits that have been read already.

    Attributes:
      metrics: The names of the metrics of the final evaluation.
      every_metrics: The names of the metrics of evaluations during training.
      seed: Seed for the samples.
      refine: Langevin steps that refine the samples; None for as many as the game makes.
      split: The split that samples are compared with.

    Raises:
      InputError: A metric or an option is unknown or invalid, the data set does not support a metric, the split or the
        extractor is not available, or there are too few images.

    Example:
      >>> evaluation = config_lib.Evaluation(metrics=("ms_ssim",))
      >>> evaluator = Evaluator(config_lib.Data(name="color_mnist", source="embedded"), evaluation)
      >>> evaluator.split, evaluator.protocol()["ms_ssim"]
      ('test', '5 batches of 64, all pairs, 3 scales')
      >>> list(evaluator.measure(sources.noise((28, 28, 3), 0)))  # doctest: +SKIP
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
        self.refine = evaluation.refine
        self.split = self._context.split
        # Unsupported metrics are rejected before any example is read.
        chosen, chosen_every = self._chosen("metrics"), self._chosen("every_metrics")
        self.metrics = tuple(self._available(chosen))
        if evaluation.every_metrics == "auto":
            chosen_every = tuple(name for name in self.metrics if not self._table[name].slow)
        self.every_metrics: tuple[str, ...] = ()
        if evaluation.every:
            self.every_metrics = tuple(self._available(chosen_every, evaluation.every_samples))
        if self.metrics or self.every_metrics:
            # Reads the split now, so that a missing one is an error before training.
            self.examples(self.split)

    @property
    def _plural(self) -> str:
        """What the examples are: `images`, `points`."""
        return f"{self._context.data.example.name}s"

    def _chosen(self, field: str) -> tuple[str, ...]:
        """Returns the names of the metrics that a field of the config selects; see `Metric.missing`."""
        names = getattr(self._evaluation, field)
        if names == "none":
            return ()
        reasons = {name: item.missing(self._context) for name, item in self._table.items()}
        if names == "auto":
            return tuple(name for name, reason in reasons.items() if reason is None and not self._table[name].opt_in)
        supported = [name for name, reason in reasons.items() if reason is None]
        for name in names:
            if reasons[name] is not None:
                raise errors.InputError(
                    f"evaluation.{field}: {name!r} cannot be computed for {self._context.data.name}, which "
                    f"{reasons[name]}. To fix this: choose from {', '.join(supported) or 'none'}."
                )
        return tuple(dict.fromkeys(names))  # Without duplicates, in the config's order.

    def _available(self, names: Sequence[str], count: int | None = None) -> Iterator[str]:
        """Yields the names of available metrics. If one is unavailable, warns if lenient, and raises otherwise."""
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
        """Returns the values of several metrics of a source, by the name of the value.

        Args:
          source: The examples to measure.
          names: The metrics; by default `metrics`.
          count: The number of examples; by default the number that the config sets for each metric.

        Raises:
          InputError: A split is missing, or there are too few examples.
          RunError: A value is NaN or infinite, or a classifier is not accurate enough.
        """
        return flat(self.measure_each(source, names, count))

    def measure_each(
        self, source: Source, names: Sequence[str] | None = None, count: int | None = None
    ) -> dict[str, dict[str, float]]:
        """Returns the values of each metric by the metric's name, without skipped metrics; otherwise as `measure`."""
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

    def pictures(self, source: Source, names: Sequence[str] | None = None) -> dict[str, metric.Picture]:
        """Returns the pictures of metrics, by their names; call it after `measure`, in the same state of the source.

        Args:
          source: The examples that were measured.
          names: The metrics; by default `metrics`.
        """
        with self._context.judging(source):
            parts = [
                self._table[name].pictures(self._context, source) for name in (self.metrics if names is None else names)
            ]
        return {name: picture for part in parts for name, picture in part.items()}

    def references(self, names: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
        """Returns the metrics of real examples (`real`, the floor) and of noise (`noise`, the ceiling).

        The floor is the value of a generator that has memorised examples: training examples take the place of samples
        and are compared with `split` (test examples, if `split` is train). Their number is that of the samples, or all
        that there are. Cached values are returned. Others are computed and cached if `evaluation.references` is true,
        and missing otherwise.

        Args:
          names: The metrics; by default `metrics`.

        Returns:
          The values by name, for `real` and for `noise`.
        """
        context, names = self._context, self.metrics if names is None else names
        names = [name for name in names if self._table[name].has_references]
        memorised = "test" if self.split == "train" else "train"
        reference_sources = {
            "real": lambda: sources.real(self.examples(memorised)),
            "noise": lambda: sources.noise(context.data.shape, self.seed),
        }
        if memorised not in context.known_splits:
            del reference_sources["real"]
        references: dict[str, dict[str, float]] = {}
        for kind, source in reference_sources.items():
            keys = {name: self._reference_key(kind, name, memorised) for name in names}
            values = {name: cached[1] for name, key in keys.items() if (cached := cache.read(key)) is not None}
            absent = [name for name in names if name not in values]
            if absent and self._evaluation.references:
                progress.say(f"Measuring {kind} {self._plural} ({', '.join(absent)}) for comparison …")
                for name, measured in self.measure_each(source(), absent).items():
                    values[name] = measured
                    cache.write(keys[name], {}, measured)
            if values:
                references[kind] = flat({name: values[name] for name in names if name in values})
        return references

    def protocol(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Returns the settings and facts that the values depend on, by name, for `results.json`.

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
            **({} if self.refine is None else {"refine": self.refine}),
            f"real_{self._plural}": min(self._evaluation.samples, real.size),
        }
        for name in names:
            values |= self._table[name].protocol(self._context)
        return values

    def examples(self, split: str) -> Examples:
        """Returns a split of the data set; each split is read only once.

        Raises:
          InputError: The data set has no such split, or its data is not available.
        """
        return self._context.examples(split)

    def _reference_key(self, kind: str, name: str, memorised: str) -> str:
        """Returns the cache key of a reference, from the content of everything that it depends on."""
        item = self._table[name]
        memorised_content = self.examples(memorised).content if kind == "real" else None
        computed_by = (type(item).__module__, type(item).__qualname__, item.version, sorted(item.options.items()))
        compared_with = (self.split, self.examples(self.split).content)
        # The order is part of the key: another one would discard every cached reference.
        parts = (*computed_by, *compared_with, memorised_content, self.seed, *item.depends_on(self._context), _VERSION)
        return cache.key("reference", kind, name, *parts)


def flat(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Returns the values of several metrics in one dictionary.

    Args:
      values: The values by metric and name.

    Example:
      >>> flat({"modes": {"modes_covered": 70.0, "modes_kl": 0.5}, "ms_ssim": {"ms_ssim": 0.25}})
      {'modes_covered': 70.0, 'modes_kl': 0.5, 'ms_ssim': 0.25}
    """
    return {name: value for part in values.values() for name, value in part.items()}
