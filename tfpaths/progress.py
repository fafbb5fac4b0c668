"""Progress of long work: a bar with an estimate on a terminal, a plain line now and then in a pipe or a log."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

# What is over within this time shows nothing, and between plain lines at least the second passes.
_DELAY_SECONDS, _LINE_SECONDS = 2.0, 30.0

Item = TypeVar("Item")


def say(text: str) -> None:
    """Prints a line at once. Where the reader has gone, `| head` for one, it is lost, and nothing else is."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Work of hours does not end with its reader: what it has to say is in its files.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shown(items: Iterable[Item], what: str, total: int, *, each: int = 1) -> Iterator[Item]:
    """Passes `items` on, and shows how much of the work is done and how long the rest will take.

    Args:
      items: the work, piece by piece.
      what: is counted.
      total: how many there are of it.
      each: how many a piece has; the last may have fewer.
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
