"""A custom figure: the share of runs whose distance is still above a share of their first distance.

    python -m tfpaths.launch --import=examples.custom_figure --exp=figure_survivors --set study.runs=100

A figure is a registered class with one method, `draw`, which returns rows, a picture, numbers and a sentence. Its
studies are trained, stored and resumed without further code.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from tfpaths import config, experiments, plotting
from tfpaths.figures.figure import Cell, Drawing, Figure
from tfpaths.figures.registry import FIGURES
from tfpaths.schema import Positive


@FIGURES.register("survivors")
class Survivors(Figure):
    """The share of runs, by step, whose squared distance is above `above` times their first squared distance.

    Args:
      above: The share of the first squared distance.
      **kwargs: The argument of `Figure`: studies.
    """

    def __init__(self, *, above: Positive = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        self.above = above

    def draw(self, config: config.Figure, cells: Sequence[Cell]) -> Drawing:
        figure = matplotlib.figure.Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        rows = []
        for cell in cells:
            steps = sorted({row["step"] for row in cell.rows})
            first = {row["run"]: row["squared_distance"] for row in cell.rows if row["step"] == 0}
            for step in steps:
                at = [row for row in cell.rows if row["step"] == step]
                # None is a distance that is not finite.
                far = [
                    row["squared_distance"] is None or row["squared_distance"] > self.above * first[row["run"]]
                    for row in at
                ]
                rows.append({"step": step, "variant": cell.variant, "share": float(np.mean(far))})
            shares = [row["share"] for row in rows if row["variant"] == cell.variant]
            axes.plot(steps, shares, label=plotting.label(cell.variant), **plotting.look(cell.variant).line)
        axes.set(xlabel="step", ylabel=f"share of runs above {self.above:g} of their start", ylim=(-0.03, 1.03))
        axes.legend()
        last = {row["variant"]: row["share"] for row in rows}
        finding = "Runs still far from their data: " + ", ".join(f"{name} {share:.1%}" for name, share in last.items())
        return Drawing(rows, plotting.png(lambda: figure), last, f"{finding}.")


drawing = config.Drawing(name="survivors", studies=("line1_ns", "line1_gan_gp"))
schedule = config.StudySchedule(steps=2_000, log_every=100)
experiments.register(config.Figure(name="figure_survivors", figure=drawing, study=config.Runs(), schedule=schedule))
