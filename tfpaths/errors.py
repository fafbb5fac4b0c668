"""The errors that tfpaths raises for invalid input and for failed runs, and the parts of their messages."""

import difflib
from collections.abc import Iterable

# With this cutoff, a misspelt name has a nearest choice and an unrelated word has none.
_CUTOFF = 0.5


class InputError(ValueError):
    """Invalid input. The message is one line: what is wrong, what is valid, and the nearest valid choice.

    Example:
      >>> from tfpaths import experiments
      >>> experiments.get("color_mnist_nss")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: unknown experiment 'color_mnist_nss'; did you mean 'color_mnist_ns'? ...
    """

    status = 2


class RunError(RuntimeError):
    """A run that cannot continue although its input is valid. The message is one line: the cause and what was saved.

    Attributes:
      status: The exit status of the command line. After 1, the same command may succeed.
      detail: Text that the command line prints before the message, such as the traceback of the code at fault.
    """

    status = 1

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class FinalError(RunError):
    """A run that fails again if it is started again; the launch scripts do not restart it."""

    status = 3


def shown(text: object) -> str:
    r"""Returns a text as a terminal may show it: control characters, which a stranger's file can contain, are escaped.

    Example:
      >>> shown("red\x1b[31m.png")
      'red\\x1b[31m.png'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))


def nearest(received: object, choices: Iterable[str]) -> str | None:
    """Returns the choice whose spelling is nearest to `received`, or None if no choice is close.

    Example:
      >>> nearest("dragn", ["r1", "dragan"])
      'dragan'
    """
    return next(iter(difflib.get_close_matches(str(received), list(choices), n=1, cutoff=_CUTOFF)), None)


def hint(received: object, choices: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name: the nearest choice and the valid choices, at most twelve.

    Example:
      >>> hint("dragn", ["r1", "dragan"])
      "; did you mean 'dragan'? Expected one of: r1, dragan."
    """
    choices = list(choices)
    match = nearest(received, choices)
    listed = ", ".join(choices[:12]) + (f", … ({len(choices)} in all)" if len(choices) > 12 else "")
    return f"; did you mean {match!r}? Expected one of: {listed}." if match else f". Expected one of: {listed}."


def unknown(what: str, received: object, choices: Iterable[str], *, path: str = "") -> InputError:
    """Returns the error for a name that is not one of `choices`.

    Args:
      what: The kind of item, such as `"penalty"`.
      received: The unknown name.
      choices: The valid names.
      path: The path of the config's field that has the name; empty if the name is not in a config.

    Example:
      >>> unknown("penalty", "dragn", ["r1", "dragan"], path="variant.penalty.name")
      InputError("variant.penalty.name: unknown penalty 'dragn'; did you mean 'dragan'? Expected one of: r1, dragan.")
    """
    return InputError(f"{path + ': ' if path else ''}unknown {what} {received!r}{hint(received, choices)}")


def choose(what: str, received: str, choices: Iterable[str], *, path: str = "") -> str:
    """Returns `received` if it is one of `choices`.

    Raises:
      InputError: It is not one of them; see `unknown`.

    Example:
      >>> choose("penalty", "r1", ["r1", "dragan"])
      'r1'
    """
    choices = list(choices)
    if received not in choices:
        raise unknown(what, received, choices, path=path)
    return received


def integer(name: str, text: str, least: int) -> int:
    """Returns a text as an integer from `least` to 2^31 - 1.

    Args:
      name: The name of the flag or variable, for the message.
      text: The text.
      least: The smallest valid integer.

    Raises:
      InputError: The text is not an integer in this range.

    Example:
      >>> integer("--seed", "7", 0)
      7
    """
    try:
        value = int(text)
    except ValueError:
        value = least - 1  # Out of range, so that both mistakes have the same message.
    if not least <= value < 2**31:
        raise InputError(f"{name}: expected an integer from {least} to 2^31 - 1, received {text!r}.")
    return value
