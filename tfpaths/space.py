"""The space of settings that a sweep tries: its axes, and the settings that are drawn from it. No TensorFlow.

A setting is a pure function of (seed, axis, trial): it does not depend on the other axes, on the number of trials, or
on the experiment that is swept. So experiments are compared on the same settings, and more trials add to those before.
"""

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic

from tfpaths import errors, schema

_Paths = Annotated[tuple[str, ...], pydantic.Strict(False), schema.expects("at least one path", bool)]
_Values = Annotated[tuple[schema.Option, ...], pydantic.Strict(False)]
# Digits of a drawn number: enough for any hyper-parameter, and few enough to read and to type.
_DIGITS = 4
_FUNCTION = re.compile(r"(log|uniform)\((.*)\)", re.DOTALL)


class Choice(schema.Value):
    """An axis of listed values.

    Attributes:
      scale: `choice`.
      paths: The fields that are set together.
      values: The choices: for each, one value for every path.

    Raises:
      InputError: There is no choice, or one has another number of values than there are paths.

    Example:
      >>> Choice(paths=("study.width",), values=((16,), (64,))).settings(0.75)
      {'study.width': 64}
    """

    scale: Literal["choice"] = "choice"
    paths: _Paths
    values: Annotated[tuple[_Values, ...], pydantic.Strict(False)]

    @pydantic.model_validator(mode="after")
    def _one_for_each_path(self) -> "Choice":
        wrong = next((choice for choice in self.values if len(choice) != len(self.paths)), None)
        if not self.values or wrong is not None:
            expected = f"at least one choice of {len(self.paths)} values"
            raise schema.wrong("values", expected, wrong or self.values)
        return self

    def settings(self, share: float) -> dict[str, schema.Option]:
        """Returns the fields of one choice, path -> value.

        Args:
          share: A number in [0, 1): the choices have equal parts of it.
        """
        return dict(zip(self.paths, self.values[int(share * len(self.values))], strict=True))


class Range(schema.Value):
    """An axis of numbers from an interval.

    Attributes:
      scale: `uniform`, or `log` for a uniform logarithm.
      paths: The fields that are set together, all to the same number.
      low: The interval's lower end; above zero if the scale is `log`.
      high: Its upper end, above `low`.

    Raises:
      InputError: The interval is empty, or its logarithm is not finite.

    Example:
      >>> Range(paths=("variant.penalty.weight",), scale="log", low=0.1, high=100.0).settings(0.5)
      {'variant.penalty.weight': 3.162}
    """

    scale: Literal["log", "uniform"]
    paths: _Paths
    low: float
    high: float

    @pydantic.model_validator(mode="after")
    def _interval(self) -> "Range":
        for field, valid, expected in (
            ("low", math.isfinite(self.low), "a finite number"),
            ("low", self.scale == "uniform" or self.low > 0, "a number above zero, because its logarithm is drawn"),
            ("high", math.isfinite(self.high) and self.high > self.low, f"a finite number above {self.low:g}"),
        ):
            if not valid:
                raise schema.wrong(field, expected, getattr(self, field))
        return self

    def settings(self, share: float) -> dict[str, float]:
        """Returns the fields, path -> number, with four digits.

        Args:
          share: A number in [0, 1): the place in the interval.
        """
        ends = (math.log(self.low), math.log(self.high)) if self.scale == "log" else (self.low, self.high)
        place = ends[0] + share * (ends[1] - ends[0])
        value = math.exp(place) if self.scale == "log" else place
        return dict.fromkeys(self.paths, min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high))


Axis = Choice | Range


def parse(text: str) -> Axis:
    """Returns the axis that a text of `--sweep` describes.

    Args:
      text: `path.to.field=v1,v2,…`, `path=log(low,high)` or `path=uniform(low,high)`. Listed values stay texts, which
        `schema.override` reads as the type of their field.

    Raises:
      InputError: The text has another form, or the interval is empty.

    Example:
      >>> parse("variant.penalty.weight=1,10").values
      (('1',), ('10',))
      >>> parse("variant.penalty.weight=log(0,10)")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: --sweep variant.penalty.weight: low: expected a number above zero, because its ...
    """
    path, equals, values = text.partition("=")
    path = path.strip()
    if not path or not equals:
        raise errors.InputError(
            f"--sweep: expected path.to.field=v1,v2 or path.to.field=log(low,high), received {text!r}."
        )
    try:
        if function := _FUNCTION.fullmatch(values.strip()):
            low, high = (float(end) for end in function[2].split(","))
            return Range(paths=(path,), scale=function[1], low=low, high=high)  # type: ignore[arg-type]
        parts = [part.strip() for part in values.split(",")]
        if "" in parts:
            raise errors.InputError(f"expected values that are separated by commas, received {values!r}.")
        return Choice(paths=(path,), values=tuple((part,) for part in parts))
    except errors.InputError as error:
        raise errors.InputError(f"--sweep {path}: {error}") from None
    except ValueError:
        raise errors.InputError(f"--sweep {path}: expected two numbers, low and high, received {values!r}.") from None


def grid_size(space: Sequence[Axis]) -> int | None:
    """Returns the number of combinations of all choices; None if an axis is an interval.

    Example:
      >>> grid_size([parse("a=1,2"), parse("b=1,2,3")]), grid_size([parse("a=log(1,2)")])
      (6, None)
    """
    sizes = [len(axis.values) if isinstance(axis, Choice) else None for axis in space]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def setting(space: Sequence[Axis], trial: int, *, seed: int | None) -> dict[str, Any]:
    """Returns the fields of one trial, path -> value.

    Args:
      space: The axes.
      trial: The trial's number, from 0.
      seed: Seed for the draws; None for the grid of all combinations, where the last axis changes fastest.

    Example:
      >>> space = [parse("a=1,2"), parse("b=1,2,3")]
      >>> setting(space, 4, seed=None)
      {'a': '2', 'b': '2'}
      >>> setting(space, 4, seed=0) == setting(space, 4, seed=0)
      True
    """
    fields: dict[str, Any] = {}
    # The grid's index in mixed radix, the last axis first; the draws do not depend on the order of the axes.
    rest = trial
    for axis in reversed(space):
        if seed is not None:
            share = _uniform(seed, axis.paths, trial)
        else:
            assert isinstance(axis, Choice)
            rest, index = divmod(rest, len(axis.values))
            share = (index + 0.5) / len(axis.values)
        fields = {**axis.settings(share), **fields}
    return fields


def _uniform(seed: int, paths: Sequence[str], trial: int) -> float:
    """Returns the number in [0, 1) of a trial on an axis: Philox, with the seed and the paths as key."""
    # Not above, since every command imports this module.
    import numpy as np

    key = (seed << 32) + zlib.crc32(",".join(paths).encode())
    return float(np.random.Generator(np.random.Philox(key=key, counter=trial)).random())


def texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Returns the fields of a setting as texts, for `schema.override`.

    Example:
      >>> texts({"study.width": 64, "variant.penalty": None, "data.path": "images"})
      {'study.width': '64', 'variant.penalty': 'none', 'data.path': 'images'}
    """
    return {path: "none" if value is None else str(value) for path, value in fields.items()}
