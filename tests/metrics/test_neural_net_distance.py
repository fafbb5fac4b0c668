"""The neural-net distance against total variations, its generalisation gap, and as a metric."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfpaths import config, errors
from tfpaths.metrics import neural_net_distance as nnd
from tfpaths.metrics import sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.networks.mlp import MLP

MOG = config.Data(name="mog", examples=400)
WANTED = config.Evaluation(metrics=("neural_net_distance",), neural_net_steps=300)


def normal(seed, mean, num=4_000):
    return (np.random.default_rng(seed).normal(size=(num, 1)) + mean).astype(np.float32)


def test_first_step_by_hand(monkeypatch):
    # D(x) = S(w x), w = 0, x = 1 against -1: the derivative of S(w) - S(-w) is 1/2. One step of gradient descent.
    monkeypatch.setattr(keras.optimizers, "Adam", lambda *args: keras.optimizers.SGD(0.8))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    real = np.ones([9, 1], np.float32)
    nnd.train(model, real, -real, steps=1)
    assert float(model.layers[0].kernel[0, 0]) == pytest.approx(0.4)
    assert nnd.judge(model, real, -real) == (pytest.approx(2 / (1 + math.exp(-0.4)) - 1), pytest.approx(0, abs=1e-7))


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_total_variation_of_two_normal_distributions(shift):
    # At most TV = 2 Phi(shift / 2) - 1, which the class reaches in the limit of a step; here D is still less steep.
    variation = 2 * scipy.stats.norm.cdf(shift / 2) - 1
    model = MLP(width=32, depth=1).discriminator((1,), seed=0)
    nnd.train(model, normal(0, 0.0), normal(1, shift), steps=1_000)
    distance, error = nnd.judge(model, normal(2, 0.0), normal(3, shift))
    assert variation - 0.1 < distance < variation + 3 * error


def test_distance_and_error_by_hand():
    # Scores of 0 and 1: a mean of 3/4 against 1/2, with the variances 3/16 and 1/4, of 8 and 6 examples.
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    real, fake = (np.array([signs], np.float32).T * 50.0 for signs in ([1, 1, 1, -1] * 2, [1, -1] * 3))
    assert nnd.judge(model, real, fake) == pytest.approx((0.25, math.sqrt(3 / 16 / 8 + 1 / 4 / 6)), abs=1e-6)


def test_few_samples_are_told_apart_by_heart():
    """Theorem 3.3 needs many samples: with 20 in 50 dimensions, a network separates two of the same distribution."""
    random = np.random.default_rng(0)
    first, second = ([random.normal(size=(20, 50)).astype(np.float32) for _ in range(2)] for _ in range(2))
    model = MLP(width=64, depth=1).discriminator((50,), seed=0)
    nnd.train(model, *first, steps=500)
    assert nnd.judge(model, *first)[0] > 0.95
    distance, error = nnd.judge(model, *second)
    assert abs(distance) < 4 * error


def test_metric_is_that_of_its_two_samples():
    evaluator = Evaluator(MOG, WANTED)
    test, train = evaluator.examples("test"), evaluator.examples("train")
    found = evaluator.measure(sources.real(train))
    model = nnd.network(Context(MOG, config.Evaluation()))
    # Half of the 400 points of each.
    real, fake = (examples.some(0, 400).numpy() for examples in (test, train))
    nnd.train(model, real[:200], fake[:200], steps=300)
    (own, _), (distance, error) = (nnd.judge(model, real[part], fake[part]) for part in (slice(200), slice(200, 400)))
    expected = {"neural_net_distance": distance, "neural_net_gap": own - distance, "neural_net_error": error}
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert evaluator.protocol()["neural_net_samples"] == 200
    # Points of one distribution; it has learnt something by heart.
    assert abs(distance) < 4 * error
    assert found["neural_net_gap"] > 0


def test_images_have_it():
    wanted = WANTED.replace(neural_net_steps=2, neural_net_samples=70)
    evaluator = Evaluator(config.Data(name="color_mnist", source="embedded"), wanted)
    found = evaluator.measure(sources.noise((28, 28, 3), 0))
    assert found["neural_net_error"] > 0
    assert evaluator.protocol()["neural_net_samples"] == 70


def test_same_state_is_measured_once(monkeypatch):
    calls = []
    monkeypatch.setattr(nnd, "train", lambda *args, **kwargs: calls.append(0))
    evaluator, step = Evaluator(MOG, WANTED), [0]
    source = sources.samples(lambda num, stream: stream.normal([num, 2]), 0, state=lambda: step[0])
    assert evaluator.measure(source) == evaluator.measure(source)
    assert len(calls) == 1
    step[0] = 1
    evaluator.measure(source)
    assert len(calls) == 2


def test_too_few_samples_are_refused():
    few = sources.Source(lambda start, num: tf.zeros([num, 2]), None, size=1)
    with pytest.raises(errors.InputError, match="neural_net_distance: expected two real examples and two samples"):
        Evaluator(MOG, WANTED).measure(few)


def test_images_that_are_not_square_are_refused(pictures):
    path = pictures("train", np.zeros((2, 8, 8, 3)))
    with pytest.raises(errors.InputError, match="'neural_net_distance' cannot be computed for folder, which has no sq"):
        Evaluator(config.Data(name="folder", path=path, image_size=20), WANTED)
