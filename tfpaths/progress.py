"""Progress of long work: a bar with an estimate on a terminal, a plain line now and then in a pipe or a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

# What is over within this time shows nothing, and between plain lines at least the second passes.
_DELAY_SECONDS, _LINE_SECONDS = 2.0, 30.0

Item = TypeVar("Item")


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
            print(f"{what} {done}/{total}  left {left}", flush=True)
