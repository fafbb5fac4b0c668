"""The figure of instance noise: its studies, closed forms, medians, sentence and picture."""

import json
import math

import numpy as np
import pytest

from tfpaths import config, errors, experiments, schema
from tfpaths.figures import noise, runner
from tfpaths.figures.figure import Cell
from tfpaths.lines import noisy
from tfpaths.runs.rows import read_rows


def cell(variant, updates, kind, finals):
    """Returns a study of three logged steps whose runs go from d^2 = 1 to these values; None is not finite."""
    base = experiments.get(f"line1_{variant}")
    noises = {
        "off": None,
        "fixed": config.InstanceNoise(scale=0.5),
        "annealed": config.InstanceNoise(scale=0.5, schedule="linear", steps=20),
    }
    value = base.replace(
        variant=base.variant.replace(discriminator_steps=updates, instance_noise=noises[kind]),
        study=base.study.replace(runs=len(finals)),
        schedule=config.StudySchedule(steps=20, log_every=10),
    )
    rows = [
        {"run": run, "step": step, "squared_distance": distance, "rises": 0.0, "climbed": 0.0}
        for run, final in enumerate(finals)
        for step, distance in ((0, 1.0), (10, 0.5), (20, final))
    ]
    return Cell(value, rows)


def every_cell(finals):
    return [
        cell(variant, updates, kind, finals)
        for variant in ("minimax", "ns")
        for updates in (1, 5)
        for kind in ("off", "fixed", "annealed")
    ]


def test_studies_are_the_variants_with_each_noise():
    value = schema.override(experiments.get("figure_noise"), {"schedule.steps": "300", "figure.scale": "0.25"})
    studies = runner.build(value).studies(value)
    assert len(studies) == len({one.name for one in studies}) == 2 * 3 * 3
    assert [one.name for one in studies[:4]] == [
        "line1_minimax_1_off",
        "line1_minimax_1_fixed",
        "line1_minimax_1_annealed",
        "line1_minimax_5_off",
    ]
    for one in studies:
        loss, updates, kind = one.name.split("_")[1:]
        base = experiments.get(f"line1_{loss}").variant
        expected = {
            "off": None,
            "fixed": config.InstanceNoise(scale=0.25),
            "annealed": config.InstanceNoise(scale=0.25, schedule="linear", steps=300),
        }[kind]
        assert one.variant == base.replace(discriminator_steps=int(updates), instance_noise=expected)
        # As many generator updates in each, from the parallel start.
        assert (one.schedule.steps, one.study.start) == (300, "parallel")
        assert noise.noise_of(one.variant) == kind


def test_studies_have_as_many_generator_updates_whatever_the_base():
    # Elsewhere, five updates in a step make a fifth of the steps.
    texts = {"figure.studies": "line1_ns,line1_wgan_gp", "figure.discriminator_steps": "2"}
    value = schema.override(experiments.get("figure_noise"), texts)
    for one in runner.build(value).studies(value):
        assert (one.schedule.steps, one.schedule.log_every, one.variant.discriminator_steps) == (2000, 100, 2)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("figure.scale", "0", "figure.scale: expected a number above zero, received 0"),
        ("figure.sigmas", "1,1", "figure.sigmas: expected one to four numbers, each once"),
        ("figure.sigmas", "1,2,3,4,5", "figure.sigmas: expected one to four numbers, each once"),
        ("figure.discriminator_steps", "0", "figure.discriminator_steps.0: expected a number above zero, received 0"),
        ("figure.discriminator_steps", "2,2", "figure.discriminator_steps: expected numbers of updates, each once"),
        ("figure.studies", "line1_ns,line2_ns", "figure.studies: expected studies with the same study.latents"),
        ("schedule", "none", "schedule: expected a value, received none; figure_noise is drawn from studies."),
    ],
)
def test_invalid_fields_are_refused(path, text, message):
    with pytest.raises(errors.InputError) as caught:
        runner.complete(schema.override(experiments.get("figure_noise"), {path: text}))
    assert message in str(caught.value)


def test_closed_forms_are_those_of_the_line():
    rows = noise.closed_forms([0.5, 2.0])
    assert len(rows) == 2 * 61
    row = min((row for row in rows if row["sigma"] == 0.5), key=lambda row: abs(row["distance"] - 1))
    # delta = 2: 0.336831, and 1.550400 / sigma.
    assert (row["distance"], row["divergence"]) == pytest.approx((1, 0.336831), abs=6e-7)
    assert row["non_saturating_gradient"] == pytest.approx(1.550400 / 0.5, abs=2e-6)
    for row in rows:
        h = 1e-4 * row["distance"]
        at = [float(noisy.jensen_shannon((row["distance"] + side * h) / row["sigma"])) for side in (1, -1)]
        assert row["divergence_gradient"] == pytest.approx((at[0] - at[1]) / (2 * h), rel=1e-4, abs=1e-9)


def test_medians_are_over_the_finite_runs_of_the_figure():
    made = cell("ns", 5, "fixed", [0.3, 0.2, None])
    rows = noise.medians_of(made)
    assert [row["step"] for row in rows] == [0, 10, 20]
    assert rows[-1] == {
        "step": 20,
        "variant": "ns",
        "discriminator_steps": 5,
        "noise": "fixed",
        "distance_median": pytest.approx(0.25),
    }
    fewer = Cell(made.config.replace(study=made.config.study.replace(runs=1)), made.rows)
    assert noise.medians_of(fewer)[-1]["distance_median"] == pytest.approx(0.3)
    assert noise.medians_of(cell("ns", 1, "off", [None]))[-1]["distance_median"] is None


def test_metrics_and_finding():
    # Above a tenth of the first distance a run has failed.
    cells = every_cell([0.05, 0.05, 0.05, 0.5])
    cells[0] = cell("minimax", 1, "off", [0.5, 0.5, 0.5, 0.5])
    found = noise.metrics(cells)
    assert found["minimax_1_off_failed_share"] == 1
    assert found["ns_5_annealed_failed_share"] == 0.25
    assert found["ns_5_annealed_distance_median"] == pytest.approx(0.05)
    text = noise.finding(cells, 0.5)
    # At delta = 2: 2 E S(u) / sigma with E S(u) = 1 - 1.5504 / 2.
    assert "from log 2 = 0.693 to 0.337" in text
    assert f"the minimax gradient is {4 * (1 - 1.5504 / 2):.2g} instead of 0, the non-saturating one 3.1" in text
    assert "After 20 steps" in text
    assert "minimax GAN 1: 100 % / 25 % / 25 % (median d² 0.5 / 0.05 / 0.05), 5: 25 % / 25 % / 25 %" in text


def test_small_figure(whole):
    path = whole("figure_noise")
    rows = read_rows(path / "metrics.jsonl")
    medians = [row for row in rows if "noise" in row]
    assert [row["noise"] for row in medians if row["step"] == 10] == ["off", "fixed", "annealed"]
    # The parallel start is at the distance 1, and noise changes what is learned from the first step on.
    first, last = ({row["noise"]: row["distance_median"] for row in medians if row["step"] == step} for step in (0, 10))
    assert first == dict.fromkeys(first, pytest.approx(1, rel=1e-5))
    assert len(set(last.values())) == 3
    stored = json.loads((path / "results.json").read_text())
    assert stored["metrics"]["ns_1_fixed_runs"] == 3
    assert stored["protocol"]["studies"][:2] == ["line1_ns_1_off", "line1_ns_1_fixed"]


def test_lines_are_the_rows():
    cells = every_cell([0.25])
    medians = [row for each in cells for row in noise.medians_of(each)]
    medians[2]["distance_median"] = None
    above, below, *grid = noise.picture(noise.closed_forms([0.5, 2.0]), medians).axes
    assert len(grid) == 2 * 2
    line = grid[1].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [(0, 1), (10, 0.5), (20, 0.25)])
    assert math.isnan(grid[0].lines[0].get_ydata()[-1])
    assert above.lines[0].get_ydata()[-1] == pytest.approx(math.log(2))
    assert [each.get_ylabel() for each in grid[::2]] == ["minimax GAN\nmedian d²", "NS-GAN\nmedian d²"]
    # At a small |v| the two gradients are delta / 4 and delta / 2 over sigma: KL - 2 JSD tends to delta^2 / 4.
    gradients = [line.get_ydata()[0] for line in below.lines]
    assert gradients[1] / gradients[0] == pytest.approx(2, rel=0.02)
