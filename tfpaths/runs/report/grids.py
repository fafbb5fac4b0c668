"""The sample grids of a run by step: PNGs, or texts; and galleries of many runs' last grids."""

import dataclasses
import io
import pathlib
import re
import warnings
from collections.abc import Sequence

import PIL.Image

from tfpaths import files
from tfpaths.runs.report.runs import Run

# The most grids of one run in a report; with more, the page would be too large to send.
MOST_GRIDS = 24
# The longer side of a small picture in pixels, and the most characters of a small text.
_SMALL, _CHARACTERS = 240, 600


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


@dataclasses.dataclass(frozen=True)
class Small:
    """A small picture of a run's last grid, or the beginning of its text.

    Attributes:
      path: The grid's file.
      step: The step.
      caption: What it is.
      jpeg: The picture; None for a text.
      text: The text; None for a picture.
    """

    path: pathlib.Path
    step: int
    caption: str
    jpeg: bytes | None = None
    text: str | None = None


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The last grids of many runs.

    Attributes:
      title: What they have in common.
      grids: The grids.
    """

    title: str
    grids: Sequence[Small]


def paths(samples: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns step -> the file of the grid, for a run's directory of samples.

    Example:
      >>> paths(pathlib.Path("missing"))
      {}
    """
    # The directory may contain other files, such as a renamed copy of a grid.
    matches = ((re.fullmatch(r"step_(\d+)\.(png|txt)", path.name), path) for path in samples.glob("*"))
    found = {int(match[1]): path for match, path in matches if match}
    return dict(sorted(found.items()))


def small(path: pathlib.Path, step: int, caption: str) -> Small | None:
    """Returns the small picture of a grid, or None if the file is not a picture.

    Args:
      path: The grid's file, see `paths`.
      step: Its step.
      caption: What it is.
    """
    content = files.read(path)
    if path.suffix == ".txt":
        return Small(path, step, caption, text=content.decode(errors="replace")[:_CHARACTERS])
    made = io.BytesIO()
    try:
        # A picture that is far larger than a grid raises an error here instead of filling the memory.
        with warnings.catch_warnings(action="error"):
            image = PIL.Image.open(io.BytesIO(content), formats=["PNG"]).convert("RGB")
    except (OSError, ValueError, SyntaxError, Warning, PIL.Image.DecompressionBombError):
        return None
    image.thumbnail((_SMALL, _SMALL), PIL.Image.Resampling.LANCZOS)
    image.save(made, format="JPEG", quality=85)
    return Small(path, step, caption, jpeg=made.getvalue())


def read(run: Run) -> Grids:
    """Reads `samples/step_*.png` and `samples/step_*.txt` of a run, at most `MOST_GRIDS` of them."""
    found = paths(run.directory.samples)
    grids = []
    for step in spread(list(found), MOST_GRIDS):
        content = files.read(found[step])
        is_text = found[step].suffix == ".txt"
        grids.append(Grid(step, text=content.decode(errors="replace")) if is_text else Grid(step, png=content))
    return Grids(run, grids, len(found))


def spread(steps: Sequence[int], most: int) -> list[int]:
    """Returns at most `most` of these steps, evenly spread, with the first and the last.

    Example:
      >>> spread([0, 1, 2, 3, 4], 3)
      [0, 2, 4]
    """
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]
