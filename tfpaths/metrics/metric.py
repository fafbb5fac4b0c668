"""The base class of metrics: the data they need, how they are computed, and what their values depend on."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfpaths import config as config_lib
from tfpaths import errors, options
from tfpaths.registry import Registry

if TYPE_CHECKING:
    from tfpaths.metrics.context import Context
    from tfpaths.metrics.sources import Source

METRICS: Registry[type["Metric"]] = Registry("metric", "tfpaths.metrics")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of what a metric measured, for people to look at.

    Attributes:
      png: The picture.
      caption: What it shows, one sentence or two.

    Example: `tfpaths/metrics/birthday.py`.
    """

    png: bytes
    caption: str


class UnavailableError(errors.InputError):
    """Something that a metric needs is not available, although no field of the config names it.

    If `evaluation.metrics` is `auto`, training continues without the metric.

    Example:
      >>> class Loudness(Metric):
      ...     def check(self, context, count=None):
      ...         raise UnavailableError("loudness: expected a microphone.")
    """


class Metric:
    """A metric: one or more numbers that describe a source of examples. To add one, register a subclass with `compute`.

    The keyword-only parameters of its constructor are its options: fields of `evaluation` in a config. Metrics that
    have an option of the same name share its value.

    Attributes:
      name: The name under which it is registered, set by `make`.
      options: The values of the options by name, set by `make`.
      version: A number to increase when the same request gives different values.
      slow: Whether `evaluation.every_metrics=auto` skips it during training.
      opt_in: Whether `auto` skips it altogether: it is computed where a config names it.
      has_references: Whether it has values for real examples and for noise, floor and ceiling.

    Example:
      Decorate the class with `@METRICS.register("brightness")`, as in `examples/custom_metric.py`.

      >>> import numpy as np
      >>> from tfpaths.metrics import sources
      >>> class Brightness(Metric):
      ...     def __init__(self, *, brightness_samples: int = 100):
      ...         self.brightness_samples = brightness_samples
      ...
      ...     def compute(self, context, source, count=None):
      ...         num = source.at_most(count or self.brightness_samples)
      ...         return {"brightness": float(source.batches(0, num).numpy().mean())}
      >>> white = sources.samples(lambda num, stream: np.ones([num, 28, 28, 3], np.float32), seed=0)
      >>> Brightness().compute(None, white)
      {'brightness': 1.0}
    """

    name: str = ""
    options: Mapping[str, Any] = {}
    version: int = 1
    slow: bool = False
    opt_in: bool = False
    has_references: bool = True

    def missing(self, context: "Context") -> str | None:
        """Returns why the data set does not support this metric, or None if it does.

        The text completes a sentence that begins with the data set's name: `"has no modes"`. `auto` leaves out an
        unsupported metric; if the config names it, an InputError is raised. Decide from `context.data` and
        `context.known_splits`: no example has been read yet.

        Args:
          context: The services of the evaluation.
        """
        del context
        return None

    def check(self, context: "Context", count: int | None = None) -> None:
        """Validates everything that can be checked before measuring. The default accepts everything.

        Args:
          context: The services of the evaluation.
          count: As in `compute`.

        Raises:
          InputError: A field of the config is wrong.
          UnavailableError: Something that the metric needs is not available.
        """

    def compute(self, context: "Context", source: "Source", count: int | None = None) -> dict[str, float]:
        """Returns the metric's values by name.

        Args:
          context: The services of the evaluation.
          source: The examples to measure.
          count: The number of examples: `evaluation.every_samples` during training, and None for the number that the
            config sets.

        Raises:
          InputError: There are too few examples, or something is not available.
          RunError: A feature is NaN or infinite, or a classifier is not accurate enough.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how it is computed: define compute().")

    def pictures(self, context: "Context", source: "Source") -> "dict[str, Picture]":
        """Returns pictures of what was measured, by name; an evaluation of a run stores them beside its samples.

        It is called after `compute`, in the same state of the source: `Context.once` has what `compute` computed. A
        name has letters, digits and underscores.

        Args:
          context: The services of the evaluation.
          source: The examples that were measured.
        """
        del context, source
        return {}

    def protocol(self, context: "Context") -> dict[str, Any]:
        """Returns the settings and facts that the values depend on, by name, for `results.json`."""
        del context
        return {}

    def depends_on(self, context: "Context") -> tuple[Any, ...]:
        """Returns what the reference values, floor and ceiling, depend on, for their cache key.

        The options, the seed, the split and the measured examples are in the key already. Return identifiers of
        content (`Examples.content`, `Extractor.key`), not names or sizes, which may stay equal when the data changes.
        """
        del context
        return ()


def complete(evaluation: config_lib.Evaluation) -> config_lib.Evaluation:
    """Checks the config of an evaluation, and returns it with the options of every registered metric.

    Args:
      evaluation: The config; options that it does not set take their defaults.

    Raises:
      InputError: A metric is unknown, or an option belongs to no metric, is missing, has the wrong type, is out of its
        range or has the name of a field of the config.

    Example:
      >>> complete(config_lib.Evaluation(critic_steps=50)).options["mode_samples"]
      26000
    """
    for field in ("metrics", "every_metrics"):
        names = getattr(evaluation, field)
        for name in () if isinstance(names, str) else names:
            METRICS.lookup(name, path=f"evaluation.{field}")
    fields = list(config_lib.Evaluation.model_fields)
    params = [(name, *parameter) for cls in METRICS.values() for name, parameter in options.parameters(cls).items()]
    for name in evaluation.options:
        errors.choose("field", name, [*fields, *dict.fromkeys(name for name, *_ in params)], path=f"evaluation.{name}")
    values: dict[str, Any] = {}
    for name, annotation, default in params:
        if name in fields:
            raise errors.InputError(
                f"evaluation.{name}: this field cannot also be the option of a metric; rename the option."
            )
        value = evaluation.options.get(name, default)
        if value is inspect.Parameter.empty:
            raise errors.InputError(f"evaluation.{name}: expected a value, received none.")
        values[name] = options.check(value, annotation, f"evaluation.{name}")
    return evaluation.replace(**{name: value for name, value in values.items() if value is not None})


def make(evaluation: config_lib.Evaluation) -> dict[str, Metric]:
    """Returns an instance of every registered metric, by name.

    Args:
      evaluation: The config, as `complete` returns it.

    Example:
      >>> make(complete(config_lib.Evaluation(critic_steps=50)))["critic"].critic_steps
      50
    """
    metrics = {}
    for name, cls in METRICS.items():
        values = {option: evaluation.options.get(option) for option in options.parameters(cls)}
        metrics[name] = cls(**values)
        metrics[name].name, metrics[name].options = name, values
    return metrics
