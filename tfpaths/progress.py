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


def shown(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Passes `items` on, and shows how many of `total` are done and how long the others will take."""
    if sys.stderr.isatty():
        yield from tqdm.tqdm(items, desc=what, total=total, delay=_DELAY_SECONDS, leave=False, dynamic_ncols=True)
        return
    began = said = time.perf_counter()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.perf_counter()
        if now - said >= _LINE_SECONDS and done < total:
            said = now
            left = tqdm.tqdm.format_interval((now - began) / done * (total - done))
            say(f"{what} {done}/{total}  left {left}")
