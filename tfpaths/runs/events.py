"""TensorBoard's event files of a run. A resumed run writes the steps after its checkpoint again."""

import contextlib
import pathlib
from collections.abc import Iterator

import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import metadata as hparams

from tfpaths import files

# A record is: its length (8 bytes), a checksum of the length (4), an event, a checksum of the event (4).
_AROUND = 16


def keep_events(directory: pathlib.Path, last_step: int) -> None:
    """Removes from the event files what a run that continues from `last_step` writes again.

    These are the steps after `last_step`, the config, and at step 0 everything: the grid of step 0 is drawn again. A
    record at the end of a file whose writing was interrupted is removed too. Other files, such as profiles, stay.

    Args:
      directory: The directory of the event files; it need not exist.
      last_step: The step of the checkpoint; 0 for none.

    Example:
      >>> directory = pathlib.Path("tensorboard")
      >>> with tf.summary.create_file_writer(str(directory)).as_default():
      ...     for step in (1, 2, 3):
      ...         _ = tf.summary.scalar("loss", 0.5, step=step)
      >>> keep_events(directory, last_step=2)
      >>> [event.step for file in directory.iterdir() for event, _ in records(file) if event.summary.value]
      [1, 2]
    """
    for path in directory.glob("events.out.tfevents.*"):
        kept = [(event, record) for event, record in records(path) if _is_kept(event, last_step)]
        content = b"".join(record for _, record in kept)
        if len(content) == path.stat().st_size:
            continue
        if any(event.HasField("summary") for event, _ in kept):
            files.write_bytes(path, content)
        else:
            path.unlink()


def records(path: pathlib.Path) -> Iterator[tuple[event_pb2.Event, bytes]]:
    """Yields each event of a file, and its bytes there; the file ends where a record is incomplete or damaged.

    Example:
      >>> with tf.io.TFRecordWriter("events.out.tfevents.1") as writer:
      ...     writer.write(event_pb2.Event(step=5).SerializeToString())
      >>> [(event.step, len(record)) for event, record in records(pathlib.Path("events.out.tfevents.1"))]
      [(5, 18)]
    """
    content, end = files.read(path), 0
    with contextlib.suppress(tf.errors.DataLossError):
        for event in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            start, end = end, end + len(event) + _AROUND
            yield event_pb2.Event.FromString(event), content[start:end]


def _is_kept(event: event_pb2.Event, last_step: int) -> bool:
    if not event.HasField("summary"):
        return True  # The version of the format.
    is_config = any(value.tag == hparams.SESSION_START_INFO_TAG for value in event.summary.value)
    return last_step > 0 and event.step <= last_step and not is_config
