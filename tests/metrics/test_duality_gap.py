"""The duality gap against the exact values of games on a line, and for each kind of game."""

import math

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from tfpaths import config, errors, experiments, games
from tfpaths.gan import GAN
from tfpaths.lines import equilibrium
from tfpaths.metrics import duality_gap, sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.networks import mixture

WEIGHT = 0.5  # gamma / 2, of (gamma / 2) |w|^2
R1 = experiments.get("line1_r1").variant.replace(penalty=config.Penalty(name="r1", weight=WEIGHT))
LINE = (2.0, 0.0)


def softplus(x):
    return math.log1p(math.exp(x))


def gains(variant, *, slope=(0.0, 0.0), offset=(0.0, 0.0), steps, rate, line=LINE):
    """The gains on the line, with exact moments: G at `offset` from the data, and D(x) = slope.x."""
    gan, real = equilibrium.game(variant, line, [slope])
    gan.generator.trainable_variables[0].assign([offset])
    sgd = [keras.optimizers.SGD(rate) for _ in range(2)]
    gan.compile(generator_optimizer=sgd[0], discriminator_optimizer=sgd[1])
    before = [weight.copy() for weight in gan.get_weights()]

    def nodes(start):
        return tf.data.Dataset.from_tensors(real).repeat()

    found = duality_gap.gains(gan, nodes, nodes, steps=steps, batches=2)
    for one, other in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Exact moments: each batch has the same loss.
    assert all(np.ptp(values) < 1e-6 for values in found.values())
    return {player: values[0] for player, values in found.items()}


def test_the_equilibrium_has_no_gap():
    found = gains(R1, steps=20, rate=0.5)
    assert found == pytest.approx({"discriminator": 0.0, "generator": 0.0}, abs=1e-6)


@pytest.mark.parametrize("distance", [0.5, 2.0])
def test_gain_of_the_best_linear_discriminator(distance):
    # Data at 0, samples at v, aside of the line: D = a (|v| / 2 - u) along v is best, where a minimises
    # 2 softplus(-a |v| / 2) + weight a^2; and at w = 0 the loss is 2 log 2. The generator has no gradient there.
    loss = lambda a: 2 * softplus(-a * distance / 2) + WEIGHT * a * a  # noqa: E731
    best = scipy.optimize.minimize_scalar(loss, bounds=(0, 20), method="bounded", options={"xatol": 1e-10}).fun
    found = gains(R1, offset=(0.0, distance), steps=400, rate=0.3)
    assert found["discriminator"] == pytest.approx(2 * math.log(2) - best, abs=1e-5)
    assert found["generator"] == pytest.approx(0.0, abs=1e-6)


def test_gain_of_a_generator_by_hand():
    # G at the data, D = w.x aside of the line: u = w.c moves by rate S(-u) |w|^2, and the loss is softplus(-u).
    u, slope, rate = 0.0, 1.5, 0.4
    for _ in range(7):
        u += rate * slope**2 / (1 + math.exp(u))
    found = gains(R1, slope=(0.0, slope), steps=7, rate=rate)
    assert found["generator"] == pytest.approx(math.log(2) - softplus(-u), abs=1e-5)


def test_bilinear_game_by_hand():
    """Loss `wasserstein` with R1: L_D = w.v + weight |w|^2, and each step takes w nearer to -v / (2 weight)."""
    variant = R1.replace(loss=config.Loss(name="wasserstein"))
    w, v, rate, steps = np.array([0.3, -0.7]), np.array([0.5, 1.0]), 0.2, 5
    best = -v / (2 * WEIGHT)
    after = best + (1 - 2 * WEIGHT * rate) ** steps * (w - best)
    loss = lambda w: float(w @ v + WEIGHT * w @ w)  # noqa: E731
    found = gains(variant, slope=w, offset=v, steps=steps, rate=rate)
    assert found["discriminator"] == pytest.approx(loss(w) - loss(after), abs=1e-5)
    # L_G = -w.(c + S E z): c moves by rate w in each step. S moves too, and has no effect on the mean.
    assert found["generator"] == pytest.approx(steps * rate * float(w @ w), abs=1e-5)


def test_noise_of_the_updates_makes_it_negative():
    """At the equilibrium, with batches of ten of other examples than the losses are measured on."""
    gan = GAN(slope("ones"), slope(), loss="non_saturating")
    gan.compile(generator_optimizer=keras.optimizers.SGD(1.0), discriminator_optimizer=keras.optimizers.SGD(1.0))
    data = np.random.default_rng(0).normal(size=(2, 100, 10, 1)).astype(np.float32)
    train, test = (
        lambda start, values=values: tf.data.Dataset.from_tensor_slices(values).repeat().skip(start) for values in data
    )
    gain, error = duality_gap.estimate(duality_gap.gains(gan, train, test, steps=3, batches=100)["discriminator"])
    assert gain < -3 * error


def slope(value="zeros"):
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer=value)])


def toy_game(name, **options):
    players = [
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(1), keras.layers.BatchNormalization()]), slope("ones"))
        for _ in range(options.get("size", 1))
    ]
    if name == "mix":
        players = [(mixture.generator([g for g, _ in players]), mixture.discriminator([d for _, d in players]))]
    gan = games.GAMES[name](*players[0], loss="non_saturating", **options)
    gan.compile(generator_optimizer=keras.optimizers.Adam(0.1), discriminator_optimizer=keras.optimizers.Adam(0.1))
    return gan


@pytest.mark.parametrize(
    ("name", "options", "players"),
    [
        ("gan", {"ema": 0.9, "weight_clip": 0.9}, ["discriminator", "generator"]),
        ("simultaneous", {}, ["discriminator", "generator"]),
        ("consensus", {}, ["discriminator", "generator"]),
        ("gradient_norm", {}, ["discriminator", "generator"]),
        ("mix", {"size": 2}, ["discriminator", "generator"]),
        ("dcd", {"refinement_steps": 1}, ["discriminator"]),
    ],
)
def test_every_game_has_it(name, options, players):
    gan = toy_game(name, **options)
    before = [value.copy() for value in gan.get_weights()]
    zeros = lambda start: tf.data.Dataset.from_tensors(tf.zeros([8, 1])).repeat()  # noqa: E731
    found = duality_gap.gains(gan, zeros, zeros, steps=2, batches=2)
    assert list(found) == players
    assert all(np.isfinite(values).all() and values.mean() != 0 for values in found.values())
    for one, other in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_games_are_here():
    names = {values[0] for mark in test_every_game_has_it.pytestmark for values in mark.args[1]}
    assert names == {name for name, game in games.GAMES.items() if game.__module__.startswith("tfpaths.")}


def test_gap_has_the_error_of_the_sum(monkeypatch):
    # Equal and opposite on each batch: the gap is 0 without an error.
    values = np.array([1.0, 3.0, -2.0])
    monkeypatch.setattr(duality_gap, "gains", lambda *_, **__: {"discriminator": values, "generator": -values})
    context = Context(config.Data(name="mog", examples=100), config.Evaluation())
    source = sources.samples(lambda num, stream: stream.normal([num, 2]), seed=0, gan=toy_game("gan"))
    found = duality_gap.DualityGap().compute(context, source)
    assert (found["duality_gap"], found["duality_gap_error"]) == (0.0, 0.0)
    assert found["discriminator_gain"] == pytest.approx(2 / 3)


def test_only_one_player_moves():
    gan = toy_game("gan")
    copy = duality_gap.copied(gan)
    zeros = tf.data.Dataset.from_tensors(tf.zeros([8, 1])).repeat()
    duality_gap._train(copy, "generator", iter(zeros), copy.stream, 2)
    np.testing.assert_array_equal(copy.discriminator.get_weights()[0], gan.discriminator.get_weights()[0])
    assert abs(copy.generator.get_weights()[0] - gan.generator.get_weights()[0]).max() > 0.1


class Kept(GAN):
    """A game that cannot be stored."""

    def __init__(self, *args, helper, **kwargs):
        super().__init__(*args, **kwargs)


def test_a_game_that_cannot_be_stored_is_refused():
    gan = Kept(slope(), slope(), loss="non_saturating", helper=object())
    gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
    with pytest.raises(
        errors.InputError, match="^duality_gap: expected a game that can be saved, received Kept: .*help"
    ):
        duality_gap.copied(gan)


def test_examples_without_players_are_refused():
    evaluator = Evaluator(config.Data(name="mog", examples=50), config.Evaluation(metrics=("duality_gap",)))
    with pytest.raises(errors.InputError, match="duality_gap: expected the samples of a run"):
        evaluator.measure(sources.noise((2,), 0))


def test_it_has_no_floor_and_ceiling(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))
    wanted = config.Evaluation(metrics=("duality_gap", "mmd"), references=True)
    found = Evaluator(config.Data(name="mog", examples=50), wanted).references()
    assert {kind: list(values) for kind, values in found.items()} == {"real": ["mmd2"], "noise": ["mmd2"]}
