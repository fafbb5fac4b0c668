"""Complete state, saved and restored: what a step changes, the rows so far, and the config.

The step is also the position in the data and in every random stream, so nothing else is needed to resume exactly.
"""

import os
import pathlib
import re
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import errors, files
from tfpaths.gan import GAN


class NotFiniteError(errors.RunError):
    """A quantity of the training is NaN or infinite."""


class DamagedCheckpointError(errors.RunError):
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
    """Returns the steps of which a directory has a checkpoint, in rising order."""
    names = (re.fullmatch(r"step-(\d+)\.index", path.name) for path in directory.glob("step-*.index"))
    return sorted(int(name[1]) for name in names if name)


def last_good(directory: pathlib.Path) -> str:
    """Returns the sentence of a message that says which checkpoint a failed run still has."""
    steps = steps_in(directory)
    return f"The last good checkpoint: step {steps[-1]}, in {directory}." if steps else "There is no checkpoint yet."


def variables(gan: GAN) -> list[tuple[str, tf.Variable]]:
    """Returns the variables of `gan.state`, each after its path: those that a checkpoint holds and workers share."""
    found: list[tuple[str, tf.Variable]] = []
    for name, item in gan.state.items():
        for variable in getattr(item, "variables", [item]):
            is_keras = isinstance(variable, keras.Variable)
            found.append((f"{name}/{variable.path}", variable.value) if is_keras else (name, variable))
    return found


class Checkpoints:
    """The last few checkpoints of a run, `<directory>/step-<number>`: TensorFlow's, with a checksum of each tensor.

    A checkpoint gets its name when it is complete and on the disk. Nothing in it is code, or becomes code when it is
    read.

    Args:
      directory: The directory of the checkpoints.
      gan: A compiled GAN, whose `state` they hold.
      keep: How many are kept.
      description: The run's config as a text, stored in each of them.
      rows: The run's file of rows, whose content is stored in each of them.
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
        self._config_text, self._rows_text = _Text(description), _Text()
        # The step whose checkpoint this object has written or read: a file's name alone does not say that it is whole.
        self._known_good: int | None = None
        self._checkpoint = tf.train.Checkpoint(**gan.state, config=self._config_text, rows=self._rows_text)

    @property
    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in rising order."""
        return steps_in(self.directory)

    @property
    def rows(self) -> bytes:
        """The file of rows as it was when the restored checkpoint was written."""
        return self._rows_text.text.encode()

    def save(self) -> pathlib.Path:
        """Saves the current state, unless this step is saved already; returns its path.

        Raises:
          NotFiniteError: A variable is NaN or infinite; such a state never replaces a good one.
          RunError: It cannot be written, the disk may be full; the checkpoints that exist stay.
        """
        step = self._gan.step
        path = self.directory / f"step-{step}"
        if step == self._known_good:
            return path
        self._check_finite(step)
        if self._rows is not None and self._rows.exists():
            self._rows_text.text = self._rows.read_text()
        try:
            self._write(path)
        except (OSError, tf.errors.OpError) as error:
            raise errors.RunError(
                f"{path}: cannot be written: {files.reason(error)}. {last_good(self.directory)}"
            ) from error
        self._known_good = step
        return path

    def _check_finite(self, step: int) -> None:
        found = variables(self._gan)
        held = {id(variable) for _, variable in found}
        found += [(other.path, other.value) for other in self._gan.variables if id(other.value) not in held]
        for name, variable in found:
            if variable.dtype.is_floating and not np.isfinite(tf.convert_to_tensor(variable).numpy()).all():
                raise NotFiniteError(f"{name} is not finite at step {step}")

    def _write(self, path: pathlib.Path) -> None:
        """Writes a checkpoint into a temporary directory, then moves its files to their names, the index last."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for torn in self.directory.glob(".step-*"):
            shutil.rmtree(torn)
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".step-") as folder:
            self._checkpoint.write(str(pathlib.Path(folder) / path.name))
            for file in sorted(pathlib.Path(folder).iterdir(), key=lambda file: file.suffix == ".index"):
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
                os.replace(file, self.directory / file.name)
        kept = self.steps[-self._keep :]
        # For `tf.train.latest_checkpoint`; nothing here reads it.
        lines = [
            f'model_checkpoint_path: "step-{kept[-1]}"',
            *(f'all_model_checkpoint_paths: "step-{n}"' for n in kept),
        ]
        files.write_bytes(self.directory / "checkpoint", ("\n".join(lines) + "\n").encode())
        for file in self.directory.glob("step-*.*"):
            number = re.match(r"step-(\d+)\.", file.name)
            if number and int(number[1]) < kept[0]:
                file.unlink()

    def restore(self) -> int:
        """Restores the newest checkpoint that can be read, and returns its step; 0 if there is no checkpoint.

        A damaged one is named in a warning, and the one before it is used.

        Raises:
          DamagedCheckpointError: Checkpoints exist and none of them can be read.
        """
        for step in reversed(self.steps):
            path = self.directory / f"step-{step}"
            description = self._config_text.text
            try:
                self._checkpoint.read(str(path)).assert_consumed()
                self._known_good = step
                return step
            except Exception as error:  # A torn file raises whatever its reader meets first.
                logging.warning("%s is damaged and is skipped: %s", path, files.reason(error))
            finally:
                self._config_text.text = description
        if self.steps:
            raise DamagedCheckpointError(f"none of the checkpoints in {self.directory} can be read.")
        return 0
