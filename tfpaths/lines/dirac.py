"""The Dirac-GAN: data at 0, a generator that is one point, and a linear discriminator. Mescheder et al. 2018.

    x = 0        G(z) = theta        D(x) = psi x

Field and paths are those of the real game, `GAN` with the losses and penalties of a variant: nothing is retyped here
but the derivative at the equilibrium (theta, psi) = (0, 0), `jacobian`, which the field is compared with.

D has the slope psi everywhere. So the points of a gradient penalty do not matter, and those that are random (DRAGAN's,
and those between real and generated examples) give the same field each time: that of weight (|psi| - target)^2.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, games
from tfpaths.compat import keras as compat
from tfpaths.instance_noise import InstanceNoise
from tfpaths.runs.build import arguments, compiled_with, complete_variant
from tfpaths.streams import Stream

# The slope of a loss at equal logits: f'(0) of Mescheder et al. 2018.
SLOPES = {"minimax": 0.5, "non_saturating": 0.5, "relativistic": 0.5, "wasserstein": 1.0, "hinge": 1.0}
_LOGISTIC = ("minimax", "non_saturating")
_NODES = 1024

Points = np.ndarray | Sequence[tuple[float, float]]


@keras.saving.register_keras_serializable("tfpaths")
class Point(keras.layers.Layer):
    """theta for every latent, `[runs, batch, 1]`, with one theta for each run.

    Example:
      >>> Point()(tf.zeros([3, 5, 1])).shape
      TensorShape([3, 5, 1])
    """

    def build(self, input_shape):
        self.theta = self.add_weight(shape=(input_shape[0], 1, 1), initializer="zeros", name="theta")

    def call(self, inputs):
        return self.theta + 0.0 * inputs


@keras.saving.register_keras_serializable("tfpaths")
class Slope(keras.layers.Layer):
    """psi x, `[runs, batch, 1]`, with one psi for each run.

    Example:
      >>> Slope()(tf.ones([3, 5, 1])).shape
      TensorShape([3, 5, 1])
    """

    def build(self, input_shape):
        self.psi = self.add_weight(shape=(input_shape[0], 1, 1), initializer="zeros", name="psi")

    def call(self, inputs):
        return self.psi * inputs


@dataclasses.dataclass(frozen=True)
class _Nodes(InstanceNoise):
    """Instance noise at equally likely quantiles of N(0, I), scaled to a variance of 1: an expectation, not a draw."""

    def added_to(self, examples: tf.Tensor, step: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        del stream
        nodes = scipy.special.ndtri((np.arange(_NODES) + 0.5) / _NODES)
        return examples + self.scale_at(step) * tf.constant(nodes / nodes.std(), tf.float32)[:, tf.newaxis]


class DiracGAN:
    """Independent Dirac-GANs in one ensemble of the real game, each at its own point.

    Args:
      variant: The losses, the penalties, the game and the optimisers. Its instance noise is replaced by an expectation.
      runs: The number of points.

    Attributes:
      gan: The compiled game.

    Raises:
      InputError: The variant is invalid, or it is none that a Dirac-GAN can have.

    Example:
      >>> from tfpaths.config import Loss, Optimizer, Variant
      >>> sgd = Optimizer(name="sgd", learning_rate=0.2)
      >>> wgan = Variant(name="wgan", loss="wasserstein", weight_clip=9.0, generator_optimizer=sgd,
      ...                discriminator_optimizer=sgd)
      >>> block = DiracGAN(wgan, runs=1)
      >>> block.place([(1.0, 1.0)])
      >>> block.simultaneous()  # psi - 0.2 theta, theta + 0.2 psi
      >>> block.points().round(4).tolist()
      [[1.2, 0.8]]
    """

    def __init__(self, variant: config_lib.Variant, runs: int):
        check(variant)
        variant = complete_variant(variant)
        noise = variant.instance_noise
        with compat.own_settings():
            z, x = (keras.Input(batch_shape=(runs, None, 1)) for _ in range(2))
            generator, discriminator = keras.Model(z, Point()(z)), keras.Model(x, Slope()(x))
            game = games.GAMES[variant.game.name]
            self.gan = game(generator, discriminator, runs=runs, **arguments(variant))
            self.gan.compile(**compiled_with(variant, implementation="keras"))
        if noise is not None:
            self.gan.instance_noise = _Nodes(noise.scale, noise.end, noise.schedule, noise.steps)
        (self._theta,), (self._psi,) = generator.trainable_variables, discriminator.trainable_variables
        self._real = tf.zeros([runs, 1 if noise is None else _NODES, 1])
        self._alternating = tf.function(lambda: self.gan.train_step(self._real), autograph=False)
        self._simultaneous = tf.function(self.step_together, autograph=False)

    def place(self, points: Points) -> None:
        """Places the players at points (theta, psi), `[runs, 2]`."""
        values = np.asarray(points, np.float32)
        self._theta.assign(values[:, 0, np.newaxis, np.newaxis])
        self._psi.assign(values[:, 1, np.newaxis, np.newaxis])

    def points(self) -> np.ndarray:
        """Returns the current points (theta, psi), `[runs, 2]`, float64."""
        return np.stack([variable.numpy()[:, 0, 0] for variable in (self._theta, self._psi)], 1).astype(np.float64)

    def alternating(self) -> None:
        """Makes a step of the game: the generator answers the discriminator that has just moved."""
        self._alternating()

    def simultaneous(self) -> None:
        """Makes one update of each player from the same point, in a compiled program."""
        self._simultaneous()

    def path(self, start: Points, steps: int, *, simultaneous: bool) -> np.ndarray:
        """Returns the points of each run after 0, 1, …, `steps` steps, `[steps + 1, runs, 2]`.

        Args:
          start: (theta, psi) of each run, `[runs, 2]`.
          steps: The number of steps.
          simultaneous: Whether the players move at the same time.
        """
        self.place(start)
        points = [self.points()]
        for _ in range(steps):
            (self.simultaneous if simultaneous else self.alternating)()
            points.append(self.points())
        return np.stack(points)

    def step_together(self) -> None:
        """Makes the step of `simultaneous`: the generator's update sees the discriminator before its own.

        It works for every game and optimiser. Where one update moves both players, as in `consensus`, it is the game's
        own step.
        """
        stream = self.gan.stream.fold(self.gan.steps)
        before = tf.identity(self._psi.value)
        self.gan.update_discriminator(self._real, stream.fold(0))
        moved = tf.identity(self._psi.value)
        self._psi.assign(before)
        self.gan.update_generator(self._real, stream.fold(1))
        self._psi.assign_add(moved - before)
        self.gan.steps.assign_add(1)


def check(variant: config_lib.Variant) -> None:
    """Checks that a Dirac-GAN can have this variant.

    Raises:
      InputError: It normalises the discriminator, or has noise and a loss that pairs its examples.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> check(VARIANTS[0])
    """
    if variant.spectral_normalization:
        raise errors.InputError(
            f"figure.variant: {variant.name!r} divides D by its slope, so that psi of D = psi x would have no effect."
        )
    if variant.instance_noise is not None and variant.loss.name not in SLOPES:
        raise errors.InputError(f"figure.noise: the loss {variant.loss.name!r} has no noise here.")
    if variant.instance_noise is not None and variant.loss.name == "relativistic":
        raise errors.InputError("figure.noise: the loss 'relativistic' compares pairs, whose noise is not averaged.")


def with_sgd(variant: config_lib.Variant, rate: float = 1.0) -> config_lib.Variant:
    """Returns a variant in which both players descend with this rate.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> with_sgd(VARIANTS[0], 0.2).generator_optimizer.name
      'sgd'
    """
    sgd = config_lib.Optimizer(name="sgd", learning_rate=rate)
    return variant.replace(generator_optimizer=sgd, discriminator_optimizer=sgd)


def field(variant: config_lib.Variant, points: Points) -> np.ndarray:
    """Returns the field (theta', psi') at points: minus the gradients that the players' updates have there.

    Weights are not clipped.

    Args:
      variant: The variant; its optimisers are not used.
      points: (theta, psi), `[n, 2]`.

    Returns:
      `[n, 2]`: the effect of one simultaneous step of gradient descent with a rate of 1.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> minimax = VARIANTS[0]
      >>> field(minimax, np.array([[0.0, 1.0], [1.0, 0.0]])).round(3) + 0.0  # f'(0) = 1 / 2
      array([[ 0.5,  0. ],
             [ 0. , -0.5]])
    """
    # A limit that no point reaches: a Wasserstein critic must have one.
    limit = None if variant.weight_clip is None else 1e6
    block = DiracGAN(with_sgd(variant).replace(weight_clip=limit, discriminator_steps=1), len(points))
    block.place(points)
    start = block.points()
    block.step_together()  # One step takes longer to compile than to compute.
    return block.points() - start


def differences(epsilon: float = 0.01) -> np.ndarray:
    """Returns the points for central differences at (0, 0), `[4, 2]`: theta ahead and behind, psi ahead and behind.

    Args:
      epsilon: Their distance from (0, 0).

    Example:
      >>> differences(1.0).tolist()
      [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    """
    return epsilon * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


def derivative(values: np.ndarray, epsilon: float = 0.01) -> np.ndarray:
    """Returns the derivative at (0, 0) of a field with these values at `differences(epsilon)`: rows theta' and psi'.

    Args:
      values: `[4, 2]`.
      epsilon: As in `differences`.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> derivative(field(VARIANTS[0], differences())).round(3) + 0.0
      array([[ 0. ,  0.5],
             [-0.5,  0. ]])
    """
    return np.stack([values[0] - values[1], values[2] - values[3]], axis=1) / (2 * epsilon)


def jacobian(variant: config_lib.Variant) -> np.ndarray | None:
    """Returns the derivative of the field at (0, 0) in closed form, `[2, 2]`; None if there is no equilibrium or form.

        J = [[0, p], [-p, -c]],   p = f'(0),   c = n + sum 2 weight over R1 and R2 + weight of Roth's penalty

    With noise of variance sigma^2, n = sigma^2 / 2 for the logistic losses, and zero where the loss is linear. A
    penalty with a target above zero has no equilibrium: psi = 0 is where it pushes most. `gradient_norm` subtracts
    2 w p (p, n) from the first row, `consensus` w J^T J from J.

    Args:
      variant: The variant, with all options.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> r1 = complete_variant(next(variant for variant in VARIANTS if variant.name == "r1"))
      >>> jacobian(r1)[1].tolist()  # gamma = 10
      [-0.5, -10.0]
    """
    slope = SLOPES.get(variant.loss.name)
    damping = 0.0
    for penalty in variant.penalties:
        weight = float(penalty.options["weight"])  # type: ignore[arg-type]
        if penalty.name == "roth":
            damping += weight
        elif penalty.name in ("r1", "r2") and penalty.options["target"] == 0:
            damping += 2 * weight
        else:
            return None
    if slope is None:
        return None
    noise = 0.0
    if variant.instance_noise is not None and variant.loss.name in _LOGISTIC:
        noise = variant.instance_noise.scale**2 / 2
    matrix = np.array([[0.0, slope], [-slope, -damping - noise]])
    weight = float(variant.game.options.get("weight", 0.0))  # type: ignore[arg-type]
    if variant.game.name == "gradient_norm":
        matrix[0] -= 2 * weight * slope * np.array([slope, noise])
    elif variant.game.name == "consensus":
        matrix = matrix - weight * matrix.T @ matrix
    elif variant.game.name not in ("gan", "simultaneous"):
        return None
    return matrix


def factor(matrix: np.ndarray, variant: config_lib.Variant, *, simultaneous: bool) -> float | None:
    """Returns by how much a step multiplies the distance to (0, 0), in the long run: the largest |mu| of the step.

    Args:
      matrix: The derivative J of the field, `[2, 2]`.
      variant: Its optimisers are `sgd` or `optimistic`, with these rates; for others the result is None.
      simultaneous: Whether the players move at the same time.

    Example:
      >>> from tfpaths.experiments.variants import VARIANTS
      >>> minimax, turn = with_sgd(VARIANTS[0], 0.2), np.array([[0.0, 0.5], [-0.5, 0.0]])
      >>> round(factor(turn, minimax, simultaneous=True), 5)  # sqrt(1 + (0.2 / 2)^2)
      1.00499
      >>> round(factor(turn, minimax, simultaneous=False), 5)
      1.0
    """
    optimizers = (variant.generator_optimizer, variant.discriminator_optimizer)
    if any(optimizer.name not in ("sgd", "optimistic") for optimizer in optimizers):
        return None
    together = simultaneous or variant.game.name in ("simultaneous", "consensus")

    def moved(state: np.ndarray) -> np.ndarray:
        point, before = state[:2].copy(), state[2:].copy()  # before: the gradients of the last updates

        def move(row: int, at: np.ndarray) -> float:
            optimizer, gradient = optimizers[row], matrix[row] @ at
            change = 2 * gradient - before[row] if optimizer.name == "optimistic" else gradient
            before[row] = gradient
            return optimizer.learning_rate * change

        if together:
            point = point + np.array([move(row, point) for row in (0, 1)])
        else:
            for _ in range(variant.discriminator_steps):
                point[1] += move(1, point)
            point[0] += move(0, point)
        return np.concatenate([point, before])

    return float(np.abs(np.linalg.eigvals(np.stack([moved(column) for column in np.eye(4)], axis=1))).max())


def measured_factor(distances: np.ndarray, lowest: float = 1e-12) -> float | None:
    """Returns the factor of a step along a path near the equilibrium: exp of the slope of the log of its distance.

    Args:
      distances: The distance after each step, from a start near (0, 0). Only steps before the first at which it is
        below `lowest`, above 0.1, or not finite are used, and of these the second half; with fewer than 10 the result
        is None.
      lowest: The least distance.

    Example:
      >>> round(measured_factor(0.01 * 0.9 ** np.arange(30)), 4)
      0.9
    """
    valid = np.isfinite(distances) & (distances > lowest) & (distances < 0.1)
    used = len(distances) if valid.all() else int(np.argmin(valid))
    if used < 10:
        return None
    steps = np.arange(used // 2, used)
    return float(np.exp(np.polyfit(steps, np.log(distances[steps]), 1)[0]))
