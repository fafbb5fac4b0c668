"""Progress of long work: a bar with an estimate on a terminal, a plain line every 30 seconds in a pipe or a log."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

# Work shorter than the first shows nothing; plain lines are at least the second apart.
_DELAY_SECONDS, _LINE_SECONDS = 2.0, 30.0

Item = TypeVar("Item")


def say(text: str) -> None:
    """Prints a line and flushes it. If the reader is gone (`| head`), the line is lost and the program continues."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Long work does not end with its reader: its results are in files.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shown(items: Iterable[Item], what: str, total: int, *, each: int = 1) -> Iterator[Item]:
    """Yields `items`, and shows how much is done and how long the rest will take.

    Args:
      items: The pieces of work.
      what: What is counted, such as `"images"`.
      total: How many there are in all.
      each: How many one piece has; the last may have fewer.
    """
    if sys.stderr.isatty():
        with tqdm.tqdm(desc=what, total=total, delay=_DELAY_SECONDS, leave=False, dynamic_ncols=True) as bar:
            for item in items:
                yield item
                bar.update(min(each, total - bar.n))
        return
    began = said = time.perf_counter()
    for pieces, item in enumerate(items, start=1):
        yield item
        done = min(pieces * each, total)
        now = time.perf_counter()
        if now - said >= _LINE_SECONDS and done < total:
            said = now
            left = tqdm.tqdm.format_interval((now - began) / done * (total - done))
            say(f"{what} {done}/{total}  left {left}")
