"""Frozen values: reading, checking, changing and writing them, with pydantic. Each of its errors becomes one line.

pydantic was chosen although msgspec imports in 30 ms instead of 90: it reports an error in parts (path, kind, value),
from which one clear line can be built, and its values may have options that are checked elsewhere (`Component`).
"""

import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic
import pydantic_core

from tfpaths import errors
from tfpaths.explanations import branches_of, did_you_mean, explained, field_annotation, is_model

_V = TypeVar("_V", bound="Value")
_Scalar = bool | int | float | str | None
# JSON has lists where a frozen value has tuples.
Option = _Scalar | Annotated[tuple[_Scalar, ...], pydantic.Strict(False)]


def expects(expected: str, valid: Callable[[Any], bool]) -> pydantic.AfterValidator:
    """Returns a check for an annotation.

    Args:
      expected: The end of the message "expected …".
      valid: Returns whether a value of the annotated type is valid.

    Example:
      >>> class Battery(Value):
      ...     percent: Annotated[int, expects("a number up to 100", lambda value: value <= 100)]
      >>> Battery(percent=200)
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: percent: expected a number up to 100, received 200.
    """

    def check(value: Any) -> Any:
        if not valid(value):
            raise pydantic_core.PydanticCustomError("expected", "{expected}", {"expected": expected})
        return value

    return pydantic.AfterValidator(check)


def wrong(field: str, expected: str, received: Any) -> pydantic_core.PydanticCustomError:
    """Returns the error about one field, for a check of a whole value; `tfpaths.explanations` reads its context.

    Args:
      field: The field's name.
      expected: What is valid, to complete "expected …".
      received: The invalid value.

    Example:
      >>> wrong("trials", "at most 3", 4).context["received"]
      4
    """
    context = {"field": field, "expected": expected, "received": received}
    return pydantic_core.PydanticCustomError("expected", "{expected}", context)


# Upper limits: TensorFlow counts steps in 64 bits, and `streams.root` casts seeds to 32 bits.
PositiveInt = Annotated[int, expects("a number above zero", lambda value: 0 < value < 2**63)]
Count = Annotated[int, expects("a number of at least zero", lambda value: 0 <= value < 2**31)]
Seed = Annotated[int, expects("an integer in [0, 2^31)", lambda value: 0 <= value < 2**31)]
Positive = Annotated[float, expects("a number above zero", lambda value: 0 < value < math.inf)]
NonNegative = Annotated[float, expects("a number of at least zero", lambda value: 0 <= value < math.inf)]
Share = Annotated[float, expects("a number in [0, 1)", lambda value: 0 <= value < 1)]


if typing.TYPE_CHECKING:
    _Base = pydantic.BaseModel
else:

    class _Meta(type(pydantic.BaseModel)):
        """The metaclass of values: its constructor raises an InputError.

        pydantic validates a nested value without calling its constructor, so only the outermost raises, with full path.
        """

        def __call__(cls, **fields):
            try:
                return super().__call__(**fields)
            except pydantic.ValidationError as error:
                raise explained(error, cls) from None

    class _Base(pydantic.BaseModel, metaclass=_Meta):
        pass


class Value(_Base):
    """A frozen value with named, typed fields. An unknown field is an error.

    Example:
      >>> class Point(Value):
      ...     x: int
      ...     y: int = 0
      >>> Point(x=1).replace(y=2)
      Point(x=1, y=2)
      >>> Point(x="one")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: x: expected an integer, received 'one'.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed; all fields are checked again.

        Raises:
          InputError: A field is unknown, has the wrong type, or is out of its range.
        """
        return type(self)(**{**self._fields(), **changes})

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields} | dict(self.model_extra or {})


class Component(Value):
    """The name of a registered class or function, with its options. In a config, a name alone is valid too.

    The options are the keyword-only parameters of what is registered under the name, with their types and defaults.
    They are not checked here: `tfpaths.options` checks them and adds the defaults.

    Attributes:
      name: The name in its registry.

    Example:
      >>> Component(name="dragan", weight=10.0).options
      {'weight': 10.0}
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Option] = pydantic.Field(init=False)

    name: str

    @pydantic.model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Option]:
        """The options that are set."""
        return dict(self.model_extra or {})

    def __hash__(self) -> int:
        return hash((type(self), *self._fields().items()))


def to_dict(value: Value) -> dict[str, Any]:
    """Returns a value as nested dictionaries of JSON values. A field that is None is left out.

    Example:
      >>> class Point(Value):
      ...     x: int
      ...     label: str | None = None
      >>> to_dict(Point(x=1))
      {'x': 1}
    """
    return value.model_dump(mode="json", exclude_none=True)


def from_dict(values: Any, cls: type[_V]) -> _V:
    """Returns the value of class `cls` whose dictionary `to_dict` returned.

    Raises:
      InputError: A field is missing or unknown, has the wrong type, or is out of its range.

    Example:
      >>> class Point(Value):
      ...     x: int
      >>> from_dict({"x": 1}, Point)
      Point(x=1)
    """
    if not isinstance(values, Mapping):
        raise errors.InputError(f"config: expected an object, received {values!r}.")
    return cls(**_strings(values))


def _strings(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items()}


def override(value: _V, texts: Mapping[str, str]) -> _V:
    """Returns `value` with new values for some fields, given as texts: each is read as the type of its field.

    The fields are checked once, at the end, so fields that depend on each other can change together.

    Args:
      value: The value.
      texts: Path -> text, as in `{"variant.penalty.weight": "5"}`.

    Raises:
      InputError: A path does not exist, a text is not of its field's type, or a value is out of its range.

    Example:
      >>> class Point(Value):
      ...     x: int
      >>> class Circle(Value):
      ...     centre: Point
      >>> override(Circle(centre=Point(x=1)), {"centre.x": "5"})
      Circle(centre=Point(x=5))
    """
    values = to_dict(value)
    for path, text in texts.items():
        _assign(values, type(value), path.split("."), text, path)
    return type(value)(**values)


def assign(value: _V, assignments: Sequence[str]) -> _V:
    """Returns `value` with new values for some fields, given as texts of the form `path.to.field=value`.

    Raises:
      InputError: A text has another form, two texts are for the same field, or as `override`.

    Example:
      >>> class Point(Value):
      ...     x: int
      >>> assign(Point(x=1), ["x=5"])
      Point(x=5)
    """
    texts: dict[str, str] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not path or not equals:
            raise errors.InputError(f"--set: expected path.to.field=value, received {assignment!r}.")
        if path in texts:
            raise errors.InputError(f"{path}: expected one value, received {texts[path]!r} and {text!r}.")
        texts[path] = text
    return override(value, texts)


def differences(one: Value, other: Value) -> dict[str, tuple[Any, Any]]:
    """Returns the fields in which two values differ: path -> (value in `one`, value in `other`).

    Example:
      >>> differences(Component(name="r1", weight=5.0), Component(name="r1"))
      {'weight': (5.0, None)}
    """
    first, second = flat(one), flat(other)
    pairs = {path: (first.get(path), second.get(path)) for path in sorted(first.keys() | second.keys())}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Returns all fields of a value that are not None: path -> value.

    Args:
      value: A value, a tuple of values, or the value of a single field.
      path: The path of `value`, which all paths start with; empty for a whole config.

    Example:
      >>> flat(Component(name="r1", weight=5.0), "variant.penalty")
      {'variant.penalty.name': 'r1', 'variant.penalty.weight': 5.0}
    """
    leaves: dict[str, Any] = {}
    if isinstance(value, Value):
        items: Any = value._fields().items()
    elif isinstance(value, tuple) and value and isinstance(value[0], Value):
        items = enumerate(value)
    else:
        return {} if value is None else {path: value}
    for name, field in items:
        leaves |= flat(field, f"{path}.{name}" if path else str(name))
    return leaves


def _assign(values: Any, annotation: Any, keys: Sequence[str], text: str, path: str) -> None:
    """Sets the field at `keys` in `values` to the text, read as the field's type.

    Args:
      values: The dictionary or list that is changed.
      annotation: The annotation of `values`.
      keys: The keys from `values` to the field.
      text: The text.
      path: The field's whole path, for messages.
    """
    key, *rest = keys
    if isinstance(values, list):
        if not key.isdecimal() or int(key) >= len(values):
            raise errors.InputError(f"{path}: expected a number below {len(values)}, received {key!r}.")
        key_or_index: Any = int(key)
        inner: Any = next(typing.get_args(o)[0] for o in branches_of(annotation) if typing.get_origin(o) is tuple)
    else:
        models = [option for option in branches_of(annotation) if is_model(option)]
        # Of a union of values, the first that has all fields that are there.
        owner = next(
            (model for model in models if values.keys() <= model.model_fields.keys()), next(iter(models), None)
        )
        if owner is None:
            raise errors.InputError(f"{path}: a {_kind_of(values)} has no fields.")
        key_or_index = key
        if key in owner.model_fields:
            inner = field_annotation(owner, key)
        elif issubclass(owner, Component) or owner.model_config.get("extra") == "allow":
            inner = None
        else:
            raise errors.InputError(f"{path}: unknown field {key!r}{errors.hint(key, owner.model_fields)}")
    if not rest:
        # The type of an option is not known here. It stays a text until `tfpaths.options` reads it.
        values[key_or_index] = text if inner is None else parse(text, inner, path)
        return
    if not any(is_model(option) or is_model((typing.get_args(option) or (None,))[0]) for option in branches_of(inner)):
        raise errors.InputError(f"{path}: {key!r} is a single value and has no fields.")
    if isinstance(values, dict) and values.get(key_or_index) is None:
        # A part that is None gets its defaults; its fields without a default must be set too.
        values[key_or_index] = {}
    _assign(values[key_or_index], inner, rest, text, path)


def _kind_of(value: Any) -> str:
    return "list" if isinstance(value, list) else "single value"


def parse(text: str, annotation: Any, path: str) -> Any:
    """Returns a text as a value of an annotated type. The checks of the annotation are not made.

    Args:
      text: The text.
      annotation: The annotation: a scalar type, a `Literal`, a tuple, a class of values, or a union of these.
      path: The field's path, for messages.

    Raises:
      InputError: The text is not of this type.

    Example:
      >>> parse("2e4", int, "schedule.steps")
      20000
      >>> parse("8,16", tuple[int, ...], "figure.sizes")
      [8, 16]
    """
    choices = branches_of(annotation)
    literals = [str(choice) for o in choices if typing.get_origin(o) is Literal for choice in typing.get_args(o)]
    if text in literals:
        return text
    if type(None) in choices and text.lower() in ("none", "null"):
        return None
    for option in choices:
        if is_model(option):
            if issubclass(option, Component):
                is_list = "," in text and any(typing.get_origin(other) is tuple for other in choices)
                return [{"name": name} for name in text.split(",")] if is_list else {"name": text}
            fields = ", ".join(f"{path}.{name}" for name in option.model_fields)
            raise errors.InputError(f"{path}: expected one of its fields ({fields}), received {text!r} for the whole.")
        if typing.get_origin(option) is tuple:
            inner = typing.get_args(option)[0]
            return [parse(part, inner, path) for part in text.split(",") if part]
    if literals:
        raise errors.InputError(
            f"{path}: expected one of {', '.join(literals)}, received {text!r}{did_you_mean(text, literals)}"
        )
    kind = next(option for option in choices if option is not type(None))
    return _scalar(text, kind, path)


def _scalar(text: str, kind: Any, path: str) -> Any:
    """Returns a text as a bool, an int, a float or a str."""
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        # 2e4 is valid for an integer, although Python's int() does not read it.
        if kind is int and "e" in text.lower() and float(text).is_integer():
            return int(float(text))
        return kind(text)
    except (KeyError, ValueError, OverflowError):
        expected = {int: "an integer", float: "a number", bool: "true or false"}.get(kind, "a text")
        raise errors.InputError(f"{path}: expected {expected}, received {text!r}.") from None
