"""Complete state, saved and restored: networks, optimisers, step, the rows so far, the config.

The step is also the position in the data and in every random stream, so nothing else is needed to go on exactly.
"""

import os
import pathlib
import re
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import config, results
from tfpaths.gan import GAN


class NotFiniteError(config.RunError):
    """A quantity of the training is NaN or infinite."""


class DamagedCheckpointError(config.RunError):
    """Checkpoints exist and none of them can be read."""


class _Text(tf.train.experimental.PythonState):
    """A text among the tensors, under the same checksums."""

    def __init__(self, text: str = ""):
        self.text = text

    def serialize(self) -> str:
        return self.text

    def deserialize(self, string_value: bytes | str) -> None:
        self.text = string_value.decode() if isinstance(string_value, bytes) else string_value


def steps_in(directory: pathlib.Path) -> list[int]:
    """The steps of which a folder has a checkpoint, in rising order."""
    names = (re.fullmatch(r"step-(\d+)\.index", path.name) for path in directory.glob("step-*.index"))
    return sorted(int(name[1]) for name in names if name)


class Checkpoints:
    """The last few checkpoints of a run, `<directory>/step-<number>`: TensorFlow's, with a checksum of each tensor.

    A checkpoint takes its name when it is whole and on the disk. Nothing in it is code, or becomes code on reading.

    Args:
      directory: where they are.
      gan: a compiled GAN, whose state they hold.
      keep: how many are kept.
      description: the run's config as a text, kept in each of them.
      rows: the run's file of rows, whose content is kept in each of them.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        gan: GAN,
        *,
        keep: int = 3,
        description: str = "",
        rows: pathlib.Path | None = None,
    ):
        self.directory = directory
        self._gan = gan
        self._keep = keep
        self._rows = rows
        self._described, self._history = _Text(description), _Text()
        # The step whose checkpoint this object has written or read: what a file's name says is not enough.
        self._known_good: int | None = None
        self._checkpoint = tf.train.Checkpoint(
            generator=gan.generator,
            discriminator=gan.discriminator,
            generator_optimizer=gan.generator_optimizer,
            discriminator_optimizer=gan.discriminator_optimizer,
            steps=gan.steps,
            restarts=gan.restarts,
            config=self._described,
            rows=self._history,
        )

    @property
    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in rising order."""
        return steps_in(self.directory)

    @property
    def rows(self) -> bytes:
        """The file of rows as it was when the checkpoint that was restored was written."""
        return self._history.text.encode()

    def save(self) -> pathlib.Path:
        """Saves the state as it is; does nothing where this step is saved already.

        Raises:
          NotFiniteError: a weight is NaN or infinite; such a state takes no good one's place.
          RunError: it cannot be written, the disk may be full; those that are there stay.
        """
        step = self._gan.step
        place = self.directory / f"step-{step}"
        if step == self._known_good:
            return place
        for variable in self._gan.variables:
            if variable.dtype.startswith(("float", "bfloat")) and not np.isfinite(variable.numpy()).all():
                raise NotFiniteError(f"{variable.path} is not finite at step {step}")
        if self._rows is not None and self._rows.exists():
            self._history.text = self._rows.read_text()
        try:
            self._write(place)
        except (OSError, tf.errors.OpError) as error:
            kept = f"step {self.steps[-1]}" if self.steps else "none"
            raise config.RunError(
                f"{place}: cannot be written: {results.reason(error)}. The last good checkpoint: {kept}."
            ) from error
        self._known_good = step
        return place

    def _write(self, place: pathlib.Path) -> None:
        """Writes a checkpoint into a neighbour first, then the names that others read, the index last of them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for torn in self.directory.glob(".step-*"):
            shutil.rmtree(torn)
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".step-") as folder:
            self._checkpoint.write(str(pathlib.Path(folder) / place.name))
            for file in sorted(pathlib.Path(folder).iterdir(), key=lambda file: file.suffix == ".index"):
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
                os.replace(file, self.directory / file.name)
        kept = self.steps[-self._keep :]
        # For `tf.train.latest_checkpoint`; nothing here reads it.
        listed = [
            f'model_checkpoint_path: "step-{kept[-1]}"',
            *(f'all_model_checkpoint_paths: "step-{n}"' for n in kept),
        ]
        results.write_bytes(self.directory / "checkpoint", ("\n".join(listed) + "\n").encode())
        for file in self.directory.glob("step-*.*"):
            number = re.match(r"step-(\d+)\.", file.name)
            if number and int(number[1]) < kept[0]:
                file.unlink()

    def restore(self) -> int:
        """Restores the newest checkpoint that can be read and returns its step; 0 where there is none.

        A damaged one is named in a warning, and the one before it is used.

        Raises:
          DamagedCheckpointError: none of those that exist can be read.
        """
        for step in reversed(self.steps):
            path = self.directory / f"step-{step}"
            description = self._described.text
            try:
                self._checkpoint.read(str(path)).assert_consumed()
                self._known_good = step
                return step
            except Exception as error:  # A torn file shows as whatever its reader stumbles over.
                logging.warning("%s is damaged and is passed over: %s", path, results.reason(error))
            finally:
                self._described.text = description
        if self.steps:
            raise DamagedCheckpointError(f"none of the checkpoints in {self.directory} can be read.")
        return 0
