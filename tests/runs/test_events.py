"""Event files after a kill: TensorBoard's own reader gets each step once."""

import pytest
import tensorflow as tf
from helpers import saving_toy
from tensorboard.backend.event_processing import event_accumulator

from tfpaths.runs import callbacks, checkpoints, events, hparams, rows, training

# Of a library that TensorBoard carries with it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")


def write(directory, steps):
    """Writes the events of these steps to a new file; returns its path."""
    before = set(directory.glob("*"))
    writer = tf.summary.create_file_writer(str(directory))
    hparams.write(writer, saving_toy())
    with writer.as_default():
        for step in steps:
            tf.summary.scalar("loss", float(step), step=step)
            if step % 2 == 0:
                tf.summary.text("samples", str(step), step=step)
    writer.close()
    (path,) = set(directory.glob("*")) - before
    return path


def shown(directory):
    """tag -> the steps that TensorBoard's reader gets."""
    reader = event_accumulator.EventAccumulator(str(directory), size_guidance={event_accumulator.TENSORS: 0})
    reader.Reload()
    return {tag: sorted(event.step for event in reader.Tensors(tag)) for tag in reader.Tags()["tensors"]}


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_resumed_run_shows_each_step_once(tmp_path, cut):
    # Killed after step 6, perhaps while it wrote a record; the last checkpoint is that of step 3.
    killed = write(tmp_path, range(7))
    if cut:
        killed.write_bytes(killed.read_bytes()[:-cut])
    events.keep_events(tmp_path, 3)
    write(tmp_path, range(4, 9))
    assert shown(tmp_path) == {
        "loss": list(range(9)),
        "samples": [0, 2, 4, 6, 8],
        "_hparams_/session_start_info": [0],
    }


def test_kill_in_the_middle_of_a_kept_step_loses_that_record_only(tmp_path):
    killed = write(tmp_path, [1, 2, 3])
    killed.write_bytes(killed.read_bytes()[:-3])
    events.keep_events(tmp_path, 3)
    # Without the rest of the record the file can be read to its end.
    assert [event.step for event, _ in events.records(killed) if event.HasField("summary")] == [1, 2, 2]
    assert sum(len(record) for _, record in events.records(killed)) == killed.stat().st_size


def test_run_without_a_checkpoint_begins_with_no_events(tmp_path):
    write(tmp_path, [0, 1])
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "trace.pb").touch()
    write(tmp_path, [])
    events.keep_events(tmp_path, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["plugins"]
    assert (tmp_path / "plugins" / "trace.pb").exists()


def test_file_of_a_profile_is_left_alone(tmp_path):
    # It has no step, and tells TensorBoard that there is a profile.
    path = tmp_path / "events.out.tfevents.1.profile-empty"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(events.event_pb2.Event(file_version="brain.Event:2").SerializeToString())
    events.keep_events(tmp_path, 0)
    assert path.exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("restart", [False, True])
def test_training_that_rewinds_shows_each_step_once(tmp_path, monkeypatch, restart):
    # Checkpoints are at steps 2 and 4; the run ends, or restarts, at step 3, whose row is in both files by then.
    act = callbacks.Rows.act
    failures = [checkpoints.NotFiniteError("the loss is nan at step 3") if restart else Killed()]

    def acting(self, step, logs):
        act(self, step, logs)
        if step == 3 and failures:
            raise failures.pop()

    monkeypatch.setattr(callbacks.Rows, "act", acting)
    value = saving_toy(schedule__restarts="1")
    if restart:
        training.train(value, tmp_path)
    else:
        with pytest.raises(Killed):
            training.train(value, tmp_path)
        assert shown(tmp_path / "tensorboard")["generator_loss"] == [1, 2, 3]
        training.train(value, tmp_path)
    steps = shown(tmp_path / "tensorboard")
    assert (
        steps["generator_loss"] == [row["step"] for row in rows.read_rows(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]
    )
    assert steps["samples"] == [0, 2, 4]
