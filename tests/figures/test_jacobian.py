"""The figure of the game's Jacobian: rows, medians, sentence, and what is refused."""

import json

import numpy as np
import pytest

from tfpaths import errors, experiments, plotting, schema
from tfpaths.figures import jacobian, runner, spectra
from tfpaths.runs.rows import read_rows


def row(run, **values):
    base = {
        "step": 4,
        "variant": "ns",
        "run": run,
        "dimension": 2,
        "sigma": 0.0,
        **dict.fromkeys(jacobian._ALWAYS, 1.0),
    }
    return base | values


def test_rows_and_metrics(whole):
    path = whole("figure_jacobian")
    rows = read_rows(path / "metrics.jsonl")
    stored = json.loads((path / "results.json").read_text())
    linear = [one for one in rows if "direction" in one]
    # R1 with gamma = 1 and NS-GAN have a pair along and one aside.
    assert [(one["variant"], one["direction"]) for one in linear[::2]] == [
        ("r1_gamma_1", "along"),
        ("r1_gamma_1", "aside"),
        ("ns", "along"),
        ("ns", "aside"),
    ]
    assert stored["metrics"]["linear_largest_difference"] < 1e-4
    # The generator is pushed by half of the slope, and D, without a penalty, not at all.
    rests = [one for one in rows if "push_discriminator" in one]
    for one in rests:
        assert one["push_discriminator"] == pytest.approx(0, abs=1e-6)
        assert one["push_generator"] == pytest.approx(one["slope"] / 2)
    trained = [one for one in rows if "run" in one]
    assert [(one["variant"], one["step"], one["run"]) for one in trained if one["dimension"] == 2] == [
        ("ns", step, run) for step in (2, 4) for run in (0, 1)
    ]
    # D: 2 * 3 + 3 + 3 * 3 + 3 + 3 + 1 = 25 parameters; the generator in the plane: 2 + 2.
    assert {len(one["eigenvalues"]) for one in trained if one["dimension"] == 2} == {29}
    last = [one for one in trained if one["step"] == 4]
    tops = [max(real for real, _ in one["eigenvalues"]) for one in last]
    assert stored["metrics"]["ns_d2_step_4_largest_real"] == pytest.approx(np.median(tops))
    for one in last:
        assert 0 < one["displacement"] <= one["path"] + 1e-6
        assert one["mean_slope"] <= one["slope"] * (1 + 1e-6)
    assert stored["finding"].startswith(
        "With a linear discriminator the real players have the eigenvalues of the formula"
    )
    assert "NS-GAN: " in stored["finding"]


def test_medians_by_hand():
    values = [
        row(0, one_way=0.2, displacement=0.1, largest_real=2.0, eigenvalues=[]),
        row(1, one_way=1.0, displacement=0.7, largest_real=0.0, eigenvalues=[]),
        row(2, one_way=0.9, displacement=0.5, largest_real=-1.0, eigenvalues=[]),
        row(0, one_way=0.5, dimension=8),
    ]
    metrics = jacobian.trained_metrics(values)
    assert metrics["ns_d2_step_4_largest_real"] == 0
    assert metrics["ns_d2_step_4_unstable_runs"] == pytest.approx(1 / 3)
    assert metrics["ns_d2_step_4_cancelling_runs"] == pytest.approx(1 / 3)
    assert metrics["ns_d2_step_4_cancelling_displacement"] == pytest.approx(0.1)
    assert metrics["ns_d2_step_4_other_displacement"] == pytest.approx(0.6)
    assert metrics["ns_d8_step_4_one_way"] == 0.5
    assert "ns_d8_step_4_unstable_runs" not in metrics
    text = jacobian.finding(metrics, ["ns", "gan_gp"], 4, (2, 8))
    assert "NS-GAN: 0 (33.3 % of runs above zero)" in text
    assert "GAN-GP: no run is finite" in text


def test_no_formula_and_no_finite_run_are_drawn():
    # Without rows of a linear discriminator with a formula, and without a finite run.
    rests = [
        {"variant": "wgan_gp", "slope": slope, "push_discriminator": 1.0, "push_generator": 0.0} for slope in (0, 1)
    ]
    assert plotting.png(spectra.picture, [], rests, []).startswith(b"\x89PNG")
    assert jacobian.linear_metrics([]) == {}
    assert jacobian.finding({}, ["wgan_gp"], 1, (2,)).endswith("WGAN-GP: no run is finite.")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("figure.steps", "10,5", "figure.steps: expected steps in rising order, received [10, 5]"),
        ("figure.steps", "", "figure.steps: expected steps in rising order, received []"),
        ("figure.studies", "cifar10_ns", "figure.studies: expected names of studies on lines, received 'cifar10_ns'"),
        ("figure.studies", "line1_nss", "figure.studies: unknown experiment 'line1_nss'; did you mean"),
        ("figure.other_dimensions", "1", "figure.other_dimensions.0: expected a number of at least 2, received 1"),
        ("figure.activation", "relu", "figure.activation: expected"),
        ("study.runs", "5", "study: figure_jacobian is not drawn from studies and has no 'study'."),
    ],
)
def test_invalid_options_are_refused(path, text, message):
    with pytest.raises(errors.InputError) as caught:
        runner.complete(schema.override(experiments.get("figure_jacobian"), {path: text}))
    assert message in str(caught.value)
