"""The options of registered classes and functions: their keyword-only parameters.

    @PENALTIES.register("dragan")
    class DRAGANPenalty(GradientPenalty):
        def __init__(self, *, noise: Noise = "uniform", noise_scale: Positive = 0.5, **kwargs): ...

adds the fields `variant.penalty.noise` and `variant.penalty.noise_scale` to the config, with these types, defaults and
checks.
"""

import inspect
import typing
from collections.abc import Callable, Collection
from typing import Any

import pydantic

from tfpaths import errors, explanations, schema

_REQUIRED = inspect.Parameter.empty


def parameters(factory: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Returns the keyword-only parameters of a class or a function: name -> (annotation, default).

    If the constructor of a class takes `**kwargs`, the parameters of its base classes are included.

    Example:
      >>> def ring(*, radius: float = 1.0): ...
      >>> parameters(ring)
      {'radius': (<class 'float'>, 1.0)}
    """
    functions = [factory]
    if isinstance(factory, type):
        # From the class to its bases, so that the annotation and default of a subclass come first.
        functions = [cls.__dict__["__init__"] for cls in factory.__mro__ if "__init__" in cls.__dict__]
    options: dict[str, tuple[Any, Any]] = {}
    for function in functions:
        if not inspect.isfunction(function) or (function.__module__ or "").split(".")[0] in ("keras", "tensorflow"):
            break
        hints = typing.get_type_hints(function, include_extras=True)
        signature = inspect.signature(function).parameters.values()
        for parameter in signature:
            if parameter.kind is parameter.KEYWORD_ONLY:
                options.setdefault(parameter.name, (hints.get(parameter.name, Any), parameter.default))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
            break
    return options


def complete(
    component: schema.Component, factory: Callable[..., Any], path: str, *, reserved: Collection[str] = ()
) -> dict[str, Any]:
    """Returns all options of a component, checked; an option that is not set has its default.

    Args:
      component: The component of a config.
      factory: The class or function that is registered under the component's name.
      path: The component's path in the config, for messages.
      reserved: Parameters that the caller sets, and a config cannot.

    Raises:
      InputError: An option does not exist, has the wrong type, is out of its range, or is missing.

    Example:
      >>> def ring(*, radius: float = 1.0, width: float = 0.5): ...
      >>> complete(schema.Component(name="ring", radius=3.0), ring, "data")
      {'radius': 3.0, 'width': 0.5}
    """
    valid = {name: value for name, value in parameters(factory).items() if name not in reserved}
    values: dict[str, Any] = {}
    for name, value in component.options.items():
        if name not in valid:
            listed = f" Its options: {', '.join(valid)}." if valid else " It has no options."
            match = errors.nearest(name, valid)
            meant = f"; did you mean {match!r}?" if match else "."
            raise errors.InputError(f"{path}.{name}: {component.name!r} has no option {name!r}{meant}{listed}")
        values[name] = check(value, valid[name][0], f"{path}.{name}")
    for name, (annotation, default) in valid.items():
        if default is not None and type(None) in explanations.branches_of(annotation):
            # A config is written without the options that are None; read again, they would have the default.
            raise TypeError(f"{path}.{name}: the default of an option that may be None must be None.")
        if name not in values and default is _REQUIRED:
            raise errors.InputError(f"{path}.{name}: expected a value, received none.")
        values.setdefault(name, default)
    return values


def completed(component: Any, factory: Callable[..., Any], path: str, *, reserved: Collection[str] = ()) -> Any:
    """Returns the component with all its options, as `complete` does; options that are None are left out.

    Example:
      >>> def ring(*, radius: float = 1.0, width: float | None = None): ...
      >>> completed(schema.Component(name="ring"), ring, "data").options
      {'radius': 1.0}
    """
    values = complete(component, factory, path, reserved=reserved)
    fields = {name: getattr(component, name) for name in type(component).model_fields}
    return type(component)(**fields, **{name: value for name, value in values.items() if value is not None})


def check(value: Any, annotation: Any, path: str) -> Any:
    """Returns `value` with the type of the annotation: a text is parsed, and an integer may become a float.

    Args:
      value: A value, or its text.
      annotation: The annotation, with its checks.
      path: The path of the value in the config, for messages.

    Raises:
      InputError: The value has another type or is out of its range.

    Example:
      >>> check("2e-4", schema.Positive, "learning_rate")
      0.0002
    """
    if isinstance(value, str):
        value = schema.parse(value, annotation, path)
    adapter = pydantic.TypeAdapter(annotation, config=pydantic.ConfigDict(strict=True))
    try:
        return adapter.validate_python(tuple(value) if isinstance(value, list) else value)
    except pydantic.ValidationError as error:
        raise explanations.explained(error, annotation, path) from None


def validate(factory: Callable[..., Any], **values: Any) -> None:
    """Checks arguments of a class or function against its annotations, as the options of a config are checked.

    Raises:
      InputError: An argument has the wrong type or is out of its range.

    Example:
      >>> def ring(*, radius: schema.Positive = 1.0): ...
      >>> validate(ring, radius=-1.0)
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: radius: expected a number above zero, received -1.0.
    """
    annotations = {name: annotation for name, (annotation, _) in parameters(factory).items()}
    for name, value in values.items():
        check(value, annotations[name], name)
