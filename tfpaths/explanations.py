"""pydantic's errors as one line each: the full path, what is valid, what was received, and the nearest choice."""

import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic

from tfpaths import errors


def explained(error: pydantic.ValidationError, owner: Any = None, path: str = "") -> errors.InputError:
    """Returns the InputError that explains one of pydantic's problems in one line.

    Args:
      error: pydantic's error.
      owner: The class or annotation that was validated, for the names of valid fields.
      path: The path of the validated value in the config, for the message.

    Example:
      >>> try:
      ...     pydantic.TypeAdapter(int).validate_python("one", strict=True)
      ... except pydantic.ValidationError as error:
      ...     print(explained(error, int, "seed"))
      seed: expected an integer, received 'one'.
    """
    problems = error.errors(include_url=False)
    # pydantic reports a problem for each branch of a union. In the branch that fits best, the problem is deepest.
    first = max(problems, key=lambda problem: len(_parts_of(problem["loc"], owner)))
    same_path = [other for other in problems if _parts_of(other["loc"], owner) == _parts_of(first["loc"], owner)]
    where = ".".join(filter(None, (path, *_parts_of(first["loc"], owner))))
    received, context, kind = first["input"], first.get("ctx", {}), first["type"]
    if kind == "extra_forbidden":
        valid = _fields_at(owner, first["loc"][:-1])
        return errors.InputError(f"{where}: unknown field{errors.hint(first['loc'][-1], valid)}")
    if kind == "missing" and first["loc"][-1] == "name" and "." in where:
        parent = where.removesuffix(".name")
        return errors.InputError(f"{where}: expected a name, received none. To fix this: --set {parent}=NAME.")
    if kind == "missing":
        return errors.InputError(f"{where}: expected a value, received none.")
    # A check of `schema.expects`; one of a whole value, such as a schedule, has the field in its context.
    if kind == "expected":
        if field := context.get("field"):
            where, received = f"{where}.{field}" if where else field, context["received"]
        return errors.InputError(f"{where}: expected {context['expected']}, received {received!r}.")
    if kind == "literal_error":
        choices = [str(choice) for choice in typing.get_args(_annotation_at(owner, first["loc"]))]
        if choices and isinstance(received, str):
            return errors.InputError(
                f"{where}: expected one of {', '.join(choices)}, received {received!r}{did_you_mean(received, choices)}"
            )
    if kind.startswith("union_tag"):
        # A union whose branch is chosen by a field, such as `kind`.
        field, received = context["discriminator"].strip("'"), context.get("tag")
        choices = [choice.strip("'") for choice in context.get("expected_tags", "").split(", ") if choice]
        if not choices:
            return errors.InputError(f"{where}.{field}: expected a value, received none.")
        end = f"expected one of {', '.join(choices)}, received {received!r}{did_you_mean(str(received), choices)}"
        return errors.InputError(f"{where}.{field}: {end}")
    # Every branch of the union failed at this path: all their types are valid.
    if len(same_path) > 1:
        wanted = [_EXPECTED[other["type"]] for other in same_path if other["type"] in _EXPECTED]
        expected = " or ".join(dict.fromkeys(wanted)) or first["msg"]
        return errors.InputError(f"{where}: expected {expected}, received {received!r}.")
    expected = _EXPECTED.get(kind, first["msg"])
    return errors.InputError(f"{where}: expected {expected}, received {received!r}.")


def did_you_mean(received: str, choices: Sequence[str]) -> str:
    """Returns the end of a message: the nearest choice, or a full stop if no choice is close.

    Example:
      >>> did_you_mean("rond", ["round", "square"])
      "; did you mean 'round'?"
    """
    match = errors.nearest(received, choices)
    return f"; did you mean {match!r}?" if match else "."


# pydantic's type of an error -> what was expected.
_EXPECTED = {
    "int_type": "an integer",
    "int_parsing_size": "an integer of 64 bits",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "literal_error": "one of its choices",
}


def _parts_of(location: Sequence[int | str], owner: Any) -> list[str]:
    """Returns the parts of an error's path, without the names that pydantic gives to the branches of a union."""
    return _walk(location, owner)[0]


def _annotation_at(owner: Any, location: Sequence[int | str]) -> Any:
    """Returns the annotation at a location: its `Literal` if it has one."""
    annotation = _walk(location, owner)[1]
    literals = [option for option in branches_of(annotation) if typing.get_origin(option) is Literal]
    return literals[0] if literals else annotation


def _walk(location: Sequence[int | str], owner: Any) -> tuple[list[str], Any]:
    """Returns the parts of a location that are fields or elements, and the annotation there."""
    parts: list[str] = []
    annotation = owner
    for part in location:
        if (branch := _tagged(annotation, part)) is not None:
            annotation = branch
            continue
        step = _below(annotation, part)
        if step is not None:
            parts.append(str(part))
            annotation = step
        elif owner is None:
            parts.append(str(part))
    return parts, annotation


def _tagged(annotation: Any, part: int | str) -> Any:
    """Returns the branch of a union of values that a field, such as `kind`, chooses by the word `part`; or None."""
    models = [branch for branch in branches_of(annotation) if is_model(branch)]
    for model in models if len(models) > 1 else ():
        literals = (field_annotation(model, field) for field in model.model_fields)
        if any(typing.get_origin(one) is Literal and part in typing.get_args(one) for one in literals):
            return model
    return None


def _below(annotation: Any, part: int | str) -> Any:
    """Returns the annotation of the field or element `part` of an annotation; None if there is no such part."""
    branches = branches_of(annotation)
    # In a location, pydantic names a branch of a union by its class, `tuple[…]` or `function-…`.
    is_branch = len(branches) > 1 and part in [getattr(branch, "__name__", "") for branch in branches]
    for branch in branches:
        if (
            is_model(branch)
            and not is_branch
            and isinstance(part, str)
            and not part.startswith(("function-", "tuple["))
        ):
            if part in branch.model_fields:
                return field_annotation(branch, part)
            return Any
        if typing.get_origin(branch) is tuple and isinstance(part, int):
            return typing.get_args(branch)[0]
    return None


def _fields_at(owner: Any, location: Sequence[int | str]) -> list[str]:
    """Returns the names of the fields of the values at a location below `owner`."""
    annotation = _walk(location, owner)[1]
    return [name for option in branches_of(annotation) if is_model(option) for name in option.model_fields]


def field_annotation(cls: type[pydantic.BaseModel], field: str) -> Any:
    """Returns the annotation of a field, with its checks.

    Example:
      >>> class Point(pydantic.BaseModel):
      ...     x: int
      >>> field_annotation(Point, "x")
      <class 'int'>
    """
    return typing.get_type_hints(cls, include_extras=True)[field]


def branches_of(annotation: Any) -> list[Any]:
    """Returns the branches of a union, or a list with the annotation if it is not a union, without their checks.

    Example:
      >>> branches_of(int | None)
      [<class 'int'>, <class 'NoneType'>]
    """
    if typing.get_origin(annotation) is Annotated:
        return branches_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [part for option in typing.get_args(annotation) for part in branches_of(option)]
    return [annotation]


def is_model(annotation: Any) -> bool:
    """Returns whether an annotation is a pydantic class.

    Example:
      >>> is_model(pydantic.BaseModel), is_model(int)
      (True, False)
    """
    return isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)
