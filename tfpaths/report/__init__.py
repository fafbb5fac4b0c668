"""`write`: one HTML page on one or several runs. No TensorFlow, and no network to read it.

Curves are matplotlib's SVG: a few kilobytes each, sharp at any size and on paper, with text that is text. A plotting
library that draws in the browser would add some megabytes of script to each page for the sake of zooming.
"""

import pathlib
from collections.abc import Sequence

from tfpaths import config, results
from tfpaths.report import page
from tfpaths.report import runs as runs_lib


def write(workdirs: Sequence[str], out: str | None = None) -> pathlib.Path:
    """Writes a report on the runs in these directories and returns its place.

    Args:
      workdirs: run directories: of runs on images, studies and figures, finished or not.
      out: the page, `….html`; by default `report.html` in the first directory.

    Raises:
      InputError: one is not the directory of a run, or `out` is no such place; nothing was written.
    """
    place = results.RunDirectory(pathlib.Path(workdirs[0]).expanduser()).report if out is None else pathlib.Path(out)
    if place.suffix.lower() not in (".html", ".htm") or place.is_dir():
        raise config.InputError(f"--out: expected a file that ends in .html, received {out!r}.")
    found = runs_lib.read(workdirs)
    results.check_place("--out" if out else "--workdir", place)
    results.write_bytes(place, page.render(found).encode())
    return place
