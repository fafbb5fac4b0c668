"""The duality gap of a run: what each player gains if it trains further alone, against the other held fixed.

    discriminator_gain = L_D(D, G) - L_D(D', G)     D' = D after n further updates against G
    generator_gain     = L_G(D, G) - L_G(D, G')     G' = G after n further updates against D
    duality_gap        = discriminator_gain + generator_gain

With best answers D' and G' it is at least 0, and 0 exactly at an equilibrium (Nikaido and Isoda 1955); in a zero-sum
game it is max_D V(D, G) - min_G V(D, G), which Grnarova et al. 2019 (arXiv 1811.05512) propose as a measure of GANs.
The larger of the two gains is the e of an e-approximate equilibrium (Arora et al. 2017, arXiv 1703.00573, definition
2). n updates are no best answer: the gains are lower bounds, and at an equilibrium the noise of the updates makes them
negative. A loss without a lower bound gives a gain that grows with n: compare values of one n and one variant.

A player's loss is that of its updates: L_D has the penalties, and both see instance noise. What a game adds to an
update, such as the norms of `consensus` and `gradient_norm`, is a way to move and no part of the payoff. Both players
are those of training, not an averaged generator. Each trains on the training split, with its own optimiser in a fresh
state, and its loss before and after is measured on the same examples of the evaluated split, with the same latents.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors, streams
from tfpaths.compat import keras as compat
from tfpaths.data.examples import Examples
from tfpaths.gan import GAN
from tfpaths.metrics import loops
from tfpaths.metrics.context import Context
from tfpaths.metrics.metric import METRICS, Metric
from tfpaths.metrics.sources import Source
from tfpaths.schema import PositiveInt
from tfpaths.streams import Stream

BATCH = 64
# Batches of the evaluated split on which the losses are measured.
BATCHES = 16
# Streams below the seed: of each player's updates, and of the losses.
_STREAMS = {"discriminator": 0, "generator": 1}
_LOSSES = 2


def copied(gan: GAN) -> GAN:
    """Returns a game of the same kind with copies of all networks, and with the optimisers in a fresh state.

    Args:
      gan: A compiled game.

    Raises:
      InputError: The game cannot be stored, so it cannot be copied.

    Example: `gains`.
    """
    try:
        with compat.own_settings():
            copy = type(gan).from_config(gan.get_config())
            copy.compile_from_config(gan.get_compile_config())
    except (TypeError, ValueError) as error:
        raise errors.InputError(
            f"duality_gap: expected a game that can be saved, received {type(gan).__name__}: {error} To fix this: give "
            "it get_config() and register it for Keras, or leave the metric out."
        ) from error
    for name, network in gan.networks.items():
        copy.networks[name].set_weights(network.get_weights())
    copy.steps.assign(gan.steps.numpy())
    copy.restarts.assign(gan.restarts.numpy())
    return copy


def players(gan: GAN) -> tuple[str, ...]:
    """Returns the players that the game trains; the generator of `dcd` is fixed.

    Example: `gains`.
    """
    return tuple(name for name in _STREAMS if f"{name}_loss" in gan.reported)


def gains(
    gan: GAN,
    train: Callable[[int], tf.data.Dataset],
    test: Callable[[int], tf.data.Dataset],
    *,
    steps: int,
    batches: int = BATCHES,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Returns what each player gains by training alone, on each of some batches, `[batches]`; `gan` is unchanged.

    Args:
      gan: A compiled game.
      train: First batch -> an endless data set of real batches for the updates, `[batch, *shape]`.
      test: Likewise, of those on which the losses are measured.
      steps: n, the number of updates of each player.
      batches: How many batches the losses are measured on.
      seed: Seed for latents, noise and the penalties' points.

    Example:
      D(x) = w x with the loss `wasserstein`, w = 1, data at 0 and a generator at 1: the discriminator's loss is w.

      >>> import keras
      >>> z, x = keras.Input((1,)), keras.Input((1,))
      >>> point = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")
      >>> slope = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
      >>> gan = GAN(keras.Model(z, point(z)), keras.Model(x, slope(x)), loss="wasserstein")
      >>> gan.compile(
      ...     generator_optimizer=keras.optimizers.SGD(0.5), discriminator_optimizer=keras.optimizers.SGD(0.5)
      ... )
      >>> zeros = lambda start: tf.data.Dataset.from_tensors(tf.zeros([8, 1])).repeat()
      >>> gains(gan, zeros, zeros, steps=1, batches=2)["discriminator"].tolist()  # w falls by 1/2
      [0.5, 0.5]
    """
    root = streams.root(seed)
    differences = {}
    for player in players(gan):
        copy = copied(gan)
        measure = _losses_of(copy, player, test(0).element_spec)
        before = _measured(measure, test(0), root.fold(_LOSSES), batches)
        _train(copy, player, iter(train(0)), root.fold(_STREAMS[player]), steps)
        # The same batches and latents: the errors of the two losses have most of their noise in common.
        differences[player] = before - _measured(measure, test(0), root.fold(_LOSSES), batches)
    return differences


def estimate(values: np.ndarray) -> tuple[float, float]:
    """Returns the mean of some values and its standard error.

    Example:
      >>> estimate(np.array([1.0, 2.0, 3.0, 4.0]))  # sqrt(5/3) / 2
      (2.5, 0.6454972243679028)
    """
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _train(gan: GAN, player: str, batches: Any, stream: Stream, steps: int) -> None:
    """Makes updates of one player on its own loss."""

    def update(step):
        real, of_step = next(batches), stream.fold(step)
        if player == "generator":
            gradients, _ = gan.generator_gradients(real, of_step)
            gan.move_generator(gradients)
        else:
            fake = gan.generate(gan.update_latents(real, of_step), training=True)
            gradients, _ = gan.discriminator_gradients(real, fake, of_step)
            gan.move_discriminator(gradients)

    loops.repeat(update, steps, f"{player} alone, update")


def _losses_of(gan: GAN, player: str, batch: tf.TensorSpec) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns a compiled function of a real batch and a stream's key: the loss that the player's updates descend."""

    def loss(real: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        stream = Stream(key)
        fake = gan.generate(gan.update_latents(real, stream), training=True)
        if player == "generator":
            return gan.generator_loss(real, fake, stream)
        return tf.add_n(gan.discriminator_losses(real, fake, stream))

    return tf.function(loss, autograph=False).get_concrete_function(batch, tf.TensorSpec([2], tf.int32))


def _measured(loss: Callable, data: tf.data.Dataset, stream: Stream, batches: int) -> np.ndarray:
    return np.array([float(loss(real, stream.fold(index).key)) for index, real in enumerate(data.take(batches))])


@METRICS.register("duality_gap")
class DualityGap(Metric):
    """The duality gap of the run whose samples are measured, each player's gain, and the gap's standard error.

    Args:
      duality_steps: n, the number of updates that each player makes alone.

    Example: `--mode=evaluate --set evaluation.metrics=duality_gap`.
    """

    opt_in = True
    slow = True
    has_references = False

    def __init__(self, *, duality_steps: PositiveInt = 100):
        self.duality_steps = duality_steps

    def compute(self, context: Context, source: Source, count: int | None = None) -> dict[str, float]:
        gan = source.gan
        if gan is None:
            raise errors.InputError("duality_gap: expected the samples of a run, received examples without players.")

        def batches(examples: Examples) -> Callable[[int], tf.data.Dataset]:
            size, seed = min(BATCH, examples.size), context.evaluation.seed
            return lambda start: examples.batches(size, seed=seed, start=start)

        def measured() -> dict[str, np.ndarray]:
            splits = [batches(context.examples(split)) for split in ("train", context.split)]
            return gains(gan, *splits, steps=self.duality_steps, seed=context.evaluation.seed)

        of_players = context.once(source, "duality_gap", measured)
        # Both are measured on the same batches: the error is that of their sum on each batch.
        gap, error = estimate(np.sum(list(of_players.values()), axis=0))
        return {
            "duality_gap": gap,
            **{f"{player}_gain": float(values.mean()) for player, values in of_players.items()},
            "duality_gap_error": error,
        }

    def protocol(self, context: Context) -> dict[str, Any]:
        return {"duality_steps": self.duality_steps, "duality_batches": f"{BATCHES} of {BATCH}"}
