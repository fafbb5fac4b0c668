"""Whole runs at toy size: what they leave behind, and that stopping changes nothing."""

import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import callbacks, checkpoints, config, experiments, results, streams, training
from tfpaths.gan import GAN

TOY = {
    "data.source": "embedded",
    "networks.generator_filters": "4",
    "networks.discriminator_filters": "4",
    "schedule.batch_size": "8",
    "schedule.steps": "4",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "schedule.checkpoint_every": "2",
    "evaluation.metrics": "none",
}


def toy(name="color_mnist_dragan_ns", **texts):
    return config.override(experiments.get(name), TOY | {key.replace("__", "."): text for key, text in texts.items()})


def state(path):
    """Every number of the newest checkpoint; its rows, which say how fast they were made, and its config are texts."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(path / "checkpoints")))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("_CHECKPOINTABLE", "save_counter", "rows/", "config/"))
    }


def assert_same_run(one, other):
    """The same weights, optimisers, pictures and rows. Of two steps in one execution only the second has a row."""
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)
    rows = [
        [
            {k: v for k, v in row.items() if k != "examples_per_second"}
            for row in results.read_rows(path / "metrics.jsonl")
        ]
        for path in (one, other)
    ]
    shared = {row["step"] for row in rows[1]}
    assert [row for row in rows[0] if row["step"] in shared] == rows[1]
    assert rows[0][-1] == rows[1][-1]
    for picture in (one / "samples").iterdir():
        assert picture.read_bytes() == (other / "samples" / picture.name).read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    return path, training.train(toy(), path)


def test_a_run_leaves_what_the_contract_says(finished):
    path, run = finished
    assert (run.start, run.step, run.stopped_by) == (0, 4, None)
    stored = config.from_dict(json.loads((path / "config.json").read_text()))
    assert stored == toy()
    rows = results.read_rows(path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert set(rows[0]) == {"step", *GAN.reported, "examples_per_second"}
    assert sorted(p.name for p in (path / "samples").iterdir()) == [f"step_{s:08d}.png" for s in (0, 2, 4)]
    picture = tf.io.decode_png((path / "samples" / "step_00000004.png").read_bytes())
    assert picture.shape == (8 * 30 + 2, 8 * 30 + 2, 3)
    assert len(list((path / "tensorboard").iterdir())) == 1
    written = json.loads((path / "results.json").read_text())
    assert (written["experiment"], written["step"], written["seed"]) == ("color_mnist_dragan_ns", 4, 0)
    assert written["protocol"]["data_source"] == "embedded"
    assert written["versions"]["tensorflow"] == tf.__version__
    assert written["metrics"] == {name: rows[-1][name] for name in GAN.reported}


def test_tensorboard_holds_the_same_numbers_and_grids(finished):
    path, _ = finished
    (file,) = (path / "tensorboard").iterdir()
    scalars, pictures = {}, {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            if value.tag == "samples":
                pictures[event.step] = value.tensor.string_val[2]
            elif not value.tag.startswith("_hparams_"):
                scalars[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for row in results.read_rows(path / "metrics.jsonl"):
        for name in set(row) - {"step"}:
            np.testing.assert_allclose(scalars[name, row["step"]], row[name], rtol=1e-6)
    for step, png in pictures.items():
        own = tf.io.decode_png((path / "samples" / f"step_{step:08d}.png").read_bytes())
        np.testing.assert_array_equal(tf.io.decode_png(png), own)
    assert set(pictures) == {0, 2, 4}


def test_the_same_seed_gives_the_same_run(finished, tmp_path):
    training.train(toy(), tmp_path / "again")
    assert_same_run(finished[0], tmp_path / "again")
    training.train(toy(seed="1"), tmp_path / "other")
    first, other = state(finished[0]), state(tmp_path / "other")
    assert any(np.any(other[name] != value) for name, value in first.items())


@pytest.mark.parametrize("steps_per_execution", ["1", "2"])
def test_two_and_two_steps_are_four(finished, tmp_path, steps_per_execution):
    training.train(toy(schedule__steps="2"), tmp_path / "run")
    run = training.train(toy(schedule__steps_per_execution=steps_per_execution), tmp_path / "run")
    assert (run.start, run.step) == (2, 4)
    assert_same_run(finished[0], tmp_path / "run")


def test_several_discriminator_steps_resume_at_the_right_batch(tmp_path):
    name = "stacked_mnist_wgan_gp"
    training.train(toy(name), tmp_path / "whole")
    training.train(toy(name, schedule__steps="2"), tmp_path / "parts")
    training.train(toy(name), tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_a_profile_changes_nothing_and_names_the_parts_of_the_step(tmp_path, steps_per_execution):
    value = toy(schedule__steps="8", schedule__steps_per_execution=str(steps_per_execution))
    training.train(value, tmp_path / "plain")
    training.train(value, tmp_path / "traced", profile=True)
    assert_same_run(tmp_path / "plain", tmp_path / "traced")
    (trace,) = (tmp_path / "traced" / "tensorboard").glob("plugins/profile/*/*.xplane.pb")
    content = trace.read_bytes()
    assert b"update_discriminator/dragan_penalty" in content
    assert b"update_generator" in content
    assert not list((tmp_path / "plain" / "tensorboard").glob("plugins/**/*.pb"))


def test_a_run_too_short_for_a_profile_says_so(tmp_path, caplog):
    training.train(toy(schedule__steps="2"), tmp_path / "short", profile=True)
    assert "--profile: nothing was traced" in caplog.text


def test_a_finished_run_is_left_as_it_is(finished):
    path, _ = finished
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    run = training.train(toy(), path)
    assert (run.start, run.step) == (4, 4)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert "Nothing to do" in training.farewell(run, "again")


def test_auto_goes_on_with_the_source_that_the_run_has(finished):
    path, _ = finished
    assert training.train(toy(data__source="auto"), path).step == 4
    assert json.loads((path / "config.json").read_text())["data"]["source"] == "embedded"


def test_rows_after_the_last_checkpoint_are_written_once(finished, tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    # As a kill after step 3, and within the writing of a row, leaves them.
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "penalty": 0.5}\n{"step": 4, "pena')
    training.train(toy(), tmp_path)
    assert [row["step"] for row in results.read_rows(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]
    assert_same_run(finished[0], tmp_path)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(finished, tmp_path, caplog):
    training.train(toy(), tmp_path)
    data = tmp_path / "checkpoints" / "step-4.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    run = training.train(toy(), tmp_path)
    assert (run.start, run.step) == (2, 4)
    assert "step-4 is damaged" in caplog.text
    assert_same_run(finished[0], tmp_path)


def test_checkpoints_that_are_all_damaged_end_the_run(tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    with pytest.raises(checkpoints.DamagedCheckpointError, match="none of the checkpoints"):
        training.train(toy(), tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_from_there(finished, tmp_path, number, monkeypatch, capfd):
    write = callbacks.Rows.act

    def act(self, step, logs):
        write(self, step, logs)
        if step == 3:
            signal.raise_signal(number)

    before = signal.getsignal(number)
    monkeypatch.setattr(callbacks.Rows, "act", act)
    run = training.train(toy(), tmp_path)
    monkeypatch.undo()
    assert signal.getsignal(number) is before
    assert (run.step, run.stopped_by) == (3, number)
    assert not (tmp_path / "results.json").exists()
    text = training.farewell(run, "python -m tfpaths.launch --exp=toy")
    assert f"Stopped by {number.name} at step 3" in text
    assert "python -m tfpaths.launch --exp=toy" in text
    assert "Stopping after this step" in capfd.readouterr().err
    training.train(toy(), tmp_path)
    assert_same_run(finished[0], tmp_path)


def test_nan_ends_the_run_with_the_step_and_the_quantity(tmp_path, monkeypatch):
    nan = config.override(toy(), {"variant.generator_optimizer.learning_rate": "1e30"})
    with pytest.raises(checkpoints.NotFiniteError, match=r"(loss|penalty) is (nan|inf|-inf) at step \d") as caught:
        training.train(nan, tmp_path)
    assert "\n" not in str(caught.value)
    # A row that is not JSON would break every reader of the file.
    assert all(np.isfinite(list(row.values())).all() for row in results.read_rows(tmp_path / "metrics.jsonl"))


def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(config.InputError, match="from 1 to the 1200 examples"):
        training.train(toy(schedule__batch_size="1438"), tmp_path / "run")
    with pytest.raises(config.InputError, match="unknown loss"):
        training.train(toy(variant__loss="minmax"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_steps_per_execution_must_divide_what_is_left(tmp_path):
    training.train(toy(schedule__steps="3"), tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(config.InputError, match="divisor of the 1 steps that are left, received 2"):
        training.train(toy(schedule__steps_per_execution="2"), tmp_path)
    assert (tmp_path / "config.json").read_bytes() == before
    assert training.train(toy(), tmp_path).step == 4


@pytest.mark.parametrize("what", ["*", "*.index"])
def test_a_run_without_its_checkpoints_is_not_begun_anew(tmp_path, what):
    training.train(toy(), tmp_path)
    for file in (tmp_path / "checkpoints").glob(what):
        file.unlink()
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(config.InputError, match="expected a checkpoint beside the rows .* step 4; found none"):
        training.train(toy(), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_kill_before_the_first_checkpoint_begins_anew(finished, tmp_path):
    results.write_json(tmp_path / "config.json", config.to_dict(toy()))
    results.append_row(tmp_path / "metrics.jsonl", {"step": 1, "penalty": 0.0})
    training.train(toy(), tmp_path)
    assert_same_run(finished[0], tmp_path)


def test_weights_that_are_not_finite_take_no_checkpoints_place(tmp_path, monkeypatch):
    training.train(toy(schedule__steps="2"), tmp_path)
    step = GAN.train_step

    def poisoned(self, *batches):
        values = step(self, *batches)
        self.generator.trainable_variables[0].assign(float("nan") * self.generator.trainable_variables[0])
        return values

    # No row, which would notice NaN losses, comes before the checkpoint at step 4.
    monkeypatch.setattr(GAN, "train_step", poisoned)
    quiet = toy(schedule__steps="20", schedule__log_every="20", schedule__sample_every="20")
    with pytest.raises(checkpoints.NotFiniteError, match=r"kernel is not finite at step 4\. The last good .*: step 2"):
        training.train(quiet, tmp_path)
    monkeypatch.undo()
    assert training.train(toy(), tmp_path).start == 2


def test_a_damaged_list_of_checkpoints_is_written_anew(finished, tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    (tmp_path / "checkpoints" / "checkpoint").write_bytes(b"\xff\xfe")
    training.train(toy(), tmp_path)
    assert_same_run(finished[0], tmp_path)


def test_a_batch_that_the_replicas_cannot_share_is_refused(tmp_path, monkeypatch, two_replicas):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    with pytest.raises(config.InputError, match="multiple of the 2 replicas, received 9"):
        training.train(toy(schedule__batch_size="9"), tmp_path / "run", strategy="mirrored")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "cluster", "message"),
    [
        ({"strategy": "mirored"}, "", "did you mean 'mirrored'"),
        ({"strategy": "tpu"}, "", "--tpu: expected a TPU that can be reached, received None"),
        ({"strategy": "one_device", "tpu": "x"}, "", "--tpu: expected --strategy=tpu"),
        ({"strategy": "multi_worker"}, "garbage", "TF_CONFIG: expected a cluster"),
        ({"strategy": "auto"}, "{}", "TF_CONFIG: expected a cluster"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(tmp_path, monkeypatch, arguments, cluster, message):
    monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(config.InputError, match=message) as caught:
        training.train(toy(), tmp_path / "run", **arguments)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_fewer_steps_than_a_run_has_are_refused(finished):
    path, _ = finished
    before = (path / "config.json").read_bytes()
    with pytest.raises(config.InputError, match="at least the 4"):
        training.train(toy(schedule__steps="2"), path)
    assert (path / "config.json").read_bytes() == before


@pytest.mark.parametrize("variant", ["minimax", "ns", "wgan", "gan_gp", "dragan"])
def test_every_other_variant_trains(tmp_path, variant):
    run = training.train(toy(f"color_mnist_{variant}", schedule__steps="2"), tmp_path)
    assert run.step == 2


def test_two_replicas_train_in_one_process(tmp_path, monkeypatch, two_replicas):
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda *_: two_replicas)
    assert training.train(toy(schedule__steps_per_execution="2"), tmp_path, strategy="mirrored").step == 4


def test_streams_differ_by_every_number_on_the_way():
    seeds = [streams.root(0), streams.root(1)]
    leaves = [streams.fold(seed, a, b) for seed in seeds for a in range(4) for b in range(4)]
    draws = {streams.normal(leaf, (4,)).numpy().tobytes() for leaf in leaves}
    assert len(draws) == 32
    np.testing.assert_array_equal(streams.fold(seeds[0], 1, 2), streams.fold(streams.fold(seeds[0], 1), 2))
    sample = streams.normal(leaves[0], (20_000,)).numpy()
    np.testing.assert_allclose((sample.mean(), sample.std()), (0, 1), atol=0.02)
