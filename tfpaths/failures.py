"""How the command line ends when something fails: one line, the exit status, and `error.log` in the run directory."""

import datetime
import os
import pathlib
import platform
import shlex
import sys
import traceback
from collections.abc import Sequence

from tfpaths import errors, files
from tfpaths.version import __version__

_PACKAGE = pathlib.Path(__file__).resolve().parent
_STANDARD_LIBRARY = pathlib.Path(os.__file__).resolve().parent
_MEMORY = (
    "out of memory. To fix this: lower --batch_size, --num_samples, or the widths and sizes in the config; or use a "
    "machine with more memory."
)


def report(error: Exception, workdirs: Sequence[str], *, debug: bool = False) -> int:
    """Says on standard error why a mode failed, writes `error.log`, and returns the exit status.

    Invalid input, and a fault from outside, are one line. An error of the user's own code, or of this package, has its
    traceback. `error.log` has the traceback of all but invalid input.

    Args:
      error: The error that ended the mode.
      workdirs: The directories of the runs. The log is written into the first if it is a run's.
      debug: Whether the traceback of every error is shown.

    Example:
      >>> import contextlib, io
      >>> with contextlib.redirect_stderr(io.StringIO()) as err:
      ...     report(OSError(28, "No space left on device", "runs/a/results.json"), [])
      1
      >>> err.getvalue()
      'tfpaths: runs/a/results.json: No space left on device\\n'
    """
    known = _known(error)
    log = None if isinstance(known, errors.InputError) else _write_log(error, workdirs)
    if known is None or debug:
        sys.excepthook(type(error), error, error.__traceback__)
    elif detail := getattr(known, "detail", ""):
        print(detail, file=sys.stderr)
    where = "" if log is None else f" Details: {log}"
    if known is None:
        if log is not None:
            print(f"tfpaths:{where}", file=sys.stderr)
        return errors.FinalError.status
    return say(f"{str(known).rstrip('.')}.{where}" if where else known, known.status)


def say(error: object, status: int) -> int:
    """Prints one line on standard error, and returns the exit status.

    Example:
      >>> say("--seed: expected an integer.", 2)
      2
    """
    print("tfpaths:", errors.shown(" ".join(str(error).split())), file=sys.stderr)
    return status


def _known(error: Exception) -> errors.InputError | errors.RunError | None:
    """Returns an error as one whose message is a line; None for an error of the user's code or of this package."""
    if isinstance(error, errors.InputError | errors.RunError):
        return error
    if isinstance(error, MemoryError):
        return errors.FinalError(_MEMORY)
    if isinstance(error, OSError):
        if _is_of_user(error):
            return None
        return errors.RunError(f"{error.filename or 'a file'}: {error.strerror or error}")
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(error, tensorflow.errors.OpError):
        from tfpaths.runs import faults

        return faults.known(error)
    return None


def _is_of_user(error: Exception) -> bool:
    """Returns whether the user's code raised an error, itself or by calling a library.

    The innermost frame decides that is not of an installed library: it is the user's, or this package's.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        path = pathlib.Path(name).resolve()
        if _PACKAGE in path.parents:
            return False
        is_library = _STANDARD_LIBRARY in path.parents or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
        if not is_library and not name.startswith("<frozen "):
            return True
    return False


def _write_log(error: Exception, workdirs: Sequence[str]) -> pathlib.Path | None:
    """Writes the log of a failure; returns its path, or None if there is no run directory, or it cannot be written."""
    if not workdirs:
        return None
    directory = pathlib.Path(workdirs[0]).expanduser()
    if not (directory / "config.json").is_file():
        return None
    log = directory / f"error{_worker()}.log"
    lines = [
        f"{datetime.datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"command: {shlex.join(['python', *sys.orig_argv[1:]])}",
        f"tfpaths {__version__}, Python {platform.python_version()}, {platform.platform()}",
    ]
    lines += [
        f"{name} {getattr(sys.modules[name], '__version__', '')}"
        for name in ("tensorflow", "keras", "numpy")
        if name in sys.modules
    ]
    text = "".join(traceback.format_exception(error))
    detail = getattr(error, "detail", "")
    try:
        files.write_bytes(log, "\n".join([*lines, "", *([detail, ""] if detail else []), text]).encode())
    except OSError:
        return None
    return log


def _worker() -> str:
    """Returns `_worker_1` in the process of a worker that is not the chief; else an empty text."""
    from tfpaths.runs import cluster

    try:
        found = cluster.read(os.environ.get("TF_CONFIG"))
    except errors.InputError:
        return ""
    return "" if found.own == found.tasks[0] else f"_{found.own.name.replace(' ', '_')}"


def open_closed_descriptors() -> None:
    """Opens standard input, output and error on the null device where they are closed (`2>&-`).

    Otherwise the next file that is opened would become standard error, and messages would be written into it.

    Example:
      >>> open_closed_descriptors()
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one: those below it are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
