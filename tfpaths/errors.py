"""The two errors that tfpaths raises for its users, and the nearest name in their messages."""

import difflib
from collections.abc import Iterable

# At this cutoff a misspelling finds its neighbour and an unrelated word finds none.
_CUTOFF = 0.5


class InputError(ValueError):
    """Invalid input. One line: what is wrong, what is valid, and the nearest valid choice."""


class RunError(RuntimeError):
    """A run that cannot continue although its input is valid. One line: the cause, and what is kept."""


def nearest(received: object, choices: Iterable[str]) -> str | None:
    """Returns the choice that is spelt most like `received`, or None if none is close.

    Example:
      >>> nearest("dragn", ["r1", "dragan"])
      'dragan'
    """
    return next(iter(difflib.get_close_matches(str(received), list(choices), n=1, cutoff=_CUTOFF)), None)


def hint(received: object, choices: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name: the nearest choice, and the valid ones.

    Example:
      >>> hint("dragn", ["r1", "dragan"])
      "; did you mean 'dragan'? Expected one of: r1, dragan."
    """
    choices = list(choices)
    match = nearest(received, choices)
    listed = ", ".join(choices[:12]) + (f", … ({len(choices)} in all)" if len(choices) > 12 else "")
    return f"; did you mean {match!r}? Expected one of: {listed}." if match else f". Expected one of: {listed}."


def unknown(what: str, received: object, choices: Iterable[str], *, path: str = "") -> InputError:
    """Returns the error for a name that is none of `choices`.

    Args:
      what: What is named, such as `"penalty"`.
      received: The name.
      choices: The valid names.
      path: The field of the config that holds the name, if it is one.

    Example:
      >>> unknown("penalty", "dragn", ["r1", "dragan"], path="variant.penalty.name")
      InputError("variant.penalty.name: unknown penalty 'dragn'; did you mean 'dragan'? Expected one of: r1, dragan.")
    """
    return InputError(f"{path + ': ' if path else ''}unknown {what} {received!r}{hint(received, choices)}")


def choose(what: str, received: str, choices: Iterable[str], *, path: str = "") -> str:
    """Returns `received` if it is one of `choices`.

    Raises:
      InputError: It is not; see `unknown`.
    """
    choices = list(choices)
    if received not in choices:
        raise unknown(what, received, choices, path=path)
    return received


def integer(name: str, text: str, least: int) -> int:
    """Returns the integer that a text holds, from `least` to 2^31 - 1.

    Raises:
      InputError: The text holds no such integer.
    """
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value < 2**31:
        raise InputError(f"{name}: expected an integer from {least} to 2^31 - 1, received {text!r}.")
    return value
