"""The part of a report about one kind of run.

A kind's `section(runs)` fills in the parts that it has. The page shows all sections in the same way, and adds tables of
the configs and of the protocols.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from tfpaths.runs.report import tables
from tfpaths.runs.report.charts import Chart, Plots
from tfpaths.runs.report.grids import Gallery, Grids
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.tables import Listing, Row, Table


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of a run.

    Attributes:
      run: The run.
      png: The picture.
      text: The caption below it.
    """

    run: Run
    png: bytes
    text: str


@dataclasses.dataclass(frozen=True)
class Section:
    """The section of a report about all runs of one kind. Empty parts are not shown.

    Attributes:
      heading: The title, such as `"Training runs"`.
      runs: The runs, in the order of their numbers.
      charts: Curves by step, each with all runs.
      tables: Final numbers.
      grids: The sample grids of each run.
      pictures: Pictures of the runs.
      progress: Number of a run that is not finished -> how far it is, as a sentence.
      listings: Tables that can be sorted.
      boxes: How the scores of many trials are distributed.
      scatters: Scores of many trials against the fields that were varied.
      galleries: The last sample grids of many trials.

    Example:
      >>> Section(heading="Training runs", runs=[]).parts
      {}
    """

    heading: str
    runs: Sequence[Run]
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    grids: Sequence[Grids] = ()
    pictures: Sequence[Picture] = ()
    progress: Mapping[int, str] = dataclasses.field(default_factory=dict)
    listings: Sequence[Listing] = ()
    boxes: Sequence[Plots] = ()
    scatters: Sequence[Plots] = ()
    galleries: Sequence[Gallery] = ()

    @property
    def configs(self) -> list[Row]:
        """All fields of the configs, side by side."""
        return tables.configs(self.runs)

    @property
    def protocols(self) -> list[Row]:
        """The protocols and versions of the results, side by side."""
        return tables.protocols(self.runs)

    @property
    def unfinished(self) -> list[Run]:
        """The runs without results, or with results of a part only."""
        return [run for run in self.runs if run.results is None or run.number in self.progress]

    @property
    def steps(self) -> list[int]:
        """The steps for which at least one run has a grid."""
        return sorted({grid.step for grids in self.grids for grid in grids.shown})

    @property
    def parts(self) -> dict[str, str]:
        """The parts that are not empty, in the page's order: name -> title."""
        contents = {
            ("samples", "Samples"): self.steps,
            ("pictures", "Pictures"): self.pictures,
            ("results", "Results"): [table for table in self.tables if table.rows] + self.unfinished,
            ("trials", "Trials"): self.listings,
            ("scores", "Scores by experiment"): self.boxes,
            ("fields", "Scores by field"): self.scatters,
            ("grids", "Sample grids of the trials"): self.galleries,
            ("curves", "Curves"): self.charts,
            ("configs", "Configs"): self.configs,
            ("protocol", "Protocol and versions"): self.protocols,
        }
        return {name: title for (name, title), content in contents.items() if content}
