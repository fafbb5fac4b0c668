"""Two classifiers whose features replace Inception's: of digits, and of CIFAR-10. They are trained on first use.

They are small and train in minutes. They are not from a paper. Their accuracy on test images is reported with their
scores. Scores are comparable only between runs whose classifiers have the same key.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tfpaths import data, errors, progress
from tfpaths.compat import keras as compat
from tfpaths.data import Examples
from tfpaths.metrics import cache

# Part of the cache keys: increase it when a recipe below changes.
_VERSION = 2
# Test images that are classified at once.
_BATCH = 500
# Name -> the classifier's number of features.
FEATURES = {"digits": 64, "cifar10": 128}


class UnfitError(errors.RunError):
    """The accuracy of a classifier is too low for its scores to be meaningful."""


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
      model: Images `[batch, height, width, channels]` in [-1, 1] -> (logits `[batch, 10]`, features `[batch, width]`).
      accuracy: The share of test images that it classifies correctly, in [0, 1].
      key: Text that identifies the classifier and its weights, for the cache keys of its features.

    Example:
      >>> classifier = Classifier(stand_in("digits"), accuracy=0.1, key="zeros")
      >>> logits, features = classifier.model(tf.zeros([5, 28, 28, 1]))
      >>> logits.shape, features.shape
      (TensorShape([5, 10]), TensorShape([5, 64]))
    """

    model: keras.Model
    accuracy: float
    key: str


@dataclasses.dataclass(frozen=True)
class _Recipe:
    # Returns the classifier, and the model that is trained: images, augmented at random -> the classifier's logits.
    network: Callable[[], tuple[keras.Model, keras.Model]]
    epochs: int
    batch_size: int
    # The minimum accuracy on test images.
    required: float


def _digits_network(shift: float) -> tuple[keras.Model, keras.Model]:
    """Returns two convolutions and features in [-1, 1]; training shifts digits by up to `shift` of their side."""
    layers, weights = keras.layers, _initializers(4)
    images = keras.Input((28, 28, 1))
    x = layers.Conv2D(32, 5, 2, activation="relu", kernel_initializer=next(weights))(images)
    x = layers.Conv2D(64, 3, activation="relu", kernel_initializer=next(weights))(x)
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    # tanh bounds the features, so that distances between them have a scale.
    features = layers.Dense(FEATURES["digits"], activation="tanh", kernel_initializer=next(weights))(x)
    logits = layers.Dense(10, kernel_initializer=next(weights))(features)
    model = keras.Model(images, [logits, features])
    shifted = layers.RandomTranslation(shift, shift, fill_mode="constant", fill_value=-1.0, seed=0)
    trained = keras.Model(images, model(shifted(images))[0])
    return model, trained


def _cifar10_network() -> tuple[keras.Model, keras.Model]:
    """Returns four convolutions with BatchNorm and average pooling; training mirrors and shifts images."""
    layers, weights = keras.layers, _initializers(5)
    images = keras.Input((32, 32, 3))
    x = images
    for filters, size, stride in ((32, 5, 2), (64, 3, 1), (128, 3, 2), (FEATURES["cifar10"], 3, 1)):
        x = layers.Conv2D(filters, size, stride, "same", use_bias=False, kernel_initializer=next(weights))(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(10, kernel_initializer=next(weights))(features)
    model = keras.Model(images, [logits, features])
    mirrored = layers.RandomFlip("horizontal", seed=0)(images)
    shifted = layers.RandomTranslation(0.1, 0.1, fill_mode="reflect", seed=1)(mirrored)
    return model, keras.Model(images, model(shifted)[0])


def _initializers(count: int) -> Iterator[keras.initializers.Initializer]:
    """Returns an initializer for each layer, with the layer's number as its seed."""
    return iter([keras.initializers.GlorotUniform(seed=seed) for seed in range(count)])


# (classifier, source of its images) -> its recipe.
_RECIPES = {
    ("digits", "tfds"): _Recipe(functools.partial(_digits_network, 0.07), epochs=6, batch_size=128, required=0.99),
    ("digits", "embedded"): _Recipe(functools.partial(_digits_network, 0.1), epochs=50, batch_size=32, required=0.96),
    # The accuracy is for all of CIFAR-10; a fifth of the images gives a lower one.
    ("cifar10", "tfds"): _Recipe(_cifar10_network, epochs=12, batch_size=64, required=0.6),
}


def get(name: str, *, source: str = "tfds", data_dir: str | None = None) -> Classifier:
    """Returns the classifier with that name from the cache; if it is not cached, trains and caches it.

    Args:
      name: `digits` or `cifar10`.
      source: The source of the digits, `tfds` or `embedded`; any other value means `tfds`.
      data_dir: The directory of prepared TFDS data.

    Raises:
      InputError: There is no such classifier, or the data is not available.
      UnfitError: The accuracy on test images is below the required one.
    """
    errors.choose("classifier", name, FEATURES)
    if (name, source) not in _RECIPES:
        source = "tfds"
    recipe = _RECIPES[name, source]
    with compat.own_settings():
        model, trained = recipe.network()
    train_images, test_images = (_load(name, split, source, data_dir) for split in ("train", "test"))
    contents = (train_images.content, test_images.content)
    shapes = [weight.shape for weight in model.weights]
    key = cache.key("classifier", name, source, *contents, recipe.epochs, recipe.batch_size, shapes, _VERSION)

    def make():
        _train(trained, recipe, name, train_images)
        accuracy = _accuracy(model, test_images)
        _check(accuracy, recipe, f"{name} ({source})")
        weights = {f"weight_{index:03d}": weight for index, weight in enumerate(model.get_weights())}
        return weights, {"accuracy": accuracy}

    weights, facts = cache.fetch(key, make)
    _check(facts["accuracy"], recipe, f"{name} ({source})")
    values = [weights[index] for index in sorted(weights)]
    model.set_weights(values)
    # The key includes the weights: training on another machine gives different ones, and so different features.
    return Classifier(model, facts["accuracy"], f"{key}-{cache.checksum(*values)}")


def stand_in(name: str) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function with the interface of a classifier's model, whose outputs are zeros of the same shapes.

    Args:
      name: `digits` or `cifar10`.

    Example:
      >>> logits, features = stand_in("cifar10")(tf.zeros([5, 32, 32, 3]))
      >>> logits.shape, features.shape
      (TensorShape([5, 10]), TensorShape([5, 128]))
    """

    def model(images: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.shape(images)[0]
        return tf.zeros([batch, 10]), tf.zeros([batch, FEATURES[name]])

    return model


def _check(accuracy: float, recipe: _Recipe, what: str) -> None:
    if accuracy < recipe.required:
        raise UnfitError(
            f"the classifier of {what} reads {accuracy:.2%} of the test images correctly; its scores need "
            f"{recipe.required:.0%}. To fix this: choose another extractor (--set evaluation.extractor=…), or "
            "--set evaluation.metrics=ms_ssim."
        )


def _load(name: str, split: str, source: str, data_dir: str | None) -> Examples:
    if name != "digits":
        return data.load(name, split, data_dir=data_dir)
    digits = data.digits.load(split, source=source, data_dir=data_dir)
    return data.examples.in_memory("digits", split, source, digits.images[..., np.newaxis], digits.labels)


def _train(trained: keras.Model, recipe: _Recipe, name: str, images: Examples) -> None:
    steps = images.size // recipe.batch_size
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps * recipe.epochs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    labels = tf.constant(images.labels)
    batches = (
        tf.data.Dataset.range(images.size)
        .shuffle(images.size, seed=0)
        .batch(recipe.batch_size, drop_remainder=True)
        .map(lambda positions: (images.take(positions), tf.gather(labels, positions)))
        .prefetch(2)
    )
    progress.say(f"Training the classifier of {name} ({images.source}), once; it is cached in {cache.directory()}.")
    for _ in progress.shown(range(recipe.epochs), "classifier, epoch", recipe.epochs):
        trained.fit(batches, verbose=0, shuffle=False)


def _accuracy(model: keras.Model, images: Examples) -> float:
    """Returns the share of images that the model classifies correctly."""
    correct = 0
    for start in range(0, images.size, _BATCH):
        positions = np.arange(start, min(start + _BATCH, images.size))
        logits, _ = model(images.take(positions), training=False)
        correct += int((np.argmax(logits, axis=1) == images.labels[positions]).sum())
    return correct / images.size
