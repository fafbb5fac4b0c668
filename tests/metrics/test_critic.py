"""The independent critic against known distances, and as a metric."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, data, errors, streams
from tfpaths.data import Examples, examples
from tfpaths.metrics import critic, sources
from tfpaths.metrics.evaluator import Evaluator


class Normal:
    """N(mean, I) in the plane, like images of two pixels: a sampler and a data set."""

    def __init__(self, mean, seed):
        self.mean = tf.constant(mean, tf.float32)
        self.seed = seed

    def __call__(self, num, stream):
        return self.mean + stream.fold(self.seed).normal([num, 2])

    def batches(self, batch_size):
        # The batch of a step is a function of the step, as the images' batches are.
        return tf.data.Dataset.counter().map(
            lambda step: tf.ensure_shape(self(batch_size, streams.root(9).fold(step)), [batch_size, 2])
        )

    def examples(self, split, size):
        drawn = self(size, streams.root(5).fold(("train", "test", "validation").index(split)))
        return Examples("normal", split, "drawn", (2,), size, np.zeros(size), lambda where: tf.gather(drawn, where))


def mlp(seed):
    layers, start = keras.layers, keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(256, activation="relu", kernel_initializer=start(seed=seed)),
            layers.Dense(256, activation="relu", kernel_initializer=start(seed=seed + 1)),
            layers.Dense(1, kernel_initializer=start(seed=seed + 2)),
        ]
    )


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.6, 0.8), (3.0, -4.0)])
def test_distance_of_two_normal_distributions(shift):
    # Of two distributions that differ by a shift W1 is its length: 0, 1 and 5.
    distance = math.hypot(*shift)
    real, fake = Normal((0.0, 0.0), 1), Normal(shift, 2)
    trained = critic.train(fake, real.batches(64), steps=3000, seed=0, model=mlp(0))
    splits = {split: real.examples(split, 4000) for split in ("train", "test")}
    found = critic.estimates(trained, fake, splits, count=4000, seed=3)
    # Too low because training is incomplete; off in both directions because of sampling.
    assert abs(found["wasserstein_test"] - distance) < 3 * found["wasserstein_error"] + 0.05 * distance
    # Of 4,000 draws each, along one axis: sqrt(2 / 4000).
    if distance:
        assert found["wasserstein_error"] == pytest.approx(math.sqrt(2 / 4000), rel=0.1)
    # The penalty lets the slope exceed 1 by w / 20, which the estimate is divided by.
    assert trained.slope == pytest.approx(1 + distance / 20, rel=0.06) or distance == 0
    assert abs(found["wasserstein_gap"]) < 4 * found["wasserstein_error"]
    assert found["wasserstein_gap"] == pytest.approx(found["wasserstein_test"] - found["wasserstein_train"])


def test_the_same_seed_gives_the_same_critic():
    real, fake = Normal((0.0, 0.0), 1), Normal((1.0, 0.0), 2)
    weights = [
        critic.train(fake, real.batches(8), steps=60, seed=4, model=mlp(1)).model.get_weights() for _ in range(2)
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_memorised_training_images_give_a_gap():
    # A generator that has memorised 8 points: nearer to them than to points outside the training set.
    real = Normal((0.0, 0.0), 1)
    train = real.examples("train", 8)

    def memorised(num, stream):
        return train.take(tf.cast(stream.uniform([num]) * 8, tf.int32))

    trained = critic.train(memorised, real.batches(64), steps=3000, seed=0, model=mlp(3))
    found = critic.estimates(trained, memorised, {"train": train, "test": real.examples("test", 4000)}, count=4000)
    assert found["wasserstein_gap"] > 5 * found["wasserstein_error"]


def test_default_critic_has_the_images_shape():
    images = examples.in_memory("x", "train", "drawn", np.zeros((80, 28, 28, 3), np.uint8), np.zeros(80))
    trained = critic.train(lambda num, stream: tf.ones([num, 28, 28, 3]), images.batches(16), steps=2)
    assert trained.model.input_shape == (None, 28, 28, 3)
    assert trained.scores(lambda start, num: images.take(tf.range(start, start + num)), 80).shape == (80,)


WANTED = config.Evaluation(metrics=("critic",), critic_steps=2, samples=64)


def test_too_few_validation_images_are_refused(pictures):
    for split, count in (("train", 100), ("validation", 20), ("test", 30)):
        path = pictures(split, np.ones((count, 8, 8, 3)) * np.arange(count)[:, None, None, None])
    evaluator = Evaluator(config.Data(name="folder", path=path, image_size=28), WANTED)
    line = "expected at least 64 validation images, one batch, received 20"
    with pytest.raises(errors.InputError, match=line):
        evaluator.measure(sources.noise((28, 28, 3), 0))


@pytest.mark.parametrize(("size", "splits", "reason"), [(28, ("train",), "no split validation"), (20, "all", "square")])
def test_unsupported_data_sets_are_refused(pictures, size, splits, reason):
    for split in ("train", "validation", "test") if splits == "all" else splits:
        path = pictures(split, np.zeros((2, 8, 8, 3)))
    with pytest.raises(errors.InputError, match=f"'critic' cannot be computed for folder, which has .*{reason}"):
        Evaluator(config.Data(name="folder", path=path, image_size=size), WANTED)


def test_images_that_are_not_square_are_refused(monkeypatch):
    monkeypatch.setattr(data.get("color_mnist"), "shape", (28, 32, 3))
    with pytest.raises(
        errors.InputError, match="'critic' cannot be computed .* which has no square images of 16, 28, 32"
    ):
        Evaluator(config.Data(name="color_mnist", source="embedded"), WANTED)


def test_critic_is_trained_once_per_state(monkeypatch):
    trained = []
    monkeypatch.setattr(
        critic, "train", lambda *args, train=critic.train, **kw: trained.append(0) or train(*args, **kw)
    )
    evaluator = Evaluator(config.Data(name="color_mnist", source="embedded"), WANTED)
    step = [1]
    source = sources.samples(sources.noise((28, 28, 3), 0).sampler, 0, state=lambda: step[0])
    one, other = evaluator.measure(source), evaluator.measure(source, count=32)
    assert one["wasserstein_error"] != other["wasserstein_error"]
    assert len(trained) == 1
    step[0] = 2
    assert evaluator.measure(source) == one
    assert len(trained) == 2
