"""The path angle: whether the field of the game points from the start of a run to its end, along the straight way.

    c(a) = <v(a), w_1 - w_0> / (|v(a)| |w_1 - w_0|)        v(a) = (-grad L_D, -grad L_G) at w_0 + a (w_1 - w_0)

w is the parameters of both players, w_0 at the first and w_1 at the last step. Where the game descends to its end, c is
near 1 before a = 1 and near -1 behind it. Where it circles around it, c is near 0, and does not change its sign at a =
1 or does so with a bump. Berard et al. 2020 (arXiv 1906.04848), section 4.2.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths.gan import GAN
from tfpaths.lines import ensemble, study
from tfpaths.numerics import watching
from tfpaths.streams import Stream

# A branch of the stream that training does not use, besides those of `problem` and of `points`.
_FIELD = -8


def field(gan: GAN, real: tf.Tensor, stream: Stream) -> list[tf.Tensor]:
    """Returns the simultaneous gradient field of a game, one tensor for each variable of D, then of G.

    It is the direction in which gradient descent moves both players at the same time. In an ensemble it is that of
    each run.

    Args:
      gan: The GAN.
      real: A real batch; as many latents are drawn.
      stream: The stream of latents, noise and penalties; it is that of an update.

    Example:
      >>> import keras
      >>> generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
      >>> critic = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
      >>> generator.set_weights([np.array([[0.0]])]), critic.set_weights([np.array([[2.0]])])
      (None, None)
      >>> gan = GAN(generator, critic, loss="wasserstein")
      >>> [value.numpy().tolist() for value in field(gan, tf.ones([4, 1]), gan.stream)][0]  # E x - E G(z)
      [[1.0]]
    """
    latents = gan.update_latents(real, stream)
    of_d, of_g = gan.discriminator.trainable_variables, gan.generator.trainable_variables
    fake = gan.generate(latents, training=True)
    with watching(of_d) as tape:
        objective = -(gan.runs or 1) * tf.add_n(gan.discriminator_losses(real, fake, stream))
    values = tape.gradient(objective, of_d)
    with watching(of_g) as tape:
        fake = gan.generate(latents, training=True)
        objective = -(gan.runs or 1) * gan.generator_loss(real, fake, stream)
    values += tape.gradient(objective, of_g)
    pairs = zip(values, [*of_d, *of_g], strict=True)
    return [tf.zeros_like(variable) if value is None else value for value, variable in pairs]


def path_angles(config: config_lib.Study, runs: int, shares: Sequence[float], *, batch_size: int = 1024) -> np.ndarray:
    """Trains the first runs of a study and returns c(a) of each.

    Args:
      config: A study on lines.
      runs: The number of runs.
      shares: The values of a.
      batch_size: Examples, and latents, with which the field is estimated; the same for every a.

    Returns:
      The cosines, `[shares, runs]`; NaN where a run is not finite.

    Example:
      >>> from tfpaths import experiments
      >>> base = experiments.get("line1_ns")
      >>> small = base.replace(study=base.study.replace(width=4), schedule=base.schedule.replace(steps=3))
      >>> path_angles(small, 2, (0.0, 1.0)).shape
      (2, 2)
    """
    made = study.build(config, runs)
    assert isinstance(made, ensemble.LineEnsemble)
    made.reset(0)
    variables = [*made.gan.discriminator.trainable_variables, *made.gan.generator.trainable_variables]
    start = [variable.numpy() for variable in variables]
    made.advance(config.schedule.steps)
    way = [variable.numpy() - first for variable, first in zip(variables, start, strict=True)]

    @tf.function(jit_compile=True, autograph=False)
    def at():
        stream = made.gan.stream.fold(_FIELD)
        return field(made.gan, made.batch(stream.fold(0), batch_size), stream.fold(1))

    cosines = []
    for share in shares:
        for variable, first, difference in zip(variables, start, way, strict=True):
            variable.assign(first + share * difference)
        cosines.append(_cosine([value.numpy() for value in at()], way))
    return np.array(cosines)


def _cosine(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the cosine between two lists of arrays `[runs, ...]`, `[runs]`; NaN where one is zero or not finite."""
    flat = [
        np.concatenate([value.reshape(len(value), -1) for value in values], axis=1).astype(np.float64)
        for values in (one, other)
    ]
    norms = [np.linalg.norm(value, axis=1) for value in flat]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum(flat[0] * flat[1], axis=1) / (norms[0] * norms[1])
