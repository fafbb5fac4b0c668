"""Checkpoints of the complete state: all variables that a step changes, the rows so far, and the config.

The step is also the position in the data and in every random stream, so nothing else is needed to resume exactly.
"""

import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import errors, files, folders
from tfpaths.gan import GAN
from tfpaths.runs import faults, identity


class NotFiniteError(errors.FinalError):
    """A variable or a reported quantity of the training is NaN or infinite."""


class DamagedCheckpointError(errors.RunError):
    """Checkpoints exist and none of them can be read."""


# Where TensorFlow stores the description of a checkpoint.
_DESCRIPTION = "config/.ATTRIBUTES/py_state"
# The names of a checkpoint's files. No other file is deleted.
_FILE = re.compile(r"step-(\d+)\.(index|data-\d{5}-of-\d{5})")


class _Text(tf.train.experimental.PythonState):
    """A text that is stored among the tensors of a checkpoint, with a checksum like theirs."""

    def __init__(self, text: str = ""):
        self.text = text

    def serialize(self) -> str:
        return self.text

    def deserialize(self, string_value: bytes | str) -> None:
        self.text = string_value.decode() if isinstance(string_value, bytes) else string_value


def steps_in(directory: pathlib.Path) -> list[int]:
    """Returns the steps that have a checkpoint in a directory, in ascending order.

    Example:
      >>> for step in (100, 20):
      ...     files.write_bytes(pathlib.Path(f"saved/step-{step}.index"), b"")
      >>> steps_in(pathlib.Path("saved"))
      [20, 100]
    """
    names = (_FILE.fullmatch(path.name) for path in directory.glob("step-*.index"))
    return sorted(int(name[1]) for name in names if name)


def last_good(directory: pathlib.Path) -> str:
    """Returns a sentence for messages that names the last checkpoint of a failed run.

    Example:
      >>> last_good(pathlib.Path("empty"))
      'There is no checkpoint yet.'
    """
    steps = steps_in(directory)
    return f"The last good checkpoint: step {steps[-1]}, in {directory}." if steps else "There is no checkpoint yet."


def variables(gan: GAN) -> list[tuple[str, tf.Variable]]:
    """Returns (path, variable) of every variable of `gan.state`: those that checkpoints hold and workers share."""
    pairs: list[tuple[str, tf.Variable]] = []
    for name, item in gan.state.items():
        for variable in getattr(item, "variables", [item]):
            is_keras = isinstance(variable, keras.Variable)
            pairs.append((f"{name}/{variable.path}", variable.value) if is_keras else (name, variable))
    return pairs


class Checkpoints:
    """The last few checkpoints of a run, `<directory>/step-<number>`, in TensorFlow's format with checksums.

    A checkpoint gets its name when it is complete and on the disk. It contains no code, and reading it runs none.

    Args:
      directory: The directory of the checkpoints.
      gan: A compiled GAN, whose `state` is saved.
      keep: The number of checkpoints that are kept; older ones are deleted.
      description: What each checkpoint says about the run, as JSON values; see `identity.describe`.
      rows: The run's file of rows, whose content each checkpoint contains.

    Attributes:
      description: That of the argument.
      restored: The description in the restored checkpoint; empty if there is none.

    Example:
      >>> networks = [keras.Sequential([keras.Input((size,)), keras.layers.Dense(1)]) for size in (3, 1)]
      >>> gan = GAN(*networks, loss="hinge")
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> Checkpoints(pathlib.Path("checkpoints"), gan).save().name
      'step-0'
    """

    def __init__(
        self,
        directory: pathlib.Path,
        gan: GAN,
        *,
        keep: int = 3,
        description: Mapping[str, Any] | None = None,
        rows: pathlib.Path | None = None,
    ):
        self.directory = directory
        self._gan = gan
        self._keep = keep
        self._rows = rows
        self.description = dict(description or {})
        self.restored: dict[str, Any] = {}
        self._config_text, self._rows_text = _Text(json.dumps(self.description)), _Text()
        # The step whose checkpoint this object has written or read: the existence of a file does not show that it is
        # complete.
        self._known_good: int | None = None
        self._checkpoint = tf.train.Checkpoint(**gan.state, config=self._config_text, rows=self._rows_text)

    @property
    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        return steps_in(self.directory)

    @property
    def rows(self) -> bytes:
        """The content of the file of rows at the time of the restored checkpoint."""
        return self._rows_text.text.encode()

    def save(self) -> pathlib.Path:
        """Saves the current state, unless this step is already saved; returns the checkpoint's path.

        Raises:
          NotFiniteError: A variable is NaN or infinite; such a state is never saved.
          RunError: The checkpoint cannot be written, for example to a full disk; existing checkpoints stay.
        """
        step = self._gan.step
        path = self.directory / f"step-{step}"
        if step == self._known_good:
            return path
        self._check_finite(step)
        if self._rows is not None and self._rows.exists():
            self._rows_text.text = files.read(self._rows).decode()
        try:
            self._write(path)
        except (OSError, tf.errors.OpError) as error:
            why = faults.cause(error) if isinstance(error, tf.errors.OpError) else files.reason(error)
            raise errors.RunError(f"{path}: cannot be written: {why}. {last_good(self.directory)}") from error
        self._known_good = step
        return path

    def _check_finite(self, step: int) -> None:
        pairs = variables(self._gan)
        saved = {id(variable) for _, variable in pairs}
        pairs += [(other.path, other.value) for other in self._gan.variables if id(other.value) not in saved]
        for name, variable in pairs:
            if variable.dtype.is_floating and not np.isfinite(tf.convert_to_tensor(variable).numpy()).all():
                raise NotFiniteError(f"{name} is not finite at step {step}")

    def _write(self, path: pathlib.Path) -> None:
        """Writes a checkpoint into a temporary directory, then moves its files to their names, the index last."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with folders.temporary_directory(path) as folder:
            self._checkpoint.write(str(folder / path.name))
            for file in sorted(folder.iterdir(), key=lambda file: file.suffix == ".index"):
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
                os.replace(file, self.directory / file.name)
        last_steps = self.steps[-self._keep :]
        # For `tf.train.latest_checkpoint`; this package does not read it.
        lines = [
            f'model_checkpoint_path: "step-{last_steps[-1]}"',
            *(f'all_model_checkpoint_paths: "step-{step}"' for step in last_steps),
        ]
        files.write_bytes(self.directory / "checkpoint", ("\n".join(lines) + "\n").encode())
        for file in self.directory.iterdir():
            name = _FILE.fullmatch(file.name)
            if name and int(name[1]) < last_steps[0]:
                file.unlink()

    def restore(self) -> int:
        """Restores the newest readable checkpoint, and returns its step; 0 if there is no checkpoint.

        A damaged checkpoint is skipped with a warning, and the previous one is restored.

        Raises:
          InputError: The newest readable checkpoint is another run's, one of other networks, or one of another step.
          DamagedCheckpointError: Checkpoints exist and none of them can be read.
        """
        for step in reversed(self.steps):
            path = self.directory / f"step-{step}"
            stored = self._read(path)
            if stored is None:
                continue
            if self._gan.step != step:
                raise errors.InputError(
                    f"{path}: expected a checkpoint of step {step}, received one of {self._gan.step}."
                )
            self._known_good, self.restored = step, stored
            return step
        if self.steps:
            raise DamagedCheckpointError(f"none of the checkpoints in {self.directory} can be read.")
        return 0

    def _read(self, path: pathlib.Path) -> dict[str, Any] | None:
        """Restores a checkpoint of this run, and returns its description; None if it is damaged."""
        try:
            for file in self.directory.glob(f"{path.name}.*"):
                files.check_file("checkpoints", file)  # TensorFlow would wait for the writer of a named pipe.
            stored = identity.parse(tf.train.load_checkpoint(str(path)).get_tensor(_DESCRIPTION))
        except Exception as error:  # A damaged file can raise an error of any class.
            _warn(path, error)
            return None
        # Before the variables are read: what another run has trained must not become this one.
        identity.check(path, stored, self.description)
        try:
            self._checkpoint.read(str(path)).assert_consumed()
        except Exception as error:
            _warn(path, error)
            return None
        finally:
            self._config_text.text = json.dumps(self.description)
        return stored


def _warn(path: pathlib.Path, error: Exception) -> None:
    logging.warning("%s is damaged and is skipped: %s", path, files.reason(error))
