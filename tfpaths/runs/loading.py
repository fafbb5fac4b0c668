"""`load` loads a trained run from its directory, to sample from it."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data, errors, files, kinds
from tfpaths.compat.tensorflow import check_process
from tfpaths.data.example import ExampleType
from tfpaths.gan import GAN
from tfpaths.runs import build, identity
from tfpaths.runs.checkpoints import Checkpoints, steps_in
from tfpaths.runs.directory import RunDirectory

# The feature maps of a batch need some hundred times the memory of its images. This size uses all cores and little
# memory.
BATCH = 256


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained run.

    Attributes:
      gan: The compiled game with the run's weights; its `networks` are Keras models.
      config: The stored config of the run.
      step: The step of the checkpoint that was loaded.
      path: The run directory.
      refine: Langevin steps that refine the samples; None for as many as the game makes.

    Example: see `tfpaths.train`.
    """

    gan: GAN
    config: config_lib.Training
    step: int
    path: pathlib.Path
    refine: int | None = None

    @property
    def example(self) -> ExampleType:
        """The type of one sample: an image, a point or a text."""
        return data.of(self.config.data).example

    def sample(self, num: int, seed: int = 0) -> np.ndarray:
        """Returns the samples of `gan.sample(num, seed=seed)`, computed in batches.

        Args:
          num: The number of samples, at least 1.
          seed: Seed for the latents.

        Returns:
          float32 `[num, *example_shape]`; images are in [-1, 1].

        Raises:
          InputError: `num` is less than 1.
        """
        if num < 1:
            raise errors.InputError(f"num: expected at least 1, received {num}.")
        starts = range(0, num, BATCH)
        return np.concatenate([self.generate(self.latents(min(BATCH, num - start), seed, start)) for start in starts])

    def latents(self, num: int, seed: int = 0, first: int = 0) -> np.ndarray:
        """Returns `num` latents of `sample(…, seed)` from index `first` on, a multiple of 4, `[num, latent_dim]`."""
        return self.gan.sample_latents(num, seed=seed, first=first).numpy()

    def generate(self, latents: np.ndarray) -> np.ndarray:
        """Returns the samples of a batch of latents, float32 `[num, *example_shape]`; images are in [-1, 1]."""
        z = tf.convert_to_tensor(latents)
        return (self.gan.generate(z) if self.refine is None else self._refined(z)).numpy()

    @functools.cached_property
    def _refined(self) -> Callable[[tf.Tensor], tf.Tensor]:
        steps = self.refine
        return tf.function(lambda z: self.gan.refined(z, steps), reduce_retracing=True, autograph=False)


def load(path: str | pathlib.Path, *, member: int | None = None) -> Trained:
    """Loads the newest readable checkpoint of a run. The data set is not read.

    Args:
      path: The run directory.
      member: The only generator of the game `mix` that samples come from; None for all of them.

    Raises:
      InputError: The directory does not contain a trained run, or its game has no such generator.
      DamagedCheckpointError: There are checkpoints, and none of them can be read.

    Example: see `tfpaths.train`.
    """
    check_process()
    directory = RunDirectory(files.path(path))
    config = directory.known()
    loaded = kinds.of(config).load(directory.path, config)
    if member is not None:
        loaded.gan.sample_from(member)
    return loaded


def trained(path: pathlib.Path, config: config_lib.Training) -> Trained:
    """Loads a training run whose config is already read. Raises the errors of `load`.

    Args:
      path: The run directory.
      config: The stored config of the run.
    """
    directory = RunDirectory(path)
    if not steps_in(directory.checkpoints):
        raise directory.refused("it has no checkpoint, so it is not trained yet")
    gan = build.build(config, data.of(config.data).shape)
    step = Checkpoints(directory.checkpoints, gan, description=identity.essence(config, gan)).restore()
    return Trained(gan=gan, config=config, step=step, path=directory.path)


def start_from(gan: GAN, path: str | pathlib.Path) -> int:
    """Gives the networks of a new run the weights of a finished one; returns the step of the checkpoint.

    A generator without an average begins with the weights that the samples of the finished run came from.

    Args:
      gan: The game of the new run.
      path: The directory of the finished run.

    Raises:
      InputError: The directory does not contain a trained run, or its networks have other variables.

    Example: `--exp=twenty_five_gaussians_dcd --set networks.weights_of=runs/twenty_five_gaussians_hinge_sn`.
    """
    try:
        trained = load(path)
    except errors.InputError as error:
        raise errors.InputError(f"networks.weights_of: {error}") from error
    theirs = dict(trained.gan.networks)
    theirs.setdefault("averaged_generator", trained.gan.generator)
    if gan.ema is None:
        theirs["generator"] = trained.gan.sampled_generator
    for name, network in gan.networks.items():
        ours, shapes = ([list(v.shape) for v in one.variables] if one else None for one in (network, theirs.get(name)))
        if ours != shapes:
            raise errors.InputError(
                f"networks.weights_of: the {name} of {str(path)!r} has variables of the shapes {shapes}, that of this "
                f"run {ours}. To fix this: use the same networks and the same variant.spectral_normalization."
            )
    for name, network in gan.networks.items():
        network.set_weights(theirs[name].get_weights())
    return trained.step
