"""The whole experiment at toy size: its files, its numbers, the control, a restart, and what is refused."""

import json
import shutil
import sys

import numpy as np
import pytest
from helpers import finish, launch_here, refused, start, wait_for

from tfpaths import config, data, errors, experiments, kinds, schema
from tfpaths.perfect import drawing, runner
from tfpaths.runs import rows as rows_lib
from tfpaths.runs import training

FLAGS = ["--exp=perfect_color_mnist"]


def read(path):
    return rows_lib.read_rows(path / "metrics.jsonl")


def test_rows(whole):
    rows = read(whole)
    steps = {name: [row["d_step"] for row in own] for name, own in drawing.by_comparison(rows).items()}
    assert steps == {name: [0, 2, 4, 6] for name in ("epoch 1", "epoch 2", "control")}
    assert [row["epochs"] for row in rows[::4]] == [None, 1, 2]
    for row in rows:
        assert 0 <= row["d_accuracy"] <= 1
        assert row["d_loss_heldout"] > 0
        assert (row["grad_ns"] is None) == (row["against"] == "control")
    # The same discriminator at its start is another one for each generator.
    assert len({row["d_loss"] for row in rows if row["step"] == 0}) == 3


def test_game_is_an_ordinary_run_of_whole_epochs(whole):
    images = data.of(config.Data(name="color_mnist")).load("train", source="embedded").size
    stored = json.loads((whole / "results.json").read_text())
    expected = {f"steps_of_epoch_{epochs}": epochs * images // 64 for epochs in (1, 2)}
    assert {name: stored["protocol"][name] for name in expected} == expected
    assert json.loads((whole / "run" / "config.json").read_text())["kind"] == "training"
    saved = sorted(path.stem for path in (whole / "run" / "checkpoints").glob("*.index"))
    assert {f"step-{count}" for count in expected.values()} <= set(saved)


def test_results_and_finding(whole):
    stored, rows = json.loads((whole / "results.json").read_text()), read(whole)
    assert stored["metrics"] == drawing.metrics(rows)
    assert stored["finding"].startswith("Frozen at epochs 1, 2 of color_mnist_ns: a fresh discriminator reaches 99% ")
    assert (whole / "figure.png").stat().st_size > 5_000


def test_restart_measures_the_same(small, whole, tmp_path, monkeypatch):
    # As after a kill during the last fresh discriminator: its rows are not there, and the game is trained.
    copy = shutil.copytree(whole, tmp_path / "copy")
    before = read(whole)
    rows_lib.rewrite_rows(copy / "metrics.jsonl", before[:-4])
    (copy / "results.json").unlink()
    compared, calls = runner._compared, []
    monkeypatch.setattr(
        runner, "_compared", lambda config, one, *rest: calls.append(one) or compared(config, one, *rest)
    )
    outcome = runner.run(small(), copy)
    assert calls == [2]
    assert read(copy) == before
    assert outcome.message("again").startswith("Frozen at epochs 1, 2")
    # A finished experiment trains nothing.
    monkeypatch.setattr(training, "train", None)
    runner.run(small(), copy)
    assert calls == [2]


@pytest.mark.slow
def test_a_kill_loses_only_the_discriminator_in_progress(changes, whole, tmp_path):
    texts = [f"--set={path}={text}" for path, text in changes.items()]
    command = [sys.executable, "-m", "tfpaths.launch", *FLAGS, *texts, f"--workdir={tmp_path}"]
    process = start(command)
    # The control is measured, and the game trains or its discriminators do.
    wait_for(tmp_path / "metrics.jsonl", process)
    first = (tmp_path / "metrics.jsonl").read_bytes()
    process.kill()
    process.communicate()
    finish(command)
    assert (tmp_path / "metrics.jsonl").read_bytes().startswith(first)
    assert read(tmp_path) == read(whole)
    assert json.loads((tmp_path / "results.json").read_text())["metrics"] == drawing.metrics(read(whole))


def test_control_holds_out_images_that_it_does_not_train_on(small):
    splits = runner._splits(small(), None)
    pairs = runner._control(30, 64, 0, splits)
    size = min(split.size for split in splits)
    seen = [{image.tobytes() for image in np.asarray(side)} for side in pairs.heldout]
    for which, batches in enumerate((pairs.real, (pairs.fake(number) for number in range(100)))):
        trained = set()
        for _ in range(2 * size // 64):
            trained |= {image.tobytes() for image in next(batches).numpy()}
        whole_split = splits[which].some(0, size).numpy()
        assert trained == {image.tobytes() for image in whole_split[30:]}
        assert seen[which] == {image.tobytes() for image in whole_split[:30]}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--set=epochs=2,1"], "epochs: expected numbers, each larger than the one before, received (2, 1)"),
        (["--set=epochs=0"], "epochs.0: expected "),
        (["--set=fresh.batches=1"], "fresh.batches: expected a number of at least 2, received 1"),
        (["--set=fresh.stps=1"], "fresh.stps: unknown field 'stps'; did you mean 'steps'"),
        (["--set=variant.loss=hinge"], "base.variant.loss: expected minimax or non_saturating"),
        (["--set=variant.weight_clip=0.1"], "base.variant.weight_clip: expected none, received 0.1"),
        (["--set=variant.instance_noise.scale=0.1"], "base.variant.instance_noise: expected none, received 0.1"),
        (["--steps=5"], "schedule.steps: perfect_color_mnist trains for whole epochs"),
        (["--strategy=mirrored"], "--strategy: perfect_color_mnist trains on one device"),
        (["--sweep=seed=1,2"], "--sweep: perfect_color_mnist is an experiment with fresh discriminators; expected a"),
        (["--profile"], "--profile: perfect_color_mnist is an experiment with fresh discriminators; only training"),
    ],
)
def test_invalid_flags_are_one_line(flags, message, tmp_path):
    path = tmp_path / "new"
    assert message in refused(launch_here(*FLAGS, *flags, f"--workdir={path}"))
    assert not path.exists()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"schedule__batch_size": "1000"}, "base.schedule.batch_size: expected at most the "),
        ({"variant__discriminator_steps": "50"}, "epochs: expected epochs of at least one step, received 1"),
    ],
)
def test_what_the_data_do_not_allow(texts, message, small, tmp_path):
    with pytest.raises(errors.InputError, match=f"^{message}"):
        runner.run(small(**texts), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_data_without_a_test_split(small, tmp_path, monkeypatch):
    monkeypatch.setattr(type(data.of(config.Data(name="color_mnist"))), "known_splits", lambda self: ("train",))
    with pytest.raises(errors.InputError, match="^base.data: expected a data set with a test split, received 'color_"):
        runner.run(small(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_another_experiment_is_refused(small, whole):
    with pytest.raises(errors.InputError, match="holds another experiment: fresh.steps is 6 there and 8 here"):
        runner.run(small(fresh__steps="8"), whole)


def test_steps_of_whole_executions():
    base = experiments.get("color_mnist_ns")
    base = base.replace(schedule=base.schedule.replace(batch_size=10, steps_per_execution=4, steps=400))
    assert [runner.steps_of(base, epochs, 130) for epochs in (1, 2, 3)] == [12, 24, 36]


@pytest.mark.parametrize("name", ["perfect_color_mnist", "perfect_cifar10"])
def test_round_trip(name):
    kind = kinds.of(experiments.get(name))
    value = kind.complete(experiments.get(name))
    assert config.from_dict(schema.to_dict(value)) == value
    assert kind.complete(value) == value
