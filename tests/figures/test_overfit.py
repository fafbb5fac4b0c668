"""The critic's loss on training and on validation digits: the digits, what is measured, sentence and picture."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import errors, experiments, kinds, streams
from tfpaths.data import digits as digits_lib
from tfpaths.data import prepared
from tfpaths.figures import overfit, toys
from tfpaths.figures.kind import KIND
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs.rows import read_rows


@pytest.fixture(scope="module")
def splits():
    return {name: overfit.Subset(digits_lib.embedded(name), 60) for name in ("train", "validation")}


@pytest.fixture(scope="module")
def games(splits):
    settings = {"copies": 2, "width": 4, "depth": 1, "batch_size": 8, "seed": 0, "latents": 3}
    return toys.Toys(experiments.get("color_mnist_wgan").variant, [splits["train"]], **settings)


def test_subset_is_the_first_digits_in_the_range_of_images(splits):
    pixels = digits_lib.embedded("train").images[:60].astype(float)
    np.testing.assert_allclose(splits["train"].images.numpy(), (pixels / 127.5 - 1).reshape(60, 784), atol=1e-6)
    assert overfit.Subset(digits_lib.embedded("validation"), 1_000).size == 237


def test_batches_are_digits_of_the_subset_with_replacement(splits):
    drawn = splits["train"].draw(streams.root(0, first_run=0), (2, 500)).numpy()
    known = {image.tobytes() for image in splits["train"].images.numpy()}
    assert {image.tobytes() for image in drawn.reshape(1000, 784)} == known
    assert (drawn[0] != drawn[1]).any()


def test_rows_of_a_linear_critic(splits, games):
    """D(x) = a x: the loss with the other sign is a (E x - E G(z)), and G(z) = 0 for a generator of zero weights."""
    a = np.random.default_rng(0).normal(size=784).astype(np.float32)
    saved = {name: model.get_weights() for name, model in games.gan.networks.items()}
    for model in games.gan.networks.values():
        for layer in (layer for layer in model.layers if isinstance(layer, EnsembleDense)):
            layer.kernel.assign(tf.zeros_like(layer.kernel))
    first, last = (layer for layer in games.gan.discriminator.layers if isinstance(layer, EnsembleDense))
    first.kernel.assign(np.broadcast_to(np.stack([a, 0 * a, 0 * a, 0 * a], axis=1), first.kernel.shape))
    first.bias.assign(np.full(first.bias.shape, 500, np.float32))  # ReLU is the identity up there.
    last.kernel.assign(np.broadcast_to(np.float32([[1], [0], [0], [0]]), last.kernel.shape))
    rows = overfit.measure(games, splits, 30)
    for name, model in games.gan.networks.items():
        model.set_weights(saved[name])
    train, validation = (split.images.numpy().astype(float) @ a for split in splits.values())
    for run, row in enumerate(rows):
        assert (row["step"], row["run"]) == (30, run)
        assert (row["train"], row["validation"]) == pytest.approx((train.mean(), validation.mean()), abs=1e-2)
        assert row["gap"] == pytest.approx(train.mean() - validation.mean(), abs=1e-2)
        variance = train.var(ddof=1) / 60 + validation.var(ddof=1) / 60
        assert row["gap_error"] == pytest.approx(variance**0.5, rel=1e-3)


def test_an_untrained_critic_has_no_gap(games):
    """It has seen none of the images: the gap of its values is within their error."""
    splits = {name: overfit.Subset(digits_lib.embedded(name), 237) for name in ("train", "validation")}
    for row in overfit.measure(games, splits, 0):
        assert abs(row["gap"]) < 3 * row["gap_error"]


def test_a_critic_of_the_images_themselves_has_a_gap():
    """After 600 updates on 32 images alone it separates them from others: 19 of 20 chance gaps are within 2 errors."""
    few = overfit.Subset(digits_lib.embedded("train"), 32)
    splits = {"train": few, "validation": overfit.Subset(digits_lib.embedded("validation"), 200)}
    settings = {"copies": 1, "width": 32, "depth": 1, "batch_size": 32, "seed": 0, "latents": 3}
    games = toys.Toys(overfit._variant("wgan_gp"), [few], **settings)
    before = overfit.measure(games, splits, 0)[0]
    games.play(120, "toy")
    after = overfit.measure(games, splits, 600)[0]  # 32 and 200 images, each with as many samples
    assert abs(before["gap"]) < 2 * before["gap_error"]
    assert after["gap"] > 2 * after["gap_error"]


def made_rows(train, validation):
    """Returns rows of two runs with these values by step; run 1 has a tenth more."""
    return [
        {"step": 5 * step, "variant": variant, "run": run, "train": one * (1 + 0.1 * run)}
        | {"validation": other * (1 + 0.1 * run), "gap": (one - other) * (1 + 0.1 * run), "gap_error": 0.5}
        for variant in overfit.VARIANTS
        for step, (one, other) in enumerate(zip(train, validation, strict=True))
        for run in range(2)
    ]


def test_metrics_and_sentence():
    rows = made_rows([0.0, 4.0, 8.0], [0.0, 3.0, 2.0])
    found = overfit.metrics(rows) | {"train_digits": 1000.0, "validation_digits": 237.0}
    assert (found["wgan_train"], found["wgan_validation"], found["wgan_gap"]) == pytest.approx((8.4, 2.1, 6.3))
    assert (found["wgan_gap_low"], found["wgan_gap_high"]) == pytest.approx((6, 6.6))
    assert found["wgan_gap_errors"] == pytest.approx(12.6)
    assert found["wgan_gap_errors_largest"] == pytest.approx(13.2)  # run 1: 6 · 1.1 / 0.5
    assert (found["wgan_validation_peak"], found["wgan_peak_step"]) == pytest.approx((3.15, 5))
    assert found["wgan_train_at_peak"] == pytest.approx(4.2)
    text = overfit.finding(found, "embedded")
    assert text.startswith("On 1,000 of the embedded digits the critic's loss")
    assert "on 237 validation digits: WGAN 8.4 and 2.1, a gap of 12.6 standard errors; WGAN-GP" in text


def test_largest_gap_counts_both_signs():
    rows = made_rows([0.0, 1.0, 2.0], [4.0, 1.0, 1.0])
    assert overfit.metrics(rows)["wgan_gap_errors_largest"] == pytest.approx(4 * 1.1 / 0.5)


def test_picture_matches_the_rows():
    left, _, right, lower, *_, last = overfit.picture(made_rows([0.0, 4.0, 8.0], [0.0, 3.0, 2.0])).axes
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_allclose(lines["train"].get_xydata(), [(0, 0), (5, 4.2), (10, 8.4)])
    np.testing.assert_allclose(lines["validation"].get_ydata(), [0, 3.15, 2.1])
    assert (left.get_title(), right.get_title()) == ("WGAN", "GAN-GP")
    np.testing.assert_allclose(lower.lines[0].get_ydata(), [0, 2.1, 12.6])  # gaps of 1 and 6 over 0.5, medians
    assert [text.get_text() for text in last.get_legend().get_texts()] == ["±2 standard errors"]


def test_absent_digits_are_refused_before_anything_is_written(small, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "reachable", lambda url: False)
    (tmp_path / "data").mkdir()
    value, settings = small("figure_overfit", figure__source="tfds"), kinds.Settings(data_dir=str(tmp_path / "data"))
    with pytest.raises(errors.InputError, match="MNIST is not prepared in .*data and cannot be downloaded"):
        KIND.train(value, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_all_variants_have_equal_updates(whole):
    rows = read_rows(whole("figure_overfit") / "metrics.jsonl")
    assert len(rows) == 3 * 2 * 3  # variants, runs, steps
    assert {(row["variant"], row["step"]) for row in rows} == {(v, s) for v in overfit.VARIANTS for s in (0, 5, 10)}
    assert {row["source"] for row in rows} == {"embedded"}
    stored = json.loads((whole("figure_overfit") / "results.json").read_text())["metrics"]
    assert stored == pytest.approx(overfit.metrics(rows) | {"train_digits": 20.0, "validation_digits": 20.0})
