"""Progress of long work: a bar with an estimate on a terminal, a plain line every 30 seconds in a pipe or a log."""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

from tfpaths import errors

# Work of less than `_DELAY_SECONDS` shows no bar; plain lines are at least `_LINE_SECONDS` apart.
_DELAY_SECONDS, _LINE_SECONDS = 2.0, 30.0

Item = TypeVar("Item")


def say(text: str) -> None:
    """Prints a text and flushes it; control characters are escaped.

    If standard output was closed (`| head`), or cannot be written to, the program continues without it.

    Example:
      >>> say("step 500/1500")
      step 500/1500
    """
    try:
        print(errors.shown(text), flush=True)
    except OSError:
        # Long work must not stop because nobody reads its output: its results are in files.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leave_terminal() -> None:
    """Sends output to the null device instead of a terminal that is gone; writing to it would be an error.

    Example: see `tfpaths.runs.signals.StopOnSignal`.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode):
                os.dup2(null, number)
    os.close(null)


def shown(items: Iterable[Item], what: str, total: int, *, each: int = 1) -> Iterator[Item]:
    """Yields `items`, and shows how much is done and how long the rest will take.

    Args:
      items: The pieces of work, such as batches.
      what: What is counted, such as `"images"`.
      total: The count over all pieces.
      each: The count of one piece; the last piece may have fewer.

    Example:
      >>> list(shown(["batch 0", "batch 1", "batch 2"], "images", total=10, each=4))
      ['batch 0', 'batch 1', 'batch 2']
    """
    if sys.stderr.isatty():
        with tqdm.tqdm(desc=what, total=total, delay=_DELAY_SECONDS, leave=False, dynamic_ncols=True) as bar:
            for item in items:
                yield item
                bar.update(min(each, total - bar.n))
        return
    start = last_line = time.perf_counter()
    for pieces, item in enumerate(items, start=1):
        yield item
        done = min(pieces * each, total)
        now = time.perf_counter()
        if now - last_line >= _LINE_SECONDS and done < total:
            last_line = now
            left = tqdm.tqdm.format_interval((now - start) / done * (total - done))
            say(f"{what} {done}/{total}  left {left}")
