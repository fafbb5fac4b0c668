"""The gradient by layer of a deep critic: norms by hand, the share of weights at the clip, sentence and picture."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import losses
from tfpaths.figures import layers, toys
from tfpaths.networks.ensembles import EnsembleDense
from tfpaths.runs.rows import read_rows


def linear_critic(scale=1.0):
    """Returns a critic whose units are all in their linear part, and its kernels; run 1 has twice the weights."""
    model = toys.network(2, 2, width=3, depth=2, name="critic")
    random = np.random.default_rng(0)
    kernels = []
    for layer in (layer for layer in model.layers if isinstance(layer, EnsembleDense)):
        kernel = scale * random.uniform(0.1, 1, layer.kernel.shape[1:]).astype(np.float32)
        kernels.append(np.stack([kernel, 2 * kernel]))
        layer.kernel.assign(kernels[-1])
        layer.bias.assign(np.full(layer.bias.shape, 50, np.float32))
    return model, kernels


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e-15])
def test_norms_through_a_linear_network(scale):
    """dL/dD is ±1/n for 2 n logits, with the norm sqrt(2 / n); before that the norms are those of W_3 and W_2 W_3."""
    model, (_, second, last) = linear_critic(scale)
    real, fake = (tf.constant(np.random.default_rng(seed).random((2, 4, 2)), tf.float32) for seed in (1, 2))
    norms = layers.gradient_norms(model, real, fake, losses.get("wasserstein"))
    second, last = second.astype(np.float64), last.astype(np.float64)
    factors = [np.linalg.norm(second @ last, axis=(1, 2)), np.linalg.norm(last, axis=(1, 2)), np.ones(2)]
    np.testing.assert_allclose(norms, (2 / 4) ** 0.5 * np.transpose(factors), rtol=1e-5)


def test_a_closed_unit_passes_no_gradient():
    model, kernels = linear_critic()
    first = model.layers[1]
    first.bias.assign(
        np.full(first.bias.shape, -50, np.float32)
    )  # The first layer's ReLU is closed: the second is not.
    points = tf.ones([2, 4, 2])
    norms = layers.gradient_norms(model, points, points, losses.get("wasserstein"))
    # The gradient by the closed layer's own activations is as before: they are behind the ReLU.
    expected = (1 / 2) ** 0.5 * np.linalg.norm(kernels[1] @ kernels[2], axis=(1, 2))
    np.testing.assert_allclose(norms[:, 0], expected, rtol=1e-5)


def test_rows_have_the_share_of_weights_at_the_clip(whole):
    rows = read_rows(whole("figure_gradients") / "metrics.jsonl")
    assert len(rows) == 2 * 3 * 2 * 3  # steps, settings, runs, layers
    after_one = {(row["setting"], row["run"]): row["at_clip"] for row in rows if row["step"] == 1}
    assert after_one["penalty", 0] is None
    # He's weights are uniform in ±sqrt(6 / inputs), so that nearly all of them are clipped to 0.001 at once.
    assert after_one["clip_0.001", 0] > 0.99
    assert after_one["clip_0.1", 0] < after_one["clip_0.001", 0]
    assert {row["layer"] for row in rows} == {1, 2, 3}


def test_share_at_the_clip():
    # Of six weights two are at ±c, and one is beyond 0.99 c.
    weights = np.array([0.1, -0.1, 0.0995, 0.0985, 0.0, -0.05])
    assert layers.at_clip(weights, 0.1) == 0.5


def made_rows(norms, at_clip=None, setting="clip_0.1"):
    """Returns rows of two runs with these norms by layer; those of run 1 are ten times as large in the first layer."""
    return [
        {"step": 7, "setting": setting, "run": run, "layer": layer, "norm": norm * (10 if run and layer == 1 else 1)}
        | {"at_clip": at_clip}
        for run in range(2)
        for layer, norm in enumerate(norms, start=1)
    ]


def test_decades():
    rows = [*made_rows([1e-6, 1e-4, 1e-2, 0.5], 0.25), *made_rows([2, 1, 1, 0.5], setting="penalty")]
    found = layers.metrics([{**row, "step": 3, "norm": 1.0, "at_clip": 0.75} for row in rows] + rows)
    # From the last hidden layer, 1e-2, to the first, 1e-6 and 1e-5: -4 and -3, over two layers.
    assert found["clip_0.1_decades"] == pytest.approx(-3.5)
    assert (found["clip_0.1_decades_low"], found["clip_0.1_decades_high"]) == pytest.approx((-4, -3))
    assert found["clip_0.1_per_layer"] == pytest.approx(-1.75)
    assert (found["clip_0.1_at_clip"], found["runs"]) == (0.25, 2)
    assert (found["clip_0.1_at_clip_first"], found["clip_0.1_decades_first"]) == (0.75, 0)
    assert "penalty_at_clip" not in layers.metrics(made_rows([2, 1, 0.5], setting="penalty"))
    text = layers.finding(found, ["clip_0.1", "penalty"])
    assert "a factor of 10^-3.5 for c = 0.1, and 10^+0.8 with the penalty (medians of 2 runs)" in text
    assert "25 % are at ±c at the end, and 75 % at the first measured step" in text


def test_dead_gradient_is_a_number():
    found = layers.metrics(made_rows([0.0, 1.0, 1.0]))
    assert found["clip_0.1_decades"] == pytest.approx(-300)


def test_picture_matches_the_rows():
    rows = [*made_rows([1e-6, 1e-4, 1e-2], 0.25), *made_rows([2, 1, 0.5], setting="penalty")]
    weights = {"clip_0.1": np.array([0.1, -0.1, 0.05, 0.02]), "penalty": np.array([0.1, 0.2])}
    left, middle, right = layers.picture(rows, weights).axes
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_allclose(lines["c = 0.1"].get_xydata(), [(1, 5.5e-6), (2, 1e-4), (3, 1e-2)])
    np.testing.assert_allclose(lines["penalty"].get_ydata(), [11, 1, 0.5])
    _, stairs = middle.patches
    shares, edges, _ = stairs.get_data()
    assert stairs.get_label() == "c = 0.1: 25 % at ±c"
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.sort(edges[:-1][shares > 0]), [-1, 0.2, 0.5, 1], atol=0.03)
    assert (middle.get_ylabel(), right.get_ylabel()) == ("share of the weights",) * 2
    assert len(right.patches) == 2  # an area and its line


def test_metrics_are_stored(whole):
    stored = json.loads((whole("figure_gradients") / "results.json").read_text())["metrics"]
    rows = read_rows(whole("figure_gradients") / "metrics.jsonl")
    assert stored == pytest.approx(layers.metrics(rows))
