"""The rises figure: statistics of runs that end near equilibrium."""

import numpy as np
import pytest

from tfpaths import experiments, schema
from tfpaths.figures import rises, runner
from tfpaths.figures.figure import Cell


@pytest.fixture
def measured(monkeypatch):
    """Path angles of 3 runs at each place of the way; the third is not finite at the last two."""
    cosines = np.linspace(1.0, -1.0, len(rises._SHARES))[:, np.newaxis] + [[0.0, -0.2, 0.1]]
    cosines[-2:, 2] = np.nan
    monkeypatch.setattr(rises.path_angle, "path_angles", lambda config, runs, shares: cosines[:, :runs])
    return cosines


def test_statistics_of_runs_that_end_near_equilibrium(small, measured):
    cells = []
    for name, ends in (("line1_ns", (0.2, 0.1, 3.0)), ("line1_gan_gp", (3.0, 2.0, None))):
        rows = []
        for run, end in enumerate(ends):
            is_lost = end is None
            rows += [
                {"run": run, "step": 0, "squared_distance": 4.0, "rises": 0.0, "climbed": 0.0},
                {"run": run, "step": 9, "squared_distance": end, "rises": None if is_lost else 0.1 * (run + 1)}
                | {"climbed": None if is_lost else 0.38},
            ]
        cells.append(Cell(schema.override(experiments.get(name), {"study.runs": "3"}), rows))
    value = small("figure_paths")
    drawing = runner.build(value).draw(value, cells)
    paths, angles = drawing.rows[:6], drawing.rows[6:]
    assert [row["near"] for row in paths] == [True, True, False, False, False, False]
    assert [row["share"] for row in angles] == [*rises._SHARES] * 2
    assert angles[0]["median"] == pytest.approx(0.9)
    assert angles[24]["median"] == pytest.approx(-1.1)
    assert drawing.metrics["ns_angle_0.9"] == pytest.approx(np.median(measured[18, :2]))
    assert drawing.metrics["gan_gp_angle_1.1"] == pytest.approx(np.median(measured[22, :2]))
    assert (
        "NS-GAN: the cosine of field and way is -0.60 at 0.9 of the way to the end, and -0.93 at 1.1" in drawing.finding
    )
    assert drawing.metrics["ns_near_runs"] == 2
    assert drawing.metrics["gan_gp_near_runs"] == 0
    # Both of NS-GAN's runs that end near rose before.
    assert drawing.metrics["ns_rose_arriving_share"] == 1
    assert not [name for name in drawing.metrics if name.startswith("gan_gp_rises")]
    assert drawing.metrics["ns_rises_50"] == drawing.metrics["ns_rises_arriving_50"] == pytest.approx(0.15)
    assert drawing.metrics["ns_climbed_95"] == pytest.approx(0.1 - 0.05 * (0.1 - 0.38 / 3.9))
    assert "NS-GAN, 10,000 steps: on 15 % (10.5 % to 19.5 %) of the steps up to its arrival" in drawing.finding
    assert "GAN-GP, 10,000 steps: no run ended there" in drawing.finding
