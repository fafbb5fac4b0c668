"""The services for metrics: the data set and its splits, feature extractors, and caches of computed values."""

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from tfpaths import config as config_lib
from tfpaths import data, errors
from tfpaths.data import Examples
from tfpaths.metrics import cache, extractors
from tfpaths.metrics.extractors import Extractor
from tfpaths.metrics.sources import Source

# Part of the cache keys of features: increase it when their computation changes.
_VERSION = 2

Item = TypeVar("Item")


class Context:
    """The services of an evaluation, shared by its metrics. Each split is read, and each extractor loaded, only once.

    Args:
      data_config: The config of the data set.
      evaluation: The config of the evaluation, as `metric.complete` returns it.
      data_dir: The directory of prepared TFDS data.
      splits: Splits that have been read already.

    Attributes:
      data: The data set.
      evaluation: The config of the evaluation.
      split: The split that samples are compared with.
      known_splits: The names of the data set's splits.

    Raises:
      InputError: There is no such data set, or one of its options is invalid.

    Example:
      >>> context = Context(config_lib.Data(name="color_mnist", source="embedded"), config_lib.Evaluation())
      >>> context.split, context.real.shape
      ('test', (28, 28, 3))
      >>> context.extractor_name, context.dimensions()
      ('digits', 192)
    """

    def __init__(
        self,
        data_config: config_lib.Data,
        evaluation: config_lib.Evaluation,
        *,
        data_dir: str | None = None,
        splits: Sequence[Examples] = (),
    ):
        self.data = data.of(data_config)
        self.evaluation = evaluation
        self.known_splits = self.data.known_splits()
        self.split = evaluation.split
        if self.split == "auto":
            self.split = "test" if "test" in self.known_splits else "train"
        self._data_config = data_config
        self._data_dir = data_dir
        self._splits = {examples.split: examples for examples in splits}
        self._extractors: dict[str, Extractor] = {}
        self._features: dict[tuple[Hashable, ...], np.ndarray] = {}
        self._state: Hashable = None
        self._computed: dict[tuple[Hashable, ...], Any] = {}

    @property
    def real(self) -> Examples:
        """The real examples that samples are compared with."""
        return self.examples(self.split)

    def examples(self, split: str) -> Examples:
        """Returns a split of the data set.

        Raises:
          InputError: The data set has no such split, or its data is not available.
        """
        if split not in self._splits:
            config = self._data_config
            try:
                examples = self.data.load(split, source=config.source, seed=config.seed, data_dir=self._data_dir)
            except errors.InputError as error:
                lead = "Or" if "To fix this" in str(error) else "To fix this:"
                raise errors.InputError(
                    f"{error} {lead} choose another split (--set evaluation.split=…), or fewer metrics (--set "
                    "evaluation.metrics=…; the critic needs validation, test and train)."
                ) from error
            self._splits[split] = examples
        return self._splits[split]

    @property
    def extractor_name(self) -> str:
        """The name of the extractor for scores: the config's, or the data set's if the config says `auto`."""
        name = self.evaluation.extractor
        return self.data.extractor if name == "auto" else name

    def extractor(self, name: str | None = None) -> Extractor:
        """Returns a feature extractor. A classifier is trained if it is not cached.

        Args:
          name: As for `extractors.get`; by default `extractor_name`.

        Raises:
          InputError: There is no such extractor, or it is not available.
          UnfitError: The classifier is not accurate enough.
        """
        name = name or self.extractor_name
        if name not in self._extractors:
            # Where the config's source is `auto`, the examples know which source they come from.
            source = self.real.source if name in extractors.TRAINED_HERE else "tfds"
            self._extractors[name] = extractors.get(name, self.data, source=source, data_dir=self._data_dir)
        return self._extractors[name]

    def dimensions(self) -> int:
        """Returns the number of features of the extractor for scores, without training a classifier.

        Raises:
          InputError: There is no such extractor, or it is not available.
        """
        name = self.extractor_name
        if name in extractors.TRAINED_HERE:
            extractors.check(name, self.data)
            return extractors.dimensions(name, self.data)
        return self.extractor().outputs(np.zeros([1, *self.data.shape], np.float32))[1].shape[1]

    def features(self, extractor: Extractor, examples: Examples, count: int) -> np.ndarray:
        """Returns the features of the first `count` examples of a split, `[count, dimensions]`.

        They are cached in memory and in files, by the content of the examples and of the extractor.
        """
        parts = (examples.name, examples.split, examples.content, count, extractor.key, _VERSION)
        if parts not in self._features:
            arrays, _ = cache.fetch(
                cache.key("features", *parts),
                lambda: ({"features": extractor.collect(examples.some, 0, count)[1]}, {}),
            )
            self._features[parts] = arrays["features"]
        return self._features[parts]

    def outputs(self, extractor: Extractor, source: Source, count: int) -> tuple[np.ndarray, ...]:
        """Returns the logits and the features of the first `count` examples of a source.

        Within one state of the source, outputs are reused: a larger `count` computes only the additional examples.

        Returns:
          Logits `[count, classes]` and features `[count, dimensions]`.

        Raises:
          RunError: An output is NaN or infinite.
        """
        key = (_token(source), "outputs", extractor.key)
        arrays = self._computed.get(key, ())
        done = len(arrays[0]) if arrays else 0
        if done < count:
            # A partial last batch is computed again: examples are equal only for an equal start and number.
            done -= done % extractors.BATCH
            more = extractor.collect(source.batches, done, count)
            parts = [(a[:done], new) for a, new in zip(arrays, more, strict=True)] if arrays else [(m,) for m in more]
            arrays = self._computed[key] = tuple(np.concatenate(part) for part in parts)
        return tuple(array[:count] for array in arrays)

    def once(self, source: Source, key: Hashable, make: Callable[[], Item]) -> Item:
        """Returns the result of `make`, which is called once for each key and state of the source.

        Args:
          source: The source on which the result depends.
          key: A key for the result, such as the metric's name.
          make: Computes the result.
        """
        full_key = (_token(source), "once", key)
        if full_key not in self._computed:
            self._computed[full_key] = make()
        return self._computed[full_key]

    @contextlib.contextmanager
    def judging(self, source: Source) -> Iterator[None]:
        """Limits the reuse of computed values to one state of a source, while the source is measured.

        On entry, values of another source or state are dropped. On exit, all are dropped if the source has no state.
        """
        state = _token(source)
        if state != self._state:
            self._computed.clear()
            self._state = state
        try:
            yield
        finally:
            if source.state is None:
                self._computed.clear()


def _token(source: Source) -> Hashable:
    """Returns what identifies the state of a source: the source itself if it has no state."""
    return source if source.state is None else source.state()
