"""Inception and other SavedModels: their outputs, and refusals."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub

from tfpaths import config, data, errors
from tfpaths.compat.tfgan import tfgan
from tfpaths.data import prepared
from tfpaths.metrics import extractors

CELEBA, COLOR = (data.of(config.Data(name=name)) for name in ("celeba", "color_mnist"))


def images(count, side=28):
    return tf.random.stateless_uniform((count, side, side, 3), [0, 1], -1.0, 1.0)


def test_local_inception_outputs_are_flat(inception, saved):
    extractor = extractors.get(f"inception:{saved(inception())}", CELEBA)
    assert extractor.is_inception
    logits, features = extractor.outputs(images(3, 64))
    assert (logits.shape, features.shape) == ((3, 1008), (3, 2048))
    # It sees images of 299 pixels, as it was trained.
    expected = inception()(tf.image.resize(images(3, 64), (299, 299)))
    np.testing.assert_allclose(logits, expected["logits"], rtol=1e-3, atol=1e-3)


def test_other_model_is_not_inception(inception, saved):
    assert not extractors.get(saved(inception()), CELEBA).is_inception
    small = saved(inception(logits=5, features=7), "small")
    assert [value.shape for value in extractors.get(small, COLOR).outputs(images(2))] == [(2, 5), (2, 7)]


def test_model_with_a_fixed_size_signature(inception, saved):
    module = tf.Module()
    inner = module.inner = inception(logits=5, features=7)

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="pictures")])
    def serve(pictures):
        return inner(pictures)

    logits, _ = extractors.get(saved(module, signatures=serve), COLOR).outputs(images(2))
    np.testing.assert_allclose(logits, inner(tf.image.resize(images(2), (16, 16)))["logits"], rtol=1e-4, atol=1e-4)


def test_keys_depend_on_the_weights(inception, saved):
    other = inception()
    other.projections[0].assign_add(tf.ones_like(other.projections[0]))
    paths = (saved(inception(), "one"), saved(other, "other"))
    assert len({extractors.get(path, CELEBA).key for path in paths}) == 2


class TestRefused:
    def test_wrong_number_of_inception_outputs(self, inception, saved):
        line = "expected Inception's 1008 logits and 2048 features, .* has 10 and"
        with pytest.raises(errors.InputError, match=line):
            extractors.get(f"inception:{saved(inception(logits=10))}", CELEBA)

    def test_wrong_output_names(self, inception, saved):
        with pytest.raises(errors.InputError, match="with the outputs logits and pool_3, received .*named"):
            extractors.get(saved(inception(names=("logits", "pool")), "named"), CELEBA)

    def test_a_model_that_cannot_be_called(self, saved):
        with pytest.raises(errors.InputError, match="neither a call nor the signature"):
            extractors.get(saved(tf.Module()), CELEBA)

    def test_a_damaged_file(self, tmp_path):
        (tmp_path / "torn").mkdir()
        (tmp_path / "torn" / "saved_model.pb").write_bytes(b"\xff\xff torn")
        with pytest.raises(errors.InputError, match="expected a SavedModel, received .*torn"):
            extractors.get(str(tmp_path / "torn"), CELEBA)

    def test_missing_directory(self, tmp_path):
        with pytest.raises(errors.InputError, match=r"expected a directory with a saved_model\.pb, received"):
            extractors.check(str(tmp_path / "nothing"), CELEBA)


class TestTFHub:
    def test_unreachable_hub_is_refused(self, monkeypatch, tmp_path):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
        line = "does not answer. To fix this.*inception:DIRECTORY.*TFHUB_CACHE_DIR.*metrics="
        with pytest.raises(errors.InputError, match=line):
            extractors.check("inception", CELEBA)

    def test_cached_module_is_used_offline(self, monkeypatch, tmp_path, inception, saved):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
        # TF-Hub keeps a module under the checksum of its address; its own resolver finds it there.
        cached = saved(inception(), hashlib.sha1(tfgan.eval.INCEPTION_TFHUB.encode()).hexdigest())
        assert tensorflow_hub.resolve(tfgan.eval.INCEPTION_TFHUB) == cached
        extractor = extractors.get("inception", CELEBA)
        assert extractor.is_inception
        assert extractor.outputs(images(2))[1].shape == (2, 2048)
