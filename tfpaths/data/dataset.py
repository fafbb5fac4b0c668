"""The base class of data sets: their facts, and how they are read."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpaths import errors
from tfpaths.data.example import IMAGE, ExampleType
from tfpaths.data.examples import Examples
from tfpaths.registry import Registry

# Examples `[batch, *shape]` -> (logits `[batch, classes]`, features `[batch, dimensions]`).
Outputs = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class DataSet:
    """A data set. To add one, register a subclass with a `shape` and one method, `read`.

    The keyword-only parameters of the constructor are the options: fields of `data` in a config.

    Attributes:
      name: The name under which it is registered; `DATA.register` sets it.
      version: A text to change when the same request gives different examples.
      splits: The available splits; override `known_splits` if they depend on the options.
      sources: The valid values of `data.source` besides `auto`.
      example: The type of the examples, which determines how samples are shown and stored.
      modes: The number of modes; None if it has none.
      networks: The default family of networks.
      extractor: The default extractor of the scores: `digits`, `cifar10` or `inception`.

    Example:
      >>> import numpy as np
      >>> from tfpaths.data import POINT, examples
      >>> @DATA.register("circle")
      ... class Circle(DataSet):
      ...     splits, sources, example, shape = ("train",), ("drawn",), POINT, (2,)
      ...
      ...     def __init__(self, *, radius: float = 1.0):
      ...         self.radius = radius
      ...
      ...     def read(self, split, *, source, seed, data_dir):
      ...         angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, 1000)
      ...         points = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
      ...         return examples.in_memory(self.name, split, "drawn", points, np.zeros(1000, np.int64))
      >>> float(tf.norm(Circle(radius=3.0).load().take([0])))
      3.0
    """

    name: str = ""
    version: str = "1"
    splits: tuple[str, ...] = ("train", "validation", "test")
    sources: tuple[str, ...] = ("tfds",)
    example: ExampleType = IMAGE
    modes: int | None = None
    networks: str = "dcgan"
    extractor: str = "inception"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, available without reading any."""
        raise NotImplementedError

    @property
    def outputs_key(self) -> str:
        """Text that identifies everything that `outputs` depends on besides the model, for cache keys."""
        return self.name

    def __str__(self) -> str:
        return self.name

    def known_splits(self) -> tuple[str, ...]:
        """Returns the names of the available splits, without reading their examples."""
        return self.splits

    def derived(self) -> dict[str, Any]:
        """Returns the options that follow from the data, by name, for the config of a run.

        A run stores them. An option that is given is returned as it is, without the data, so that a run can be loaded
        and sampled without them; `read` checks that the data are those of the options.

        Raises:
          InputError: An option is not given, and the data is not available.
        """
        return {}

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        """Reads a split.

        Args:
          split: One of `known_splits()`.
          source: `auto` or one of `sources`.
          seed: Seed for random choices in the examples.
          data_dir: The directory of prepared TFDS data; None for the default.

        Raises:
          InputError: The data is not available.
        """
        raise NotImplementedError

    def outputs(self, model: Callable) -> Outputs:
        """Returns a function that applies a classifier to this data set's examples: examples -> (logits, features).

        The function is compiled without AutoGraph: write loops and conditions on tensors as `tf.while_loop` and
        `tf.cond`.

        Args:
          model: The classifier: images -> (logits `[batch, classes]`, features `[batch, dimensions]`).
        """

        def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits, features = model(images, training=False)
            return logits, features

        return outputs

    def load(
        self, split: str = "train", *, source: str = "auto", seed: int = 0, data_dir: str | None = None
    ) -> Examples:
        """Checks the request, reads the split, and checks the result. The arguments are those of `read`.

        Raises:
          InputError: The data set has no such split or source, the data is not available, or `read` returned examples
            of another split or shape.
        """
        self.check_source(source)
        errors.choose(f"split of {self}", split, self.known_splits())
        examples = self.read(split, source=source, seed=seed, data_dir=data_dir)
        for what, expected, received in (("split", split, examples.split), ("shape", self.shape, examples.shape)):
            if expected != received:
                raise errors.InputError(
                    f"the data set {self.name!r} read examples of the wrong {what}: expected {expected!r}, received "
                    f"{received!r}."
                )
        return examples

    def check_source(self, source: str, path: str = "data") -> None:
        """Checks a value of `data.source`.

        Args:
          source: The value.
          path: The path of the data set's config in the experiment, for messages.

        Raises:
          InputError: The data set has no such source.
        """
        valid = ("auto", *self.sources)
        if source not in valid:
            match = errors.nearest(source, valid)
            raise errors.InputError(
                f"{path}.source: expected {' or '.join(map(repr, valid))} for {self.name}, received {source!r}"
                + (f"; did you mean {match!r}?" if match else ".")
            )


class _Table(Registry[type[DataSet]]):
    def register(self, name: str) -> Callable[[type[DataSet]], type[DataSet]]:
        """Registers a class as `Registry.register` does, and sets its `name`."""

        def registered(cls: type[DataSet]) -> type[DataSet]:
            data_set = super(_Table, self).register(name)(cls)
            data_set.name = name
            return data_set

        return registered


DATA: Registry[type[DataSet]] = _Table("data set", "tfpaths.data")
