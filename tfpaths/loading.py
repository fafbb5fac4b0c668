"""`load`: a trained run, from its directory to a GAN that samples."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from tfpaths import assembly, results
from tfpaths import config as config_lib
from tfpaths.checkpoints import Checkpoints, steps_in
from tfpaths.gan import GAN

# A batch's feature maps are some hundreds of times its images: this many keep the cores busy in little memory.
BATCH = 256


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run, ready to be used.

    Attributes:
      gan: the compiled GAN with the run's weights; its `generator` and `discriminator` are Keras models.
      config: the experiment as it ran.
      step: the step of the checkpoint that was loaded.
      path: the run directory.
    """

    gan: GAN
    config: config_lib.Experiment
    step: int
    path: pathlib.Path

    def sample(self, num: int, seed: int = 0) -> np.ndarray:
        """`num` images, float32 `[num, height, width, channels]` in [-1, 1]: those of `gan.sample(num, seed=seed)`."""
        if num < 1:
            raise config_lib.InputError(f"num: expected at least 1 image, received {num}.")
        latents = self.latents(num, seed)
        return np.concatenate([self.images(latents[start : start + BATCH]) for start in range(0, num, BATCH)])

    def latents(self, num: int, seed: int = 0) -> np.ndarray:
        """The latents of `sample`, `[num, latent_dim]`."""
        return self.gan.sample_latents(num, seed=seed).numpy()

    def images(self, latents: np.ndarray) -> np.ndarray:
        """What the generator makes of a batch of latents, float32 in [-1, 1]."""
        return self.gan.generator(tf.convert_to_tensor(latents), training=False).numpy()


def load(path: str | pathlib.Path) -> Trained:
    """Loads the newest checkpoint of a run that can be read. The data set is not needed.

    Args:
      path: the run directory.

    Raises:
      InputError: the directory is not that of a trained run on images.
      DamagedCheckpointError: there are checkpoints, and none of them can be read.
    """
    directory = results.RunDirectory(pathlib.Path(path).expanduser())
    config = directory.known()
    if config.study is not None or config.figure is not None:
        kind = "a study of many GANs on lines" if config.figure is None else "a figure"
        raise directory.refused(f"{config.name} is {kind}, which has no one sampler")
    if not steps_in(directory.checkpoints):
        raise directory.refused("it has no checkpoint, so it is not trained yet")
    gan = assembly.build(config, assembly.image_shape(config.data))
    step = Checkpoints(directory.checkpoints, gan).restore()
    return Trained(gan=gan, config=config, step=step, path=directory.path)
