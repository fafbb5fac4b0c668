"""The evaluator: the metrics it measures, floor and ceiling, and refusals before measuring."""

import numpy as np
import pytest
from helpers import MEASURED, registered
from helpers import SMALL_EVALUATION as SMALL

from tfpaths import config, errors
from tfpaths.data import prepared
from tfpaths.metrics import METRICS, Metric, sources
from tfpaths.metrics.evaluator import Evaluator

EMBEDDED = config.Data(name="color_mnist", source="embedded")
NOISE = sources.noise((28, 28, 3), 0)


def measuring(*names, **fields):
    return config.Evaluation(metrics=names, **fields)


class Mean(Metric):
    """The mean of all numbers: a cheap metric."""

    def compute(self, context, source, count=None):
        return {"mean": float(np.mean(source.batches(0, source.at_most(20))))}


@pytest.fixture
def mean():
    with registered(METRICS, "mean", Mean):
        yield


def test_default_metrics_and_protocol(own_cache):
    evaluator = Evaluator(EMBEDDED, config.Evaluation(**SMALL))
    assert list(evaluator.measure(NOISE)) == MEASURED
    accuracy = evaluator.protocol()["extractor_accuracy"]
    key = evaluator.protocol()["extractor_key"]
    assert evaluator.protocol() == {
        "data_source": "embedded",
        "evaluation_seed": 0,
        "split": "test",
        "real_images": 300,
        "samples": 300,
        "extractor": "digits",
        "extractor_key": key,
        "extractor_accuracy": accuracy,
        "ms_ssim": "5 batches of 64, all pairs, 3 scales",
        "mode_samples": 400,
        "mode_classifier_accuracy": accuracy,
        "critic_steps": 3,
        "critic_samples": 300,
    }
    assert accuracy >= 0.96


def test_named_metrics_are_measured_once_in_order():
    evaluator = Evaluator(EMBEDDED, measuring("critic", "ms_ssim", "critic"))
    assert evaluator.metrics == ("critic", "ms_ssim")
    assert evaluator.protocol(("ms_ssim",)).keys() & {"critic_steps", "ms_ssim"} == {"ms_ssim"}


@pytest.mark.parametrize(
    ("fields", "metrics", "every_metrics"),
    [
        ({}, ("scores", "ms_ssim", "modes", "critic"), ()),
        ({"every": 5}, ("scores", "ms_ssim", "modes", "critic"), ("scores", "ms_ssim", "modes")),
        ({"every": 5, "every_metrics": "none"}, ("scores", "ms_ssim", "modes", "critic"), ()),
        ({"every": 5, "metrics": "none", "every_metrics": ("critic",)}, (), ("critic",)),
        ({"every": 5, "metrics": "none"}, (), ()),
        ({"every": 5, "metrics": ("critic", "ms_ssim")}, ("critic", "ms_ssim"), ("ms_ssim",)),
    ],
)
def test_auto_and_none(fields, metrics, every_metrics):
    evaluator = Evaluator(EMBEDDED, config.Evaluation(**{"samples": 300, "every_samples": 250} | fields))
    assert (evaluator.metrics, evaluator.every_metrics) == (metrics, every_metrics)


def test_the_number_of_samples_can_be_chosen(own_cache):
    evaluator = Evaluator(EMBEDDED, measuring("modes", mode_samples=400))
    assert evaluator.measure(NOISE)["modes_kl"] != evaluator.measure(NOISE, count=200)["modes_kl"]
    assert evaluator.measure(NOISE, count=400) == evaluator.measure(NOISE)


def test_no_data_is_read_without_metrics(monkeypatch):
    monkeypatch.setattr(prepared, "reachable", lambda url: False)
    evaluator = Evaluator(config.Data(name="celeba"), config.Evaluation(metrics="none"), data_dir="/nowhere")
    assert (evaluator.metrics, evaluator.protocol(), evaluator.references()) == ((), {}, {})


class TestReferences:
    def test_computed_once_and_then_cached(self, own_cache, capsys, monkeypatch):
        wanted = config.Evaluation(**(SMALL | {"critic_steps": 200}), references=True)
        first = Evaluator(EMBEDDED, wanted).references()
        assert capsys.readouterr().out.count("for comparison") == 2
        real, noise = first["real"], first["noise"]
        assert list(real) == list(noise) == MEASURED
        # The purpose of references: real images are better than noise by every measure.
        assert real["classifier_score"] > noise["classifier_score"]
        for name in ("frechet_classifier_distance", "kernel_classifier_distance", "modes_kl", "wasserstein_test"):
            assert real[name] < noise[name], name
        # Embedded digits have a mean MS-SSIM of their own; independent noise has next to none.
        assert real["ms_ssim"] == pytest.approx(real["ms_ssim_real"], abs=0.05)
        assert noise["ms_ssim"] < 0.1
        monkeypatch.setattr(Evaluator, "measure_each", None)
        assert Evaluator(EMBEDDED, wanted.replace(references=False)).references() == first
        # Another protocol has other references.
        other = config.Evaluation(samples=301, critic_steps=4)
        assert Evaluator(EMBEDDED, other).references() == {
            kind: {name: values[name] for name in ("ms_ssim", "ms_ssim_real")} for kind, values in first.items()
        }

    @pytest.mark.parametrize("changes", [{"seed": 1}, {"split": "validation"}])
    def test_references_depend_on_seed_and_split(self, own_cache, changes):
        Evaluator(EMBEDDED, measuring("modes", mode_samples=50, references=True)).references()
        assert Evaluator(EMBEDDED, measuring("modes", mode_samples=50, **changes)).references() == {}

    def test_references_of_folders_with_equal_names_differ(self, own_cache, mean, pictures, tmp_path, monkeypatch):
        found = {}
        for name, level in (("dark", 51), ("light", 204)):
            for split in ("train", "test"):
                pictures(split, np.full((20, 28, 28, 3), level), root=f"{name}/images")
            monkeypatch.chdir(tmp_path / name)
            folder = config.Data(name="folder", path="images", image_size=28)
            found[name] = Evaluator(folder, measuring("mean", references=True)).references()["real"]["mean"]
        # 51 and 204 of 255 are -0.6 and 0.6.
        assert found == pytest.approx({"dark": -0.6, "light": 0.6})

    def test_references_change_with_one_picture(self, own_cache, mean, pictures, tmp_path):
        """Of the same name and size, in the same folder."""
        folder = config.Data(name="folder", path=str(tmp_path / "images"), image_size=28)
        images = np.random.default_rng(0).integers(0, 255, (20, 28, 28, 3))
        for split in ("train", "test"):
            pictures(split, images)
        first = Evaluator(folder, measuring("mean", references=True)).references()
        assert Evaluator(folder, measuring("mean")).references() == first
        pictures("train", [255 - images[0]])
        assert Evaluator(folder, measuring("mean")).references().keys() == {"noise"}


class TestRefused:
    def test_unreachable_hub(self, monkeypatch):
        monkeypatch.setattr(prepared, "reachable", lambda url: False)
        monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
        with pytest.raises(errors.InputError, match="does not answer"):
            Evaluator(config.Data(name="celeba"), config.Evaluation())

    def test_missing_split(self, pictures):
        folder = config.Data(name="folder", path=pictures("", np.zeros((1, 8, 8, 3))), image_size=28)
        with pytest.raises(errors.InputError, match="split of .*'test'.* To fix this: choose another split"):
            Evaluator(folder, measuring("ms_ssim", split="test"))

    @pytest.mark.parametrize(
        ("fields", "line"),
        [
            ({"samples": 192}, r"evaluation\.samples: expected more images than .* 192 features.*received 192"),
            ({"every": 2, "every_samples": 100}, r"evaluation\.every_samples: .* 192 features.*received 100"),
            ({"metrics": ("none", "critic")}, r"evaluation\.metrics: unknown metric 'none'"),
            ({"extractor": "cifar10"}, "for color_mnist, received 'cifar10', which reads other images"),
        ],
    )
    @pytest.mark.parametrize("lenient", [True, False])
    def test_invalid_fields(self, fields, line, lenient):
        with pytest.raises(errors.InputError, match=line):
            Evaluator(EMBEDDED, config.Evaluation(**{"samples": 300} | fields), lenient=lenient)

    def test_one_sample_more_than_features_is_enough(self):
        assert "scores" in Evaluator(EMBEDDED, config.Evaluation(samples=193)).metrics

    def test_source_too_small_for_the_scores(self):
        evaluator = Evaluator(EMBEDDED, measuring("scores", samples=300))
        few = sources.Source(NOISE.batches, NOISE.sampler, size=100)
        with pytest.raises(errors.InputError, match="scores: expected more images .* received 100"):
            evaluator.measure(few)


def test_lenient_evaluator_skips_failing_metrics(caplog):
    """A metric that fails while it is measured is skipped too."""
    evaluator = Evaluator(EMBEDDED, config.Evaluation(**SMALL), lenient=True)
    few = sources.Source(NOISE.batches, NOISE.sampler, size=100)
    assert evaluator.measure_each(few, ("scores", "modes", "ms_ssim")).keys() == {"modes"}
    assert [line.split(":")[0] for line in caplog.messages] == ["scores", "ms_ssim"]
