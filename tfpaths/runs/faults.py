"""TensorFlow's errors as one line with the cause: a lost worker, little memory, a full disk, or the user's code."""

import contextlib
import linecache
import pathlib
import re
import traceback
from collections.abc import Callable, Iterator

import absl
import keras
import tensorflow as tf

from tfpaths import errors
from tfpaths.compat.tensorflow import worker, workers

# What a worker sees when another one is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
# What the same program does again: shapes, indices and checks of the user's own.
_OF_THE_CODE = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, tf.errors.UnimplementedError)
_FRAME = re.compile(r'^\s*File "(.+)", line (\d+), in (.+)$')
# Lines of a message beside its cause.
_AROUND = re.compile(
    r"^\s*(Graph execution error:|Detected at node .*|\d+ root error\(s\) found\.|Hint: .*|\[\[.*|File \".*|)$"
)
# The directories of the packages themselves: a user's clone or project may be named tfpaths too.
_LIBRARIES = (
    pathlib.Path(__file__).resolve().parent.parent,
    *(pathlib.Path(str(package.__file__)).resolve().parent for package in (keras, tf, absl)),
)


@contextlib.contextmanager
def explained(
    devices: tf.distribute.Strategy, kept: Callable[[], str], again: str = "The same command continues the run."
) -> Iterator[None]:
    """Raises an error of TensorFlow's again as a RunError, whose message has the cause and what was saved.

    Args:
      devices: The strategy of the run.
      kept: Returns a sentence about what was saved.
      again: A sentence about the same command, for a fault that another attempt may not meet.

    Raises:
      FinalError: The same command would fail again: an error of the user's code, or too little memory.
      RunError: The same command continues the run.

    Example:
      >>> devices = tf.distribute.get_strategy()
      >>> with explained(devices, lambda: "There is no checkpoint yet."):
      ...     _ = tf.reshape(tf.zeros([4]), [3])
      Traceback (most recent call last):
          ...
      tfpaths.errors.FinalError: ... (InvalidArgumentError). There is no checkpoint yet.
    """
    try:
        yield
    except tf.errors.OpError as error:
        raise _fault(error, devices, kept, again) from error


def known(error: tf.errors.OpError) -> errors.RunError:
    """Returns an error of TensorFlow's outside of `explained` as one whose message is a line.

    Example:
      >>> str(known(tf.errors.NotFoundError(None, None, "a.index; No such file or directory")))
      'a.index; No such file or directory (NotFoundError).'
    """
    return _fault(error, tf.distribute.get_strategy(), lambda: "", "")


def cause(error: tf.errors.OpError) -> str:
    """Returns the cause in an error's message, without the operation's traceback.

    Example:
      >>> message = '''Graph execution error:
      ...
      ... Detected at node add defined at (most recent call last):
      ...   File "mine.py", line 16, in points
      ...
      ... Incompatible shapes: [8,2] vs. [7,2]
      ... \t [[{{node add}}]] [Op:__inference_train_function_5401]'''
      >>> cause(tf.errors.InvalidArgumentError(None, None, message))
      'Incompatible shapes: [8,2] vs. [7,2]'
    """
    lines = [line for line in str(error.message).splitlines() if not _AROUND.match(line)]
    if not lines:
        return type(error).__name__
    # The first of several root errors; a function's name before, and the eager operation's after the cause.
    line = re.sub(r"^\s*\(\d+\)\s*[\w ]+: ", "", lines[0])
    line = re.sub(r"\{\{function_node [^}]*\}\}\s*", "", line)
    return re.sub(r"\s*\[Op:\w+\]( name: .*)?$", "", line).strip().rstrip(".")


def operation(error: tf.errors.OpError) -> str | None:
    """Returns the name of the operation that failed; None if the message does not have it.

    Example:
      >>> operation(tf.errors.InvalidArgumentError(None, None, "Bad. [[{{node critic/add}}]]"))
      'critic/add'
    """
    found = re.search(r"\{\{node ([^}]+)\}\}", str(error.message))
    return found.group(1) if found else None


def where(error: tf.errors.OpError) -> str:
    """Returns the traceback of the operation that failed: the user's frames, or if there are none the innermost frame.

    In a compiled program, that is where the operation was defined. The message of the error has it.
    """
    frames = [(match[1], int(match[2]), match[3]) for match in map(_FRAME.match, error.message.splitlines()) if match]
    if not frames:
        frames = [(at.filename, at.lineno or 0, at.name) for at in traceback.extract_tb(error.__traceback__)]
    lines = ["Traceback of the operation (most recent call last):"]
    for path, line, function in [frame for frame in frames if not _is_of_a_library(frame[0])] or frames[-1:]:
        lines += [f'  File "{path}", line {line}, in {function}']
        if source := linecache.getline(path, line).strip():
            lines += [f"    {source}"]
    return "\n".join(lines)


def _is_of_a_library(path: str) -> bool:
    """Returns whether a frame's file belongs to a library, or to the start of the interpreter."""
    parents = pathlib.Path(path).resolve().parents
    return path.startswith("<frozen ") or any(library in parents for library in _LIBRARIES)


def _fault(
    error: tf.errors.OpError, devices: tf.distribute.Strategy, kept: Callable[[], str], again: str
) -> errors.RunError:
    is_chief = worker(devices) == 0
    saved = kept() if is_chief else "The chief has what is saved."
    again = again if is_chief else "The same commands continue the run."
    if workers(devices) > 1 and isinstance(error, _LOST):
        return errors.RunError(f"lost contact with another worker. {saved} {again}")
    name = operation(error)
    what = f"{cause(error)} ({type(error).__name__}{f' in the operation {name}' if name else ''})"
    if isinstance(error, tf.errors.ResourceExhaustedError) and "No space left" not in str(error.message):
        return errors.FinalError(
            f"out of memory: {what}. {saved} To fix this: lower --batch_size, or the widths and sizes in the config, "
            "or use more devices."
        )
    if isinstance(error, _OF_THE_CODE):
        return errors.FinalError(f"{what}. {saved}".strip(), detail=where(error))
    return errors.RunError(f"{what}. {saved} {again}".strip())
