"""The options of registered things: the keyword-only parameters of their constructors.

    @PENALTIES.register("dragan")
    class DRAGANPenalty(GradientPenalty):
        def __init__(self, *, noise: Noise = "uniform", noise_scale: Positive = 0.5, **kwargs): ...

makes `variant.penalty.noise` a field of the config, with that type, that default and those checks.
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

    A class whose constructor takes `**kwargs` passes them on: the parameters of its bases count too.

    Example:
      >>> def ring(*, radius: float = 1.0): ...
      >>> parameters(ring)
      {'radius': (<class 'float'>, 1.0)}
    """
    functions = [factory]
    if isinstance(factory, type):
        functions = [cls.__dict__["__init__"] for cls in factory.__mro__ if "__init__" in cls.__dict__]
    found: dict[str, tuple[Any, Any]] = {}
    for function in functions:
        if not inspect.isfunction(function) or (function.__module__ or "").split(".")[0] in ("keras", "tensorflow"):
            break
        hints = typing.get_type_hints(function, include_extras=True)
        signature = inspect.signature(function).parameters.values()
        for parameter in signature:
            if parameter.kind is parameter.KEYWORD_ONLY:
                found.setdefault(parameter.name, (hints.get(parameter.name, Any), parameter.default))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
            break
    return found


def complete(
    component: schema.Component, factory: Callable[..., Any], path: str, *, reserved: Collection[str] = ()
) -> dict[str, Any]:
    """Returns the options of a component, checked, with the defaults of those that are not set.

    Args:
      component: The value from a config.
      factory: What is registered under the component's name.
      path: Where the component stands in the config, for messages.
      reserved: Parameters that the caller sets and a config does not.

    Raises:
      InputError: An option does not exist, has the wrong type, is out of its range, or is missing.
    """
    known = {name: value for name, value in parameters(factory).items() if name not in reserved}
    values: dict[str, Any] = {}
    for name, value in component.options.items():
        if name not in known:
            valid = f" Its options: {', '.join(known)}." if known else " It has no options."
            match = errors.nearest(name, known)
            meant = f"; did you mean {match!r}?" if match else "."
            raise errors.InputError(f"{path}.{name}: {component.name!r} has no option {name!r}{meant}{valid}")
        values[name] = check(value, known[name][0], f"{path}.{name}")
    for name, (annotation, default) in known.items():
        if default is not None and type(None) in explanations.branches_of(annotation):
            # A config leaves out what is None, and would get the default back.
            raise TypeError(f"{path}.{name}: the default of an option that may be None must be None.")
        if name not in values and default is _REQUIRED:
            raise errors.InputError(f"{path}.{name}: expected a value, received none.")
        values.setdefault(name, default)
    return values


def completed(component: Any, factory: Callable[..., Any], path: str, *, reserved: Collection[str] = ()) -> Any:
    """Returns the component with the options of `complete`, those that are None left out."""
    values = complete(component, factory, path, reserved=reserved)
    fields = {name: getattr(component, name) for name in type(component).model_fields}
    return type(component)(**fields, **{name: value for name, value in values.items() if value is not None})


def check(value: Any, annotation: Any, path: str) -> Any:
    """Returns `value` as the annotation has it: a text is read, and an integer becomes a float where one is wanted.

    Raises:
      InputError: The value has another type or is out of its range.
    """
    if isinstance(value, str):
        value = schema.parse(value, annotation, path)
    adapter = pydantic.TypeAdapter(annotation, config=pydantic.ConfigDict(strict=True))
    try:
        return adapter.validate_python(tuple(value) if isinstance(value, list) else value)
    except pydantic.ValidationError as error:
        raise explanations.explained(error, annotation, path) from None


def validate(factory: Callable[..., Any], **values: Any) -> None:
    """Checks arguments of a constructor against its own annotations, as a config's are checked.

    Raises:
      InputError: An argument has the wrong type or is out of its range.
    """
    known = parameters(factory)
    for name, value in values.items():
        check(value, known[name][0], name)
