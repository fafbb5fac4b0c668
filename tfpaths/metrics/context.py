"""What a metric may ask for: the data set and its splits, feature extractors, and what was computed already."""

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

# Part of the keys of cached features: a number that changes with how they are computed.
_VERSION = 2

Item = TypeVar("Item")


class Context:
    """The services of an evaluation, shared by its metrics. Everything is read or made at most once.

    Args:
      data_config: The data set.
      evaluation: How samples are judged, complete.
      data_dir: The directory of prepared TFDS data.
      splits: Splits that were read already.

    Attributes:
      data: The data set's record.
      evaluation: How samples are judged.
      split: The split that samples are compared with.
      known_splits: The splits that the data set has.

    Raises:
      InputError: There is no such data set, or an option of it is wrong.
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
          InputError: The data set has no such split, or is not available.
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
        """The name of the scores' extractor: the config's, or the data set's own."""
        name = self.evaluation.extractor
        return self.data.extractor if name == "auto" else name

    def extractor(self, name: str | None = None) -> Extractor:
        """Returns an extractor, by default the scores'. A classifier is trained if it is not cached.

        Raises:
          InputError: There is no such extractor, or it is not available.
          UnfitError: The classifier is not accurate enough.
        """
        name = name or self.extractor_name
        if name not in self._extractors:
            # `auto` is resolved by the examples: the classifier is trained on what they come from.
            source = self.real.source if name in extractors.TRAINED_HERE else "tfds"
            self._extractors[name] = extractors.get(name, self.data, source=source, data_dir=self._data_dir)
        return self._extractors[name]

    def dimensions(self) -> int:
        """Returns how many features the scores' extractor has. No classifier is trained for it.

        Raises:
          InputError: There is no such extractor, or it is not available.
        """
        name = self.extractor_name
        if name in extractors.TRAINED_HERE:
            extractors.check(name, self.data)
            return extractors.dimensions(name, self.data)
        return self.extractor().outputs(np.zeros([1, *self.data.shape], np.float32))[1].shape[1]

    def features(self, extractor: Extractor, examples: Examples, count: int) -> np.ndarray:
        """Returns the features of the first `count` examples of a split, `[count, dimensions]`, cached by content."""
        parts = (examples.name, examples.split, examples.content, count, extractor.key, _VERSION)
        if parts not in self._features:
            arrays, _ = cache.fetch(
                cache.key("features", *parts),
                lambda: ({"features": extractor.collect(examples.some, 0, count)[1]}, {}),
            )
            self._features[parts] = arrays["features"]
        return self._features[parts]

    def outputs(self, extractor: Extractor, source: Source, count: int) -> tuple[np.ndarray, ...]:
        """Returns logits and features of the first `count` examples of a source; in one state, batches are read once.

        Raises:
          RunError: An output is NaN or infinite.
        """
        key = (_token(source), "outputs", extractor.key)
        known = self._computed.get(key, ())
        have = len(known[0]) if known else 0
        if have < count:
            # From the last whole batch on: examples are the same only for the same start and number.
            have -= have % extractors.BATCH
            more = extractor.collect(source.batches, have, count)
            parts = [(old[:have], new) for old, new in zip(known, more, strict=True)] if known else [(m,) for m in more]
            known = self._computed[key] = tuple(np.concatenate(part) for part in parts)
        return tuple(array[:count] for array in known)

    def once(self, source: Source, key: Hashable, make: Callable[[], Item]) -> Item:
        """Returns what `make` returns, which is called once for each key and state of the source."""
        full_key = (_token(source), "once", key)
        if full_key not in self._computed:
            self._computed[full_key] = make()
        return self._computed[full_key]

    @contextlib.contextmanager
    def judging(self, source: Source) -> Iterator[None]:
        """Forgets what was computed of another source, or of another state; and of one without states, at the end."""
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
    return source if source.state is None else source.state()
