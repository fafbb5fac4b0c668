"""The classifiers: their accuracy, and that each is trained once."""

import numpy as np
import pytest

from tfpaths import config, data, errors
from tfpaths.data import prepared
from tfpaths.metrics import cache, classifiers, extractors

COLOR = data.of(config.Data(name="color_mnist"))


def recipe(**changes):
    known = classifiers._RECIPES["digits", "embedded"]
    return classifiers._Recipe(**{"network": known.network, "epochs": 2, "batch_size": 64, "required": 0.05} | changes)


def test_embedded_digits_classifier_is_accurate():
    assert classifiers.get("digits", source="embedded").accuracy >= 0.96


def test_mnist_classifier_is_accurate(tfds_dir):
    assert classifiers.get("digits", source="tfds", data_dir=str(tfds_dir)).accuracy >= 0.99


def test_accuracy_is_measured_on_the_test_images():
    classifier = classifiers.get("digits", source="embedded")
    test = data.digits.embedded("test")
    logits, features = classifier.model(test.images[..., np.newaxis] / np.float32(127.5) - 1)
    assert classifier.accuracy == pytest.approx((np.argmax(logits, axis=1) == test.labels).mean())
    assert features.shape == (360, 64)
    assert np.abs(features).max() <= 1


def test_unknown_classifier_is_refused():
    with pytest.raises(errors.InputError, match="unknown classifier 'digit'; did you mean 'digits'"):
        classifiers.get("digit")


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_a_stand_in_has_the_shapes_of_the_model(name):
    model, _ = classifiers._RECIPES[name, "tfds"].network()
    images = np.zeros((3, *model.input_shape[1:]), np.float32)
    shapes = [[value.shape for value in one(images, training=False)] for one in (model, classifiers.stand_in(name))]
    assert shapes[0] == shapes[1]


class TestOnFirstUse:
    @pytest.fixture(autouse=True)
    def quick(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))
        monkeypatch.setitem(classifiers._RECIPES, ("digits", "embedded"), recipe())

    def test_trained_again_only_if_its_file_is_damaged(self, tmp_path, capsys, caplog):
        first = classifiers.get("digits", source="embedded")
        assert capsys.readouterr().out.startswith("Training the classifier of digits (embedded), once; it is cached in")
        cached = classifiers.get("digits", source="embedded")
        assert capsys.readouterr().out == ""
        (file,) = tmp_path.iterdir()
        file.write_bytes(file.read_bytes()[:-100])
        retrained = classifiers.get("digits", source="embedded")
        assert "is damaged" in caplog.text
        assert "Training" in capsys.readouterr().out
        for other in (cached, retrained):
            assert (other.accuracy, other.key) == (first.accuracy, first.key)
            for one, two in zip(first.model.get_weights(), other.model.get_weights(), strict=True):
                np.testing.assert_array_equal(one, two)

    def test_inaccurate_classifier_is_refused_and_not_cached(self, tmp_path, monkeypatch):
        strict = recipe(epochs=1, batch_size=600, required=0.96)
        monkeypatch.setitem(classifiers._RECIPES, ("digits", "embedded"), strict)
        with pytest.raises(errors.RunError, match=r"reads \d+\.\d+% of the test images correctly; its scores need 96%"):
            classifiers.get("digits", source="embedded")
        assert list(tmp_path.iterdir()) == []

    def test_classifier_depends_on_the_training_images(self, monkeypatch):
        """As many images of the same name, and the same test images."""
        first = classifiers.get("digits", source="embedded")
        embedded = data.digits.embedded

        def reordered(split):
            digits = embedded(split)
            if split == "test":
                return digits
            return data.digits.Digits(digits.images[::-1], digits.labels[::-1], "embedded")

        monkeypatch.setattr(data.digits, "embedded", reordered)
        other = classifiers.get("digits", source="embedded")
        assert first.key.rsplit("-", 1)[0] != other.key.rsplit("-", 1)[0]


def test_key_depends_on_the_classifiers_weights(own_cache):
    first = extractors.get("digits", COLOR, source="embedded")
    (file,) = own_cache.iterdir()
    arrays, facts = cache.read(file.name)
    cache.write(file.name, {k: v + 1e-3 for k, v in arrays.items()}, facts)
    assert extractors.get("digits", COLOR, source="embedded").key != first.key
    cache.write(file.name, arrays, facts | {"accuracy": 0.9})
    line = r"reads 90\.00% of the test images correctly; its scores need 96%\. To fix this"
    with pytest.raises(errors.RunError, match=line):
        extractors.get("digits", COLOR, source="embedded")


@pytest.mark.slow
def test_cifar10_classifier_trains_and_reads_test_images(tfds_dir):
    if prepared.find(tfds_dir, "cifar10") is None:
        pytest.skip(f"CIFAR-10 is not prepared in {tfds_dir}")
    data_set = data.of(config.Data(name="cifar10"))
    extractor = extractors.get("cifar10", data_set, data_dir=str(tfds_dir))
    assert 0.6 <= extractor.accuracy < 1
    assert not extractor.is_inception
    test = data.load("cifar10", "test", data_dir=str(tfds_dir))
    logits, features = extractor.collect(test.some, 0, 1000)
    assert (logits.shape, features.shape) == ((1000, 10), (1000, extractors.dimensions("cifar10", data_set)))
