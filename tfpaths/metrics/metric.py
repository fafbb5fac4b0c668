"""What a metric is: what it needs, how it is computed, and what its numbers depend on."""

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


class UnavailableError(errors.InputError):
    """Something that a metric needs is not available, although no field of the config asks for it by name.

    Training that measures `auto` continues without the metric.
    """


class Metric:
    """A metric: one or several numbers of a source of examples. A new one is a registered subclass with `compute`.

    The keyword-only parameters of its constructor are its options: fields of `evaluation` in a config. Two metrics may
    have an option of the same name, and then share its value.

        from tfpaths.metrics import METRICS, Metric
        from tfpaths.schema import PositiveInt

        @METRICS.register("brightness")
        class Brightness(Metric):
            def __init__(self, *, brightness_samples: PositiveInt = 100):
                self.brightness_samples = brightness_samples

            def compute(self, context, source, count=None):
                num = source.at_most(count or self.brightness_samples)
                return {"brightness": float(source.batches(0, num).numpy().mean())}

    Attributes:
      name: The name under which it is registered, set by `make`.
      options: The values of the options by name, set by `make`.
      version: A number that changes when the same request gives other values.
      slow: Whether `auto` leaves it out of evaluations during training.
    """

    name: str = ""
    options: Mapping[str, Any] = {}
    version: int = 1
    slow: bool = False

    def missing(self, context: "Context") -> str | None:
        """Returns why the data set cannot have this metric, as the end of a sentence about it, or None if it can.

        Nothing is read: `context.data` and `context.known_splits` suffice. `auto` leaves out a metric that is missing;
        if the config names it, that is an InputError.

        Args:
          context: The services of the evaluation.
        """
        del context
        return None

    def check(self, context: "Context", count: int | None = None) -> None:
        """Refuses what can be refused before measuring.

        Args:
          context: The services of the evaluation.
          count: As in `compute`.

        Raises:
          InputError: A field of the config is wrong.
          UnavailableError: Something that the metric needs is not available.
        """

    def compute(self, context: "Context", source: "Source", count: int | None = None) -> dict[str, float]:
        """Returns the metric's numbers by name.

        Args:
          context: The services of the evaluation.
          source: The examples to be judged.
          count: How many of them; None for as many as the config says, otherwise `evaluation.every_samples`.

        Raises:
          InputError: There are too few examples, or something is not available.
          RunError: A value is not finite, or a classifier is not accurate enough.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how it is computed: define compute().")

    def protocol(self, context: "Context") -> dict[str, Any]:
        """Returns what the numbers depend on, for `results.json`."""
        del context
        return {}

    def depends_on(self, context: "Context") -> tuple[Any, ...]:
        """Returns what floor and ceiling depend on besides the options, the seed, the judged examples and the split.

        Name content (`Examples.content`, `Extractor.key`), never a name or a size.
        """
        del context
        return ()


def complete(evaluation: config_lib.Evaluation) -> config_lib.Evaluation:
    """Returns the config of an evaluation with the option of every registered metric, checked.

    Raises:
      InputError: A metric is unknown; or an option belongs to no metric, has the wrong type or is out of its range.

    Example:
      >>> complete(config_lib.Evaluation(critic_steps=50)).options["mode_samples"]
      26000
    """
    for field in ("metrics", "every_metrics"):
        names = getattr(evaluation, field)
        for name in () if isinstance(names, str) else names:
            METRICS.lookup(name, path=f"evaluation.{field}")
    fields = list(config_lib.Evaluation.model_fields)
    known = [(name, *parameter) for cls in METRICS.values() for name, parameter in options.parameters(cls).items()]
    for name in evaluation.options:
        errors.choose("field", name, [*fields, *dict.fromkeys(name for name, _, _ in known)], path=f"evaluation.{name}")
    values: dict[str, Any] = {}
    for name, annotation, default in known:
        if name in fields:
            raise errors.InputError(f"evaluation.{name}: a metric has this field for an option; choose another name.")
        value = evaluation.options.get(name, default)
        if value is inspect.Parameter.empty:
            raise errors.InputError(f"evaluation.{name}: expected a value, received none.")
        values[name] = options.check(value, annotation, f"evaluation.{name}")
    return evaluation.replace(**{name: value for name, value in values.items() if value is not None})


def make(evaluation: config_lib.Evaluation) -> dict[str, Metric]:
    """Returns every registered metric by name, with the options of a complete config."""
    made = {}
    for name, cls in METRICS.items():
        chosen = {option: evaluation.options.get(option) for option in options.parameters(cls)}
        made[name] = cls(**chosen)
        made[name].name, made[name].options = name, chosen
    return made
