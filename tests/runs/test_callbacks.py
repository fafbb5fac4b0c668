"""Callbacks: TensorBoard, progress, profiles."""

import io
import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same_run
from helpers import saving_toy as toy

from tfpaths.gan import GAN
from tfpaths.runs import callbacks, rows, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    training.train(toy(), path)
    return path


def test_tensorboard_has_the_rows_and_grids(finished):
    (file,) = (finished / "tensorboard").iterdir()
    scalars, pictures = {}, {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            if value.tag == "samples":
                pictures[event.step] = value.tensor.string_val[2]
            elif not value.tag.startswith("_hparams_"):
                scalars[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for row in rows.read_rows(finished / "metrics.jsonl"):
        for name in set(row) - {"step"}:
            np.testing.assert_allclose(scalars[name, row["step"]], row[name], rtol=1e-6)
    for step, png in pictures.items():
        written = tf.io.decode_png((finished / "samples" / f"step_{step:08d}.png").read_bytes())
        np.testing.assert_array_equal(tf.io.decode_png(png), written)
    assert set(pictures) == {0, 2, 4}


def test_progress_is_a_line_for_each_row(tmp_path, capsys):
    training.train(toy(schedule__log_every="2"), tmp_path)
    device, *lines = capsys.readouterr().out.splitlines()
    assert device.startswith("Computing on ")
    of_run = rows.read_rows(tmp_path / "metrics.jsonl")
    assert len(lines) == len(of_run) == 2
    for line, row in zip(lines, of_run, strict=True):
        numbers = "  ".join(
            [
                f"D {row['discriminator_loss']:.3f}",
                f"G {row['generator_loss']:.3f}",
                f"penalty {row['penalty']:.3f}",
                f"examples/s {row['examples_per_second']:.0f}",
            ]
        )
        assert re.fullmatch(rf"step {row['step']}/4  {re.escape(numbers)}  left \d\d:\d\d", line)


def test_progress_on_a_terminal_is_a_bar(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            return 2

    class Game:
        step = 4
        reported = {"loss": "L"}  # noqa: RUF012

    terminal = Terminal()
    monkeypatch.setattr(callbacks.os, "get_terminal_size", lambda _: callbacks.os.terminal_size((0, 0)))
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = callbacks.Progress(8)
    progress.set_model(Game())
    progress.on_train_begin()
    progress.row({"step": 4, "loss": 0.25, "examples_per_second": 10.0})
    progress.close()
    assert re.search(r"50%.*4/8.*L=0\.250, examples/s=10", terminal.getvalue())
    # Standard output is no terminal here, and gets its line too.
    assert capsys.readouterr().out.startswith("step 4/8  L 0.250  examples/s 10  left ")


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_profile_names_the_steps_parts_and_changes_nothing(tmp_path, steps_per_execution):
    value = toy(schedule__steps="8", schedule__steps_per_execution=str(steps_per_execution))
    training.train(value, tmp_path / "plain")
    training.train(value, tmp_path / "traced", profile=True)
    assert_same_run(tmp_path / "plain", tmp_path / "traced")
    (trace,) = (tmp_path / "traced" / "tensorboard").glob("plugins/profile/*/*.xplane.pb")
    content = trace.read_bytes()
    assert b"update_discriminator/dragan_penalty" in content
    assert b"update_generator" in content
    assert not list((tmp_path / "plain" / "tensorboard").glob("plugins/**/*.pb"))


def test_profile_of_a_short_run_gives_a_warning(tmp_path, caplog):
    training.train(toy(schedule__steps="2"), tmp_path / "short", profile=True)
    assert "--profile: nothing was traced" in caplog.text


@pytest.mark.parametrize("executed", [1, 2])
def test_the_step_is_read_once_a_call_of_fit_and_not_after_each_execution(executed, tmp_path, monkeypatch):
    read, reads = GAN.step.fget, []
    monkeypatch.setattr(GAN, "step", property(lambda gan: reads.append(1) or read(gan)))
    counts = []
    for steps in ("12", "24"):
        wanted = toy(
            schedule__steps=steps,
            schedule__steps_per_execution=str(executed),
            schedule__log_every="12",
            schedule__sample_every="12",
            schedule__checkpoint_every="12",
        )
        training.train(wanted, tmp_path / steps)
        counts.append(len(reads))
        reads.clear()
    # Twice as many steps have one row, grid and checkpoint more, of which the checkpoint reads the step.
    assert counts[1] - counts[0] == 1
