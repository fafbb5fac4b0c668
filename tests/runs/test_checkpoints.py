"""Checkpoints: their content, damaged files, and state that is not finite."""

import random

import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_same_run, state
from helpers import saving_toy as toy

from tfpaths import errors, schema
from tfpaths.gan import GAN
from tfpaths.runs import build, callbacks, checkpoints, rows, training


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    training.train(toy(), path)
    return path


@pytest.fixture(scope="module")
def gan():
    return build.build(toy(), (28, 28, 3))


def test_variables_cover_the_state(gan):
    found = checkpoints.variables(gan)
    names = [name for name, _ in found]
    assert len(set(names)) == len(names)
    owners = (gan.generator, gan.discriminator, gan.generator_optimizer, gan.discriminator_optimizer)
    expected = [variable.value for owner in owners for variable in owner.variables] + [gan.steps, gan.restarts]
    assert [id(variable) for _, variable in found] == [id(variable) for variable in expected]
    assert {"steps", "restarts"} < set(names)
    assert all(name.split("/")[0] in gan.state for name in names)


def test_damaged_checkpoint_falls_back_to_the_previous_one(finished, tmp_path, caplog):
    training.train(toy(), tmp_path)
    (data,) = (tmp_path / "checkpoints").glob("step-4.data*")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    run = training.train(toy(schedule__steps="4"), tmp_path)
    assert (run.start, run.step) == (2, 4)
    assert "step-4 is damaged and is skipped" in caplog.text
    assert_same_run(finished, tmp_path)


def test_run_fails_if_all_checkpoints_are_damaged(tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    with pytest.raises(checkpoints.DamagedCheckpointError, match="none of the checkpoints"):
        training.train(toy(), tmp_path)


def test_damaged_checkpoint_list_is_rewritten(finished, tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    (tmp_path / "checkpoints" / "checkpoint").write_bytes(b"\xff\xfe")
    training.train(toy(), tmp_path)
    assert_same_run(finished, tmp_path)


@pytest.mark.parametrize("part", ["data-00000-of-00001", "index"])
def test_any_flipped_bit_is_detected(tmp_path, part, gan):
    training.train(toy(), tmp_path)
    file = tmp_path / "checkpoints" / f"step-4.{part}"
    content = file.read_bytes()
    # The last 48 bytes of an index are its footer, which is partly unused padding.
    positions = random.Random(1).sample(range(len(content) - (48 if part == "index" else 0)), 12)
    for position in positions:
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert checkpoints.Checkpoints(tmp_path / "checkpoints", gan).restore() == 2, position
    file.write_bytes(content)
    assert checkpoints.Checkpoints(tmp_path / "checkpoints", gan).restore() == 4


def test_checkpoint_contains_rows_and_config(tmp_path):
    training.train(toy(schedule__steps="2"), tmp_path)
    reader = tf.train.load_checkpoint(str(tmp_path / "checkpoints" / "step-2"))
    text = reader.get_tensor("rows/.ATTRIBUTES/py_state").decode()
    assert text == (tmp_path / "metrics.jsonl").read_text()
    assert '"color_mnist_dragan_ns"' in reader.get_tensor("config/.ATTRIBUTES/py_state").decode()
    # Lost rows are restored from it.
    (tmp_path / "metrics.jsonl").unlink()
    training.train(toy(), tmp_path)
    assert [row["step"] for row in rows.read_rows(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]


def test_nan_error_names_the_step_and_the_quantity(tmp_path):
    nan = schema.override(toy(), {"variant.generator_optimizer.learning_rate": "1e30"})
    with pytest.raises(checkpoints.NotFiniteError, match=r"(loss|penalty) is (nan|inf|-inf) at step \d") as caught:
        training.train(nan, tmp_path)
    assert "\n" not in str(caught.value)
    # A row that is not JSON would break every reader of the file.
    assert all(np.isfinite(list(row.values())).all() for row in rows.read_rows(tmp_path / "metrics.jsonl"))


def test_sample_that_is_not_finite_writes_no_grid(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.SaveCheckpoints, "act", lambda *_: None)
    monkeypatch.setattr(GAN, "sample", lambda self, num, seed: tf.fill([num, 28, 28, 3], float("inf")))
    with pytest.raises(
        checkpoints.NotFiniteError, match="a sample is not finite at step 0. There is no checkpoint yet"
    ):
        training.train(toy(), tmp_path)
    assert not (tmp_path / "samples").exists()


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch):
    training.train(toy(schedule__steps="2"), tmp_path)
    step = GAN.train_step

    def poisoned(self, *batches):
        values = step(self, *batches)
        self.generator.trainable_variables[0].assign(float("nan") * self.generator.trainable_variables[0])
        return values

    # No row, which would notice NaN losses, comes before the checkpoint at step 4.
    quiet = toy(schedule__steps="20", schedule__log_every="20", schedule__sample_every="20")
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "train_step", poisoned)
        message = r"kernel is not finite at step 4\. The last good checkpoint: step 2, in "
        with pytest.raises(checkpoints.NotFiniteError, match=message):
            training.train(quiet, tmp_path)
    assert training.train(toy(), tmp_path).start == 2


@pytest.mark.parametrize("owner", ["penalty", "optimizer"])
def test_every_variable_is_checked(tmp_path, owner):
    gan = build.build(toy(), (28, 28, 3))
    if owner == "penalty":
        # A variable of the game that is not part of its state.
        bad = gan.penalties[0].add_weight(shape=(2,), name="strength")
    else:
        bad = gan.discriminator_optimizer.variables[-1]
    saved = checkpoints.Checkpoints(tmp_path, gan)
    bad.assign(np.full(bad.shape, np.inf, np.float32))
    with pytest.raises(checkpoints.NotFiniteError, match=f"{bad.path} is not finite at step 0"):
        saved.save()
    assert not saved.steps


def test_failed_write_names_the_last_good_checkpoint(tmp_path, gan, monkeypatch):
    saved = checkpoints.Checkpoints(tmp_path, gan)
    monkeypatch.setattr(saved, "_write", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(
        errors.RunError, match="cannot be written: No space left on device. There is no checkpoint yet."
    ):
        saved.save()
    (tmp_path / "step-7.index").touch()
    with pytest.raises(errors.RunError, match="The last good checkpoint: step 7, in "):
        saved.save()


def poisoned_until_restarted(monkeypatch, step_of_poison):
    """Makes a weight NaN at one step, and only until the first restart."""
    step = GAN.train_step

    def poisoned(self, *batches):
        values = step(self, *batches)
        bad = tf.logical_and(tf.equal(self.steps, step_of_poison), tf.equal(self.restarts, 0))
        weight = self.generator.trainable_variables[0]
        weight.assign(tf.where(bad, tf.fill(weight.shape, float("nan")), weight.value))
        return values

    monkeypatch.setattr(GAN, "train_step", poisoned)


def test_restarts_resume_from_the_last_good_checkpoint(tmp_path, monkeypatch, caplog):
    poisoned_until_restarted(monkeypatch, 5)
    with pytest.raises(checkpoints.NotFiniteError, match=r"at step \d+. The last good checkpoint: step 4, in "):
        training.train(toy(schedule__steps="8"), tmp_path / "run")
    run = training.train(toy(schedule__steps="8", schedule__restarts="1"), tmp_path / "run")
    assert (run.start, run.step) == (4, 8)
    assert "continues from step 4 with other random numbers (restart 1)" in caplog.text
    of_run = rows.read_rows(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in of_run] == list(range(1, 9))
    assert state(tmp_path / "run")["restarts/.ATTRIBUTES/VARIABLE_VALUE"] == 1
    # Other random numbers than those of an undisturbed run, from that step.
    monkeypatch.undo()
    training.train(toy(schedule__steps="8"), tmp_path / "plain")
    plain = rows.read_rows(tmp_path / "plain" / "metrics.jsonl")
    assert [row["penalty"] for row in of_run[:4]] == [row["penalty"] for row in plain[:4]]
    assert of_run[4]["penalty"] != plain[4]["penalty"]
