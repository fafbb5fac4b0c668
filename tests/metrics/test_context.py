"""The context: data that is read once, and caches keyed by content."""

import numpy as np
import pytest

from tfpaths import config, data, errors
from tfpaths.data import POINT, DataSet, examples, prepared
from tfpaths.metrics import sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator
from tfpaths.metrics.extractors import Extractor

EMBEDDED = config.Data(name="color_mnist", source="embedded")


class Counting(Extractor):
    """Reads the first two pixels of an image, and records what it collects."""

    collected: list

    def collect(self, batches, first, last):
        self.collected.append((first, last))
        return super().collect(batches, first, last)


def counting(key="counting"):
    extractor = Counting("counting", key, False, None, lambda x: (x[:, 0, 0], x[:, 0, 1]))
    object.__setattr__(extractor, "collected", [])
    return extractor


def context(**fields):
    return Context(EMBEDDED, config.Evaluation(**fields))


class TestSplits:
    def test_a_split_is_read_once(self):
        one = context()
        assert one.real is one.examples("test")
        assert one.split == "test"

    def test_given_splits_are_used(self):
        train = data.load("color_mnist", source="embedded")
        assert Context(EMBEDDED, config.Evaluation(), splits=[train]).examples("train") is train

    def test_data_set_seed_is_used(self):
        other = Context(EMBEDDED.replace(seed=1), config.Evaluation())
        assert not np.array_equal(other.real.labels, context().real.labels)

    def test_missing_split_is_refused(self):
        with pytest.raises(errors.InputError, match="'tset'; did you mean 'test'.* To fix this: choose another split"):
            context(split="tset").examples("tset")

    def test_unavailable_data_is_refused(self, monkeypatch):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        one = Context(config.Data(name="celeba"), config.Evaluation(), data_dir="/nowhere")
        with pytest.raises(errors.InputError, match="choose another split") as raised:
            one.examples("test")
        assert str(raised.value).count("To fix this") <= 1

    def test_split_defaults_to_train_without_a_test_split(self, pictures):
        path = pictures("", np.zeros((3, 8, 8, 3)))
        assert Context(config.Data(name="folder", path=path), config.Evaluation()).split == "train"


class TestFeatures:
    def test_features_are_cached_in_memory_and_in_a_file(self, own_cache):
        extractor, one = counting(), context()
        found = one.features(extractor, one.real, 300)
        np.testing.assert_array_equal(found, one.real.some(0, 300)[:, 0, 1])
        assert one.features(extractor, one.real, 300) is found
        np.testing.assert_array_equal(context().features(extractor, one.real, 300), found)
        assert extractor.collected == [(0, 300)]

    def test_cache_depends_on_the_pixels(self, own_cache):
        """Only one pixel of one image differs."""
        extractor = counting()
        pixels = np.zeros((40, 8, 8, 3), np.uint8)
        changed = pixels.copy()
        changed[7, 0, 1, 2] = 255
        found = [
            context().features(extractor, examples.in_memory("x", "test", "folder", values, np.zeros(40)), 40)
            for values in (pixels, changed)
        ]
        assert (found[0].max(), found[1].max()) == (-1.0, 1.0)
        assert len(extractor.collected) == 2

    def test_cache_depends_on_extractor_and_count(self, own_cache):
        one, other = context(), counting("other")
        for extractor, count in ((counting(), 20), (other, 20), (other, 30)):
            assert len(one.features(extractor, one.real, count)) == count
        assert other.collected == [(0, 20), (0, 30)]


class TestOutputs:
    def test_larger_request_resumes_at_the_last_whole_batch(self):
        extractor, one, source = counting(), context(), sources.noise((28, 28, 3), 0)
        few = one.outputs(extractor, source, 300)
        many = one.outputs(extractor, source, 700)
        again = one.outputs(extractor, source, 300)
        assert extractor.collected == [(0, 300), (250, 700)]
        np.testing.assert_array_equal(again[1][:250], few[1][:250])
        np.testing.assert_array_equal(many[1], counting().collect(source.batches, 0, 700)[1])

    def test_sources_with_other_seeds_differ(self):
        extractor, one = counting(), context()
        first, second = (one.outputs(extractor, sources.noise((28, 28, 3), seed), 20)[1] for seed in (0, 1))
        assert not np.array_equal(first, second)

    def test_outputs_without_a_state_are_not_reused(self):
        """Without a state, the source may have changed."""
        extractor, one, source = counting(), context(), sources.noise((28, 28, 3), 0)
        for _ in range(2):
            with one.judging(source):
                one.outputs(extractor, source, 20)
        assert extractor.collected == [(0, 20), (0, 20)]

    def test_outputs_are_reused_in_the_same_state(self):
        extractor, one, step = counting(), context(), [1]
        sampler = sources.noise((28, 28, 3), 0).sampler
        for step[0], count in ((1, 250), (1, 400), (2, 250)):
            # Another object for the same sampler and seed.
            source = sources.samples(sampler, 0, state=lambda: step[0])
            with one.judging(source):
                one.outputs(extractor, source, count)
        assert extractor.collected == [(0, 250), (250, 400), (0, 250)]
        # Only the newest state takes memory.
        assert len(one._computed) == 1


def test_dimensions_are_known_without_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))
    assert context().dimensions() == 192
    assert list(tmp_path.iterdir()) == []


def test_dimensions_of_a_saved_model(inception, saved):
    assert context(extractor=saved(inception(logits=5, features=7))).dimensions() == 7


def test_points_have_no_image_metrics(monkeypatch):
    class Points(DataSet):
        splits, sources, example, shape = ("train", "validation", "test"), ("drawn",), POINT, (2,)

        def read(self, split, *, source, seed, data_dir):
            return examples.in_memory(self.name, split, "drawn", np.zeros((100, 2), np.float32), np.zeros(100))

    Points.name = "points"
    monkeypatch.setitem(data.DATA._items, "points", Points)
    assert Evaluator(config.Data(name="points"), config.Evaluation()).metrics == ("kde", "mmd", "assignment")
    with pytest.raises(errors.InputError, match="'scores' cannot be computed for points, which has no feature"):
        Evaluator(config.Data(name="points"), config.Evaluation(metrics=("scores",)))
