"""The sample grids of a run by step: PNGs, or texts."""

import dataclasses
import re
from collections.abc import Sequence

from tfpaths import files
from tfpaths.runs.report.runs import Run

# The most grids of one run in a report; with more, the page would be too large to send.
MOST_GRIDS = 24


@dataclasses.dataclass(frozen=True)
class Grid:
    """The samples of one step: a PNG or a text.

    Attributes:
      step: The step.
      png: The picture; None for a text.
      text: The text; None for a picture.
    """

    step: int
    png: bytes | None = None
    text: str | None = None


@dataclasses.dataclass(frozen=True)
class Grids:
    """The sample grids of one run.

    Attributes:
      run: The run.
      shown: The grids in the report, by step.
      total: The number of grids of the run.
    """

    run: Run
    shown: Sequence[Grid]
    total: int


def read(run: Run) -> Grids:
    """Reads `samples/step_*.png` and `samples/step_*.txt` of a run, at most `MOST_GRIDS` of them."""
    # The directory may contain other files, such as a renamed copy of a grid.
    matches = ((re.fullmatch(r"step_(\d+)\.(png|txt)", path.name), path) for path in run.directory.samples.glob("*"))
    paths = {int(match[1]): path for match, path in matches if match}
    grids = []
    for step in spread(sorted(paths), MOST_GRIDS):
        content = files.read(paths[step])
        is_text = paths[step].suffix == ".txt"
        grids.append(Grid(step, text=content.decode(errors="replace")) if is_text else Grid(step, png=content))
    return Grids(run, grids, len(paths))


def spread(steps: Sequence[int], most: int) -> list[int]:
    """Returns at most `most` of these steps, evenly spread, with the first and the last.

    Example:
      >>> spread([0, 1, 2, 3, 4], 3)
      [0, 2, 4]
    """
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]
