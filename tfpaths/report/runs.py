"""What a report reads of a run directory: config, rows, grids, results. Nothing of it is computed anew."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfpaths import config as config_lib
from tfpaths import results

# Grids of one run in a report; with more the page is too large to be sent to anybody.
MOST_GRIDS = 24


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as it stands in a report.

    Attributes:
      number: by which tables and curves name it, from 1.
      name: its directory's, as short as tells it from the others.
      config: the experiment as it ran.
      rows: of its `metrics.jsonl`.
      results: the content of its `results.json`, none where it is not finished.
      grids: step -> PNG, some of its sample grids.
      grids_of: how many there are.
      picture: of a figure, its PNG.
    """

    number: int
    name: str
    config: config_lib.Experiment
    rows: Sequence[Mapping[str, Any]]
    results: Mapping[str, Any] | None
    grids: Mapping[int, bytes]
    grids_of: int
    picture: bytes | None

    @property
    def kind(self) -> str:
        """`images`, `study` or `figure`."""
        if self.config.figure is not None:
            return "figure"
        return "images" if self.config.study is None else "study"

    @property
    def step(self) -> int:
        """The last step of which something is known."""
        return max([row["step"] for row in self.rows], default=0 if self.results is None else self.results["step"])

    def values(self, name: str) -> tuple[list[int], list[float]]:
        """(steps, values) of a quantity, of the rows that have it."""
        found = [(row["step"], row[name]) for row in self.rows if row.get(name) is not None]
        return [step for step, _ in found], [value for _, value in found]


def read(workdirs: Sequence[str]) -> list[Run]:
    """The runs in these directories.

    Raises:
      InputError: one is not the directory of a run, or is named twice.
    """
    places = [pathlib.Path(workdir).expanduser() for workdir in workdirs]
    known: dict[pathlib.Path, str] = {}
    for place, workdir in zip(places, workdirs, strict=True):
        if place.resolve() in known:
            raise config_lib.InputError(f"--workdir: expected each directory once, received {workdir!r} twice.")
        known[place.resolve()] = workdir
    last_parts = [place.resolve().name for place in places]
    return [
        _read(number, place, last if last_parts.count(last) == 1 else workdir)
        for number, (place, last, workdir) in enumerate(zip(places, last_parts, workdirs, strict=True), start=1)
    ]


def _read(number: int, place: pathlib.Path, name: str) -> Run:
    directory = results.RunDirectory(place)
    config = directory.known()
    # A name that a person typed beside the grids is not one of them.
    named = ((re.fullmatch(r"step_(\d+)\.png", path.name), path) for path in directory.samples.glob("step_*.png"))
    files = {int(match[1]): path for match, path in named if match}
    picture = place / "figure.png"
    return Run(
        number=number,
        name=name,
        config=config,
        rows=results.read_rows(directory.metrics),
        results=results.read_results(directory.results),
        grids={step: files[step].read_bytes() for step in spread(sorted(files), MOST_GRIDS)},
        grids_of=len(files),
        picture=picture.read_bytes() if picture.is_file() else None,
    )


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of these, evenly spread, the first and the last among them."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]
