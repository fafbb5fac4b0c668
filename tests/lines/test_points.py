"""Studies on points: the distance, the runs of a block, and a whole study."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, data, errors, experiments, kinds, schema
from tfpaths.experiments.variants import VARIANTS
from tfpaths.lines import points, study
from tfpaths.runs import results
from tfpaths.runs.rows import read_rows

SMALL = {"study.width": "4", "study.depth": "1", "schedule.batch_size": "8"}


def small(name="study_mog_ns", **texts):
    return schema.override(experiments.get(name), SMALL | {key.replace("__", "."): text for key, text in texts.items()})


@pytest.fixture(scope="module", autouse=True)
def few_compared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "COMPARED", 50)
        yield


@pytest.fixture(scope="module")
def block():
    return study.build(small(), 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of three runs of four steps on two Gaussians."""
    path = tmp_path_factory.mktemp("points") / "whole"
    few = small(study__runs="3", study__block="2", schedule__steps="4", schedule__log_every="2")
    assert study.run(few, path).finished
    return path


def test_mmd_matches_a_double_loop():
    samples, real = np.random.default_rng(0).normal(size=(2, 2, 7, 2)).astype(np.float32)

    def kernel(one, other):
        return np.mean([[np.exp(-np.sum((x - y) ** 2) / 4) for y in other] for x in one])

    expected = [kernel(x, x) + kernel(y, y) - 2 * kernel(x, y) for x, y in zip(samples, real, strict=True)]
    np.testing.assert_allclose(points.mmd2(tf.constant(samples), tf.constant(real)), expected, rtol=1e-5)


def test_mmd_of_two_points():
    # Sets of one point each, 3 apart: 1 + 1 - 2 exp(-9 / 4).
    value = points.mmd2(tf.zeros([1, 1, 2]), tf.constant([[[0.0, 3.0]]]))
    assert float(value[0]) == pytest.approx(2 - 2 * np.exp(-9 / 4), rel=1e-6)


def test_mmd_of_gaussians_far_from_the_origin():
    # For x ~ N(m, s^2 I) and y ~ N(n, s^2 I) in the plane x - y ~ N(m - n, 2 s^2 I), and with k = exp(-|x - y|^2 / 4)
    # E k(x, y) = exp(-|m - n|^2 / (4 (1 + s^2))) / (1 + s^2). For s = 1, |m - n| = 1: MMD^2 = 2 (1 - exp(-1 / 8)) / 2.
    drawn = np.random.default_rng(1).normal(size=(2, 1, 2_000, 2)).astype(np.float32) + 100.0
    drawn[1, ..., 0] += 1.0
    value = float(points.mmd2(tf.constant(drawn[0]), tf.constant(drawn[1]))[0])
    # The biased estimate adds (2 - 2 E k) / num = 5e-4; its own deviation is about 0.006.
    assert value == pytest.approx(1 - np.exp(-1 / 8), abs=0.02)


def test_a_run_is_the_same_in_another_block(block):
    block.reset(0)
    first = block.advance(3)
    block.reset(1)
    again = block.advance(3)
    assert first.distance[0] != first.distance[1]
    np.testing.assert_array_equal(again.distance[0], first.distance[1])
    np.testing.assert_array_equal(again.others["near_modes"][0], first.others["near_modes"][1])


def test_distance_is_measured_with_the_same_points_each_time(block):
    block.reset(0)
    start = block.advance(0).distance
    np.testing.assert_array_equal(block.distance(), start)
    block.advance(2)
    assert not np.array_equal(block.distance(), start)


def test_rises_are_those_since_the_last_measurement(block):
    block.reset(0)
    before = block.advance(0)
    np.testing.assert_array_equal(before.rises, [0, 0])
    block.advance(1)
    after_one = block.distance().numpy()
    progress = block.advance(3)
    change = progress.distance - after_one
    np.testing.assert_array_equal(progress.rises, np.where(change > 0, 3, 0))
    np.testing.assert_allclose(progress.climbed, np.maximum(change, 0))
    block.reset(0)
    np.testing.assert_array_equal(block.advance(0).climbed, [0, 0])


def test_averaged_generator_is_the_mean_over_the_steps(block):
    block.reset(0)
    iterates = []
    for _ in range(3):
        averaged = block.advance(1).others["averaged_distance"]
        iterates.append([variable.numpy() for variable in block.gan.generator.trainable_variables])
    # The MMD of a generator whose weights are the means, on the same points.
    for variable, *values in zip(block.gan.generator.trainable_variables, *iterates, strict=True):
        variable.assign(np.mean(values, axis=0))
    np.testing.assert_allclose(averaged, block.distance(), rtol=1e-4)


def test_samples_at_the_modes_hit_them(block, monkeypatch):
    # Run 0 has its samples at both centres, run 1 at one centre and, the other half, far from both.
    places = tf.constant([[[-4.0, 0.0], [4.0, 0.0]], [[-4.0, 1.4], [0.0, 0.0]]])
    monkeypatch.setattr(block.gan, "generate", lambda latents: tf.tile(places, [1, latents.shape[1] // 2, 1]))
    block.reset(0)
    values = block._measure_all()
    np.testing.assert_array_equal(values["modes_hit"], [2, 1])
    np.testing.assert_array_equal(values["near_modes"], [1.0, 0.5])


def test_rows_and_results(whole):
    rows = read_rows(whole / "metrics.jsonl")
    assert [(row["run"], row["step"]) for row in rows] == [(run, step) for run in range(3) for step in (0, 2, 4)]
    assert set(rows[0]) == {
        "step",
        "run",
        "squared_distance",
        "averaged_distance",
        "rises",
        "climbed",
        "modes_hit",
        "near_modes",
    }
    stored = results.read_results(whole / "results.json")
    ends = [row for row in rows if row["step"] == 4]
    for name, value in (("squared_distance", "distance_mean"), ("modes_hit", "modes_hit_mean")):
        assert stored["metrics"][value] == pytest.approx(np.mean([row[name] for row in ends]))
    assert (stored["protocol"]["data"], stored["protocol"]["latents"]) == ("mog", 2)


def test_data_without_modes_have_no_mode_columns(tmp_path):
    one = small("study_square_ns", study__runs="1", schedule__steps="1", schedule__log_every="1")
    study.run(one, tmp_path)
    row = read_rows(tmp_path / "metrics.jsonl")[-1]
    assert set(row) == {"step", "run", "squared_distance", "averaged_distance", "rises", "climbed"}


def test_settings_of_runs(tmp_path):
    # A rate of zero is not allowed; with 1e-30 the weights stay, and so does the distance.
    path = "variant.generator_optimizer.learning_rate"
    one = small("study_square_ns", study__runs="2", schedule__steps="2", schedule__log_every="2")
    study.run(one.replace(settings=(config.Setting(path=path, values=(1e-30, 0.1)),)), tmp_path)
    start, end = (
        [row["squared_distance"] for row in read_rows(tmp_path / "metrics.jsonl") if row["step"] == step]
        for step in (0, 2)
    )
    assert start[0] == end[0]
    assert start[1] != end[1]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"study.data.name": "cifar10"},
            "study.data: expected a data set of points that are drawn, received 'cifar10'",
        ),
        ({"study.data.name": "rnig"}, "study.data.name: unknown data set 'rnig'; did you mean 'ring'"),
        ({"study.data.radius": "2"}, "study.data.radius: 'mog' has no option 'radius'"),
        ({"study.data.source": "tfds"}, "study.data.source: expected 'auto' or 'drawn' for mog, received 'tfds'"),
        ({"study.start": "parallel"}, "study.start: unknown field 'start'"),
        ({"study.dimension": "3"}, "study.dimension: unknown field 'dimension'"),
        ({"study.latents": "0"}, "study.latents: expected a number above zero, received 0"),
        ({"variant.game": "dcd"}, "variant.game: 'dcd' begins with a finished run"),
    ],
)
def test_invalid_input_is_refused(changes, line, tmp_path):
    with pytest.raises(errors.InputError) as error:
        study.run(schema.override(experiments.get("study_mog_ns"), changes), tmp_path / "run")
    assert str(error.value).startswith(line)
    assert not (tmp_path / "run").exists()


def test_figure_of_lines_refuses_a_study_on_points():
    figure = schema.override(experiments.get("figure_3"), {"figure.studies": "study_mog_ns"})
    with pytest.raises(errors.InputError, match="expected studies of lines, received 'study_mog_ns', which is on mog"):
        kinds.of(figure).complete(figure)


def test_config_round_trip():
    one = small()
    assert config.from_dict(json.loads(json.dumps(schema.to_dict(one)))) == one
    # A study on lines that was written without `problem`.
    line = schema.to_dict(experiments.get("line1_ns"))
    del line["study"]["problem"]
    assert config.from_dict(line) == experiments.get("line1_ns")


def test_every_toy_has_a_study_of_every_variant():
    # Studies train MLPs: data for another generator are for single runs.
    every = [name for name, cls in data.DATA.items() if issubclass(cls, points.Points)]
    toys = [name for name in every if experiments.get(f"{name}_ns").networks.name == "mlp"]
    assert len(toys) == 9
    for name, variant in itertools.product(toys, VARIANTS):
        one = experiments.get(f"study_{name}_{variant.name}")
        assert (one.study, one.variant.loss) == (config.Points(data=name, runs=256), variant.loss)
        rates = [one.variant.generator_optimizer.learning_rate, one.variant.discriminator_optimizer.learning_rate]
        assert rates == [1e-3, 1e-3]


def test_protocol_has_the_options_of_the_data():
    one = study.complete(small("study_ring_ns", study__data__radius="2.0"))
    protocol = study.protocol_of(one.study, one.schedule)
    assert (protocol["data"], protocol["radius"]) == ("ring", 2.0)
    assert "examples" not in protocol


def test_describe():
    one = experiments.get("study_mog_hinge_sn")
    assert kinds.of(one).describe(one) == "256 GANs on mog, 2 latents: hinge loss, spectral normalisation"
