"""Metrics of points: the samples that they share, which data sets have them, and their values of known sources."""

import numpy as np
import pytest

from tfpaths import config, data, errors
from tfpaths.metrics import points, sources
from tfpaths.metrics.context import Context
from tfpaths.metrics.evaluator import Evaluator

MOG = config.Data(name="mog", examples=300)
WITH_DENSITY = ("banana", "cosine", "funnel", "ring", "square")
WITH_MODES = ("eight_gaussians", "mog", "twenty_five_gaussians")
OF_POINTS = ("log_density", "kde", "mmd", "assignment", "point_modes")
# Those that `auto` leaves out.
OPT_IN = ("neural_net_distance", "birthday", "duality_gap")


def context(data_config=MOG, **fields):
    return Context(data_config, config.Evaluation(**fields))


def counted(made, size=None, state=None):
    """A source whose example i is (i, -i), which lists what is drawn."""

    def batches(start, num):
        made.append((start, num))
        row = np.arange(start, start + num, dtype=np.float32)
        return np.stack([row, -row], axis=1)

    return sources.Source(batches, None, size, state)


class TestDrawn:
    def test_points_are_float64_in_order(self):
        found = points.drawn(context(), counted([]), 2500)
        np.testing.assert_array_equal(found, np.arange(2500.0)[:, None] * [1.0, -1.0])
        assert found.dtype == np.float64

    def test_each_block_is_drawn_once_within_a_state(self):
        made, one, step = [], context(), [0]
        source = counted(made, state=lambda: step[0])
        for num in (1500, 10, 2001):
            points.drawn(one, source, num)
        assert made == [(0, 1000), (1000, 1000), (2000, 1000)]
        step[0] = 1
        points.drawn(one, source, 10)
        assert made[3:] == [(0, 1000)]

    def test_a_source_of_few_examples_is_not_exceeded(self):
        made = []
        assert len(points.drawn(context(), counted(made, size=1200), 1200)) == 1200
        assert made == [(0, 1000), (1000, 200)]

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_an_error(self, value):
        source = sources.Source(lambda start, num: np.full((num, 2), value), None)
        with pytest.raises(errors.RunError, match="the samples 0 to 999 are not finite"):
            points.drawn(context(), source, 5)


class TestCompared:
    @pytest.mark.parametrize(
        ("samples", "count", "size", "expected"),
        [(200, None, None, 200), (200, 50, None, 50), (1000, None, None, 300), (200, None, 70, 70)],
    )
    def test_equal_numbers_of_samples_and_real_points(self, samples, count, size, expected):
        """At most the config's or the caller's number, the split's 300, and the source's."""
        one = context(samples=samples)
        found, real = points.PointMetric().compared(one, counted([], size), count)
        assert (found.shape, real.shape) == ((expected, 2), (expected, 2))
        np.testing.assert_array_equal(real, data.load("mog", "test", examples=300).some(0, expected))

    def test_protocol_has_the_number_that_is_compared(self):
        assert points.PointMetric().protocol(context(samples=200)) == {"point_samples": 200}
        assert points.PointMetric().protocol(context(samples=1000)) == {"point_samples": 300}


class TestSelection:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            *((name, OF_POINTS[:-1]) for name in WITH_DENSITY),
            *((name, OF_POINTS) for name in WITH_MODES),
            ("swiss_roll", ("kde", "mmd", "assignment")),
        ],
    )
    def test_auto_takes_what_the_data_set_supports(self, name, expected, caplog):
        evaluator = Evaluator(config.Data(name=name, examples=20), config.Evaluation(every=1), lenient=True)
        assert evaluator.metrics == expected
        # An assignment may take half a minute.
        assert evaluator.every_metrics == tuple(name for name in expected if name != "assignment")
        assert caplog.messages == []

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("scores", "has no feature extractor"),
            ("ms_ssim", "has no images"),
            ("modes", "has no classifier that reads its modes"),
            ("critic", "has no square images of .* pixels"),
        ],
    )
    def test_image_metrics_of_points_are_refused(self, name, reason):
        line = f"^evaluation.metrics: '{name}' cannot be computed for mog, which {reason}. To fix this: choose from "
        with pytest.raises(errors.InputError, match=f"{line}{', '.join(OF_POINTS + OPT_IN)}\\.$"):
            Evaluator(MOG, config.Evaluation(metrics=(name,)))

    @pytest.mark.parametrize("name", OF_POINTS)
    def test_point_metrics_of_images_are_refused(self, name):
        line = f"^evaluation.every_metrics: '{name}' cannot be computed for cifar10, which has no points. To fix this: "
        with pytest.raises(
            errors.InputError, match=f"{line}choose from scores, ms_ssim, critic, {', '.join(OPT_IN)}\\.$"
        ):
            Evaluator(config.Data(name="cifar10"), config.Evaluation(every=1, every_metrics=(name,)))

    @pytest.mark.parametrize(
        ("metric", "name", "reason"),
        [
            ("log_density", "swiss_roll", "has no exact density"),
            ("point_modes", "ring", "has no centres of modes"),
        ],
    )
    def test_metrics_that_points_do_not_support_are_refused(self, metric, name, reason):
        with pytest.raises(errors.InputError, match=f"'{metric}' cannot be computed for {name}, which {reason}"):
            Evaluator(config.Data(name=name), config.Evaluation(metrics=(metric,)))

    @pytest.mark.parametrize("extractor", ["inception", "digits", "inception:/tmp"])
    def test_extractors_of_images_are_refused(self, extractor):
        line = (
            f"^evaluation.extractor: expected 'auto' or the directory .* for mog, received '{extractor}', which reads"
        )
        with pytest.raises(errors.InputError, match=line):
            Evaluator(MOG, config.Evaluation(extractor=extractor), lenient=True)


class TestReferences:
    @pytest.fixture(autouse=True)
    def empty_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TFPATHS_CACHE_DIR", str(tmp_path))

    def test_real_points_are_better_than_noise(self, capsys):
        evaluator = Evaluator(MOG, config.Evaluation(assignment_samples=100, references=True))
        found = evaluator.references()
        assert capsys.readouterr().out.count("points (log_density, kde, mmd, assignment, point_modes) for") == 2
        real, noise = found["real"], found["noise"]
        for name in ("log_density", "kde_log_likelihood", "modes_hit", "near_modes"):
            assert real[name] > noise[name], name
        for name in ("mmd2", "w1"):
            assert real[name] < noise[name], name
        # Uniform in the square of side 2 around 0, between the modes at distance 4.
        assert (noise["modes_hit"], real["modes_hit"]) == (0, 2)

    @pytest.mark.parametrize("changed", ["samples", "assignment_samples", "split", "formula"])
    def test_references_depend_on_what_they_are_measured_by(self, changed, monkeypatch):
        names = {"assignment_samples": "assignment", "formula": "log_density"}
        evaluation = config.Evaluation(metrics=(names.get(changed, "mmd"),), references=True)
        ring = config.Data(name="ring", examples=50)
        first = Evaluator(ring, evaluation).references()
        evaluation = evaluation.replace(references=False)
        assert Evaluator(ring, evaluation).references() == first
        if changed == "formula":
            monkeypatch.setattr(data.get("ring"), "log_density", lambda self, points: np.zeros(len(points)))
        else:
            evaluation = evaluation.replace(**{changed: "validation" if changed == "split" else 20})
        assert Evaluator(ring, evaluation).references() == {}


def test_protocol_of_points():
    evaluator = Evaluator(MOG, config.Evaluation(samples=200))
    assert evaluator.protocol() == {
        "data_source": "drawn",
        "evaluation_seed": 0,
        "split": "test",
        "real_points": 200,
        "point_samples": 200,
        "kde": "Gaussian, Scott's rule",
        "mmd": "biased, kernel exp(-(|x - y| / d)^2)",
        "assignment_samples": 300,
    }


@pytest.mark.parametrize("name", sorted(WITH_DENSITY + WITH_MODES + ("swiss_roll",)))
def test_collapsed_and_far_samples_have_finite_values(name):
    """Equal points at 0, and points as far as float32 reaches."""
    names = OF_POINTS[1:3]
    names = names if name == "swiss_roll" else ("log_density", *names)
    evaluator = Evaluator(config.Data(name=name, examples=100), config.Evaluation(metrics=names))
    for value in (0.0, 1e38, -1e38):
        for signs in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)):
            point = np.float32(value) * np.array(signs, np.float32)
            source = sources.Source(lambda start, num, point=point: np.tile(point, (num, 1)), None)
            assert np.isfinite(list(evaluator.measure(source).values())).all()
