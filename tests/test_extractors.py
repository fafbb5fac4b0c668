"""Classifiers and extractors: what they read, what they refuse, and that they are made once."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub

from tfpaths import config, data
from tfpaths.data import prepared
from tfpaths.metrics import classifiers, extractors
from tfpaths.tfgan import tfgan


class Inception(tf.Module):
    """TF-GAN's Inception by its interface alone: fixed random projections of 75 averages."""

    def __init__(self, logits=1008, features=2048, names=("logits", "pool_3")):
        super().__init__()
        draw = np.random.default_rng(0)
        self.names = names
        self.projections = [tf.Variable(draw.normal(size=(75, n)), dtype=tf.float32) for n in (logits, features)]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def __call__(self, images):
        small = tf.reshape(tf.image.resize(images, (5, 5)), [-1, 75])
        values = [tf.matmul(small, projection) for projection in self.projections]
        # As pool_3 is in the original: with two axes of length one.
        values[1] = values[1][:, tf.newaxis, tf.newaxis, :]
        return dict(zip(self.names, values, strict=True))


def saved(folder, module, **options):
    tf.saved_model.save(module, str(folder), **options)
    return str(folder)


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("inception"), Inception())


def images(count, side=28):
    return tf.random.stateless_uniform((count, side, side, 3), [0, 1], -1.0, 1.0)


class TestDigits:
    def test_the_embedded_digits_are_read_well_enough(self):
        assert classifiers.get("digits", source="embedded").accuracy >= 0.96

    def test_mnist_is_read_well_enough(self, tfds_dir):
        assert classifiers.get("digits", source="tfds", data_dir=str(tfds_dir)).accuracy >= 0.99

    def test_accuracy_is_the_share_of_test_images_read_rightly(self):
        classifier = classifiers.get("digits", source="embedded")
        test = data.digits.embedded("test")
        logits, features = classifier.model(test.images[..., np.newaxis] / np.float32(127.5) - 1)
        assert classifier.accuracy == pytest.approx((np.argmax(logits, axis=1) == test.labels).mean())
        assert features.shape == (360, 64)
        assert np.abs(features).max() <= 1

    @pytest.mark.parametrize("name", ["color_mnist", "stacked_mnist"])
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_modes_of_real_images_are_read_as_the_data_set_defines_them(self, name, split):
        extractor = extractors.get("digits", name, source="embedded")
        real = data.load(name, split, source="embedded")
        logits, features = extractor.collect(lambda start, num: real.take(np.arange(start, start + num)), 0, 300)
        read, known = logits.argmax(axis=1), real.labels[:300]
        if name == "color_mnist":
            assert logits.shape == (300, 70)
            # A colour is on or off, and is never misread.
            np.testing.assert_array_equal(read % 7, known % 7)
            assert (read // 7 == known // 7).mean() >= 0.95
        else:
            assert logits.shape == (300, 1000)
            assert (read == known).mean() >= 0.95**3
        assert features.shape == (300, 192)
        # They are logarithms of probabilities.
        np.testing.assert_allclose(np.exp(logits.astype(np.float64)).sum(axis=1), 1.0, rtol=1e-4)

    def test_features_see_colours(self):
        extractor = extractors.get("digits", "color_mnist", source="embedded")
        real = data.load("color_mnist", source="embedded").take(np.arange(50))
        one, other = (extractor.outputs(x)[1] for x in (real, tf.reverse(real, [-1])))
        np.testing.assert_allclose(tf.reshape(other, [50, 3, 64])[:, ::-1], tf.reshape(one, [50, 3, 64]), atol=1e-5)
        assert np.abs(one - other).max() > 0.5

    def test_a_black_image_is_read_as_something(self):
        extractor = extractors.get("digits", "color_mnist", source="embedded")
        assert all(np.isfinite(value).all() for value in extractor.outputs(-tf.ones((2, 28, 28, 3))))


class TestOnFirstUse:
    @pytest.fixture(autouse=True)
    def quick(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))
        recipe = classifiers._RECIPES["digits", "embedded"]
        quick = classifiers._Recipe(recipe.network, epochs=2, batch_size=64, required=0.05)
        monkeypatch.setitem(classifiers._RECIPES, ("digits", "embedded"), quick)

    def test_a_classifier_is_trained_once_and_again_where_its_file_is_damaged(self, tmp_path, capsys, caplog):
        first = classifiers.get("digits", source="embedded")
        assert capsys.readouterr().out.startswith("Training the classifier of digits (embedded), once; it is kept in")
        again = classifiers.get("digits", source="embedded")
        assert capsys.readouterr().out == ""
        (file,) = tmp_path.iterdir()
        file.write_bytes(file.read_bytes()[:-100])
        anew = classifiers.get("digits", source="embedded")
        assert "is damaged" in caplog.text
        assert "Training" in capsys.readouterr().out
        for other in (again, anew):
            assert (other.accuracy, other.key) == (first.accuracy, first.key)
            for one, two in zip(first.model.get_weights(), other.model.get_weights(), strict=True):
                np.testing.assert_array_equal(one, two)

    def test_one_that_reads_too_little_is_refused_and_not_kept(self, tmp_path, monkeypatch):
        recipe = classifiers._RECIPES["digits", "embedded"]
        strict = classifiers._Recipe(recipe.network, epochs=1, batch_size=600, required=0.96)
        monkeypatch.setitem(classifiers._RECIPES, ("digits", "embedded"), strict)
        with pytest.raises(config.RunError, match=r"reads \d+\.\d+% of the test images; its scores need 96%"):
            classifiers.get("digits", source="embedded")
        assert list(tmp_path.iterdir()) == []


def test_only_a_batch_of_images_is_held_at_a_time():
    asked = []

    def batches(start, num):
        asked.append((start, num))
        return tf.fill([num, 8, 8, 3], float(start))

    extractor = extractors.Extractor("x", "x", False, None, lambda x: (x[:, 0, 0, :2], x[:, 0, 0]))
    logits, features = extractor.collect(batches, 100, 1237)
    assert max(num for _, num in asked) <= 250
    assert [start for start, _ in asked] == list(np.cumsum([100, *(num for _, num in asked)])[:-1])
    assert (logits.shape, features.shape) == ((1137, 2), (1137, 3))
    np.testing.assert_array_equal(features[:, 0], np.repeat(*np.transpose(asked)))


def test_features_that_are_not_finite_are_refused():
    extractor = extractors.Extractor("x", "x", False, None, lambda x: (x, tf.math.log(x)))
    with pytest.raises(config.RunError, match="the features of images 0 to 2 are not finite"):
        extractor.collect(lambda start, num: -tf.ones((num, 2)), 0, 3)


class TestSavedModels:
    def test_a_local_inception_gives_its_outputs_flat(self, inception):
        extractor = extractors.get(f"inception:{inception}", "celeba")
        assert extractor.is_inception
        logits, features = extractor.outputs(images(3, 64))
        assert (logits.shape, features.shape) == ((3, 1008), (3, 2048))
        # It sees images of 299 pixels, as it was trained.
        expected = Inception()(tf.image.resize(images(3, 64), (299, 299)))
        np.testing.assert_allclose(logits, expected["logits"], rtol=1e-3, atol=1e-3)

    def test_any_other_model_of_this_interface_is_no_inception(self, inception, tmp_path):
        assert not extractors.get(inception, "celeba").is_inception
        own = saved(tmp_path / "own", Inception(logits=5, features=7))
        assert [value.shape for value in extractors.get(own, "color_mnist").outputs(images(2))] == [(2, 5), (2, 7)]

    def test_a_model_with_a_signature_alone_and_images_of_one_size(self, tmp_path):
        module = tf.Module()
        inner = module.inner = Inception(logits=5, features=7)

        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="pictures")])
        def serve(pictures):
            return inner(pictures)

        own = saved(tmp_path / "own", module, signatures=serve)
        logits, _ = extractors.get(own, "color_mnist").outputs(images(2))
        np.testing.assert_allclose(logits, inner(tf.image.resize(images(2), (16, 16)))["logits"], rtol=1e-4, atol=1e-4)

    def test_keys_differ_with_the_weights(self, inception, tmp_path):
        other = Inception()
        other.projections[0].assign_add(tf.ones_like(other.projections[0]))
        keys = {extractors.get(path, "celeba").key for path in (inception, saved(tmp_path / "other", other))}
        assert len(keys) == 2

    def test_what_is_no_extractor_is_refused(self, inception, tmp_path):
        small = saved(tmp_path / "small", Inception(logits=10))
        with pytest.raises(
            config.InputError, match="expected Inception's 1008 logits and 2048 features, .* gives 10 and"
        ):
            extractors.get(f"inception:{small}", "celeba")
        named = saved(tmp_path / "named", Inception(names=("logits", "pool")))
        with pytest.raises(config.InputError, match="with the outputs logits and pool_3, received .*named"):
            extractors.get(named, "celeba")
        empty = saved(tmp_path / "empty", tf.Module())
        with pytest.raises(config.InputError, match="neither a call nor the signature"):
            extractors.get(empty, "celeba")
        (tmp_path / "torn").mkdir()
        (tmp_path / "torn" / "saved_model.pb").write_bytes(b"\xff\xff torn")
        with pytest.raises(config.InputError, match="expected a SavedModel, received .*torn"):
            extractors.get(str(tmp_path / "torn"), "celeba")
        with pytest.raises(config.InputError, match=r"expected a folder with a saved_model\.pb, received"):
            extractors.check(str(tmp_path / "nothing"), "celeba")

    @pytest.mark.parametrize(
        ("name", "place", "line"),
        [
            ("incepton", "celeba", "did you mean 'inception'"),
            ("digits", "cifar10", "expected 'inception' or the folder of a SavedModel for cifar10, received 'digits'"),
            ("cifar10", "stacked_mnist", "for stacked_mnist, received 'cifar10', which reads other images"),
        ],
    )
    def test_names_that_do_not_fit_are_refused(self, name, place, line):
        with pytest.raises(config.InputError, match=line):
            extractors.check(name, place)


class TestTFHub:
    def test_without_an_answer_it_is_refused_with_the_ways_out(self, monkeypatch, tmp_path):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
        with pytest.raises(config.InputError, match=r"does not answer.*inception:FOLDER.*TFHUB_CACHE_DIR.*metrics="):
            extractors.check("inception", "celeba")

    def test_what_its_cache_holds_needs_no_answer(self, monkeypatch, tmp_path):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
        # TF-Hub keeps a module under the checksum of its address; its own resolver finds what stands there.
        import hashlib

        kept = tmp_path / hashlib.sha1(tfgan.eval.INCEPTION_TFHUB.encode()).hexdigest()
        saved(kept, Inception())
        assert tensorflow_hub.resolve(tfgan.eval.INCEPTION_TFHUB) == str(kept)
        extractor = extractors.get("inception", "celeba")
        assert extractor.is_inception
        assert extractor.outputs(images(2))[1].shape == (2, 2048)


@pytest.mark.slow
def test_the_classifier_of_cifar10_is_trained_and_scores_its_own_images(tfds_dir):
    if prepared.find(tfds_dir, "cifar10") is None:
        pytest.skip(f"CIFAR-10 is not prepared in {tfds_dir}")
    extractor = extractors.get("cifar10", "cifar10", data_dir=str(tfds_dir))
    assert 0.6 <= extractor.accuracy < 1
    assert not extractor.is_inception
    test = data.load("cifar10", "test", data_dir=str(tfds_dir))
    logits, features = extractor.collect(test.some, 0, 1000)
    assert (logits.shape, features.shape) == ((1000, 10), (1000, extractors.dimensions("cifar10")))
