"""The numbers, the sentence and the picture, of rows by hand; and the section of a report."""

import numpy as np
import pytest

import tfpaths
from tfpaths import config, experiments
from tfpaths.perfect import drawing
from tfpaths.perfect.kind import KIND


def row(against, step, accuracy, minimax, ns):
    losses = {"d_loss": 0.5**step, "d_loss_heldout": 0.6**step}
    gradients = {"grad_minimax": minimax, "grad_ns": ns, "grad_ns_sd": None if ns is None else ns / 10}
    return {
        "against": against, "step": step, "d_accuracy": 1.0, "d_accuracy_heldout": accuracy, **losses, **gradients,
    }  # fmt: skip


ROWS = [
    *(row("control", step, 0.5, None, None) for step in (0, 10, 20)),
    row("epoch 1", 0, 0.5, 1.0, 2.0),
    row("epoch 1", 10, 0.99, 8.0, 5.0),
    row("epoch 1", 20, 1.0, 0.5, 9.0),
    *(row("epoch 3", step, 0.9, 1.0, 1.0) for step in (0, 10, 20)),
]


def test_metrics():
    found = drawing.metrics(ROWS)
    assert found["epoch_1_perfect_after"] == 10
    assert found["epoch_1_grad_minimax_fall"] == 16
    assert found["epoch_1_grad_ns_growth"] == 4.5
    assert found["epoch_1_d_loss"] == pytest.approx(0.5**20)
    assert "epoch_3_perfect_after" not in found
    assert not any(name.startswith("control_grad") for name in found)


def test_finding():
    value = experiments.get("perfect_color_mnist").replace(epochs=(1, 3), fresh=config.Fresh(steps=20))
    assert drawing.finding(value, drawing.metrics(ROWS)) == (
        "Frozen at epochs 1, 3 of color_mnist_ns: a fresh discriminator reaches 99% accuracy on held-out images after "
        "10, more than all of 20 updates and ends at 1.000, 0.900; the gradient of E log(1 - D) ends 16, 1 times below "
        "its largest row, that of -E log D at 4.5, 1 times its start. The control, training against test images: "
        "accuracy 1.000 on the images it trains on, 0.500 on held-out ones."
    )


def test_lines_are_the_rows():
    (loss, accuracy, minimax, ns) = drawing.picture(ROWS).axes
    assert [axes.get_yscale() for axes in (loss, accuracy, minimax, ns)] == ["log", "linear", "log", "linear"]
    lines = {line.get_label(): line for line in minimax.lines}
    assert set(lines) == {"epoch 1", "epoch 3"}
    np.testing.assert_allclose(lines["epoch 1"].get_xydata(), [(0, 1), (10, 8), (20, 0.5)])
    assert {line.get_label() for line in loss.lines} >= {"epoch 1", "control", "held-out images"}
    assert accuracy.get_xlim() == (0, 20)


def test_report(whole, tmp_path):
    path = tfpaths.report([str(whole)], str(tmp_path / "report.html"))
    text = path.read_text()
    assert "Fresh discriminators against frozen generators" in text
    assert "Frozen at epochs 1, 2 of color_mnist_ns" in text
    assert "epoch_1_d_accuracy_heldout" in text or "epoch 1" in text


def test_progress():
    from tfpaths.perfect import report
    from tfpaths.runs.directory import RunDirectory
    from tfpaths.runs.report.runs import Run

    run = Run(1, "a", RunDirectory("a"), experiments.get("perfect_color_mnist"), ROWS[:4], None)
    assert report.progress(run) == "2 of 4 fresh discriminators are trained, the control among them."


def test_changes_reach_the_game():
    value = KIND.changed(experiments.get("perfect_cifar10"), ["seed=3", "schedule.batch_size=8", "fresh.steps=7"])
    assert (value.seed, value.base.seed, value.base.schedule.batch_size, value.fresh.steps) == (3, 3, 8, 7)
