"""Complete state, saved and restored: both networks, both optimisers, the step.

The step is also the position in the data and in every random stream, so nothing else is needed to go on exactly.
"""

import functools
import pathlib
import re

import numpy as np
import tensorflow as tf
from absl import logging

from tfpaths import config
from tfpaths.gan import GAN


class NotFiniteError(config.RunError):
    """A quantity of the training is NaN or infinite."""


class DamagedCheckpointError(config.RunError):
    """Checkpoints exist and none of them can be read."""


class Checkpoints:
    """The last few checkpoints of a run, `<directory>/step-<number>`.

    TensorFlow writes a checkpoint under another name first, and keeps a checksum of each tensor that it verifies on
    reading.

    Args:
      directory: where they are.
      gan: a compiled GAN, whose state they hold.
      keep: how many are kept.
    """

    def __init__(self, directory: pathlib.Path, gan: GAN, *, keep: int = 3):
        self._directory = directory
        self._gan = gan
        # The step whose checkpoint this object has written or read: what a file's name says is not enough.
        self._known_good: int | None = None
        self._checkpoint = tf.train.Checkpoint(
            generator=gan.generator,
            discriminator=gan.discriminator,
            generator_optimizer=gan.generator_optimizer,
            discriminator_optimizer=gan.discriminator_optimizer,
            steps=gan.steps,
        )
        manager = functools.partial(
            tf.train.CheckpointManager, self._checkpoint, str(directory), max_to_keep=keep, checkpoint_name="step"
        )
        try:
            self._manager = manager()
        except Exception as error:
            # The manager's own list of checkpoints is damaged; the files themselves are what counts.
            logging.warning("%s cannot be read (%s) and is written anew.", directory / "checkpoint", error)
            (directory / "checkpoint").unlink()
            self._manager = manager()

    @property
    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in rising order."""
        names = (re.fullmatch(r"step-(\d+)\.index", path.name) for path in self._directory.glob("step-*.index"))
        return sorted(int(name[1]) for name in names if name)

    def save(self) -> pathlib.Path:
        """Saves the state as it is; does nothing where this step is saved already.

        Raises:
          NotFiniteError: a weight is NaN or infinite; such a state takes no good one's place.
        """
        step = self._gan.step
        if step != self._known_good:
            for variable in self._gan.variables:
                if variable.dtype.startswith(("float", "bfloat")) and not np.isfinite(variable.numpy()).all():
                    raise NotFiniteError(f"{variable.path} is not finite at step {step}")
            self._manager.save(checkpoint_number=step)
            self._known_good = step
        return self._directory / f"step-{step}"

    def restore(self) -> int:
        """Restores the newest checkpoint that can be read and returns its step; 0 where there is none.

        A damaged one is named in a warning, and the one before it is used.

        Raises:
          DamagedCheckpointError: none of those that exist can be read.
        """
        for step in reversed(self.steps):
            path = self._directory / f"step-{step}"
            try:
                self._checkpoint.restore(str(path)).assert_consumed()
                self._known_good = step
                return step
            except Exception as error:  # A torn file shows as whatever its reader stumbles over.
                reason = (str(error) or type(error).__name__).splitlines()[0]
                logging.warning("%s is damaged and is passed over: %s", path, reason)
        if self.steps:
            raise DamagedCheckpointError(f"none of the checkpoints in {self._directory} can be read.")
        return 0
