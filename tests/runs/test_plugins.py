"""A game that changes its samples: grids, loading, metrics and export have the same ones."""

import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from helpers import registered, toy

import tfpaths
from tfpaths.data import pictures
from tfpaths.games import GAMES
from tfpaths.gan import GAN
from tfpaths.metrics import METRICS, Metric, sources
from tfpaths.runs.directory import RunDirectory


class Inverted(GAN):
    """Samples are mirrored, and their colours inverted."""

    def generate(self, latents, training=False):
        images = super().generate(latents, training=training)
        return images if training else -images[:, :, ::-1]


SEEN = []


class Seen(Metric):
    """Stores the samples that it receives."""

    def compute(self, context, source, count=None):
        SEEN.append(source.batches(0, 4).numpy())
        return {"seen": float(SEEN[-1].mean())}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with registered(GAMES, "inverted", Inverted), registered(METRICS, "seen", Seen):
        path = tmp_path_factory.mktemp("plugins") / "run"
        SEEN.clear()
        tfpaths.train(toy("color_mnist_ns", variant__game="inverted", evaluation__metrics="seen"), path)
        tfpaths.export(path)
        yield path


@pytest.fixture(scope="module")
def expected(run):
    """By hand: from the generator alone."""
    gan = tfpaths.load(run).gan
    raw = gan.generator(gan.sample_latents(64, seed=0), training=False).numpy()
    return -raw[:, :, ::-1]


def test_grid_shows_the_games_samples(run, expected):
    grid = np.asarray(PIL.Image.open(run / "samples" / "step_00000004.png"))
    np.testing.assert_array_equal(grid, pictures.grid(expected, 8))


def test_loaded_run_gives_the_games_samples(run, expected):
    np.testing.assert_allclose(tfpaths.load(run).sample(64, seed=0), expected, atol=1e-6)
    tfpaths.sample(run, str(run.parent / "a.npz"), num=64, seed=0)
    np.testing.assert_array_equal(np.load(run.parent / "a.npz")["images"], pictures.levels(expected))


def test_metrics_receive_the_games_samples(run):
    gan = tfpaths.load(run).gan
    seed = json.loads((run / "config.json").read_text())["evaluation"]["seed"]
    source = sources.samples(gan.draw, seed)
    np.testing.assert_allclose(SEEN[-1], source.batches(0, 4), atol=1e-6)
    plain = sources.samples(lambda num, stream: gan.generator(gan.latents(num, stream), training=False), seed)
    np.testing.assert_allclose(SEEN[-1], -plain.batches(0, 4).numpy()[:, :, ::-1], atol=1e-6)


@pytest.mark.parametrize("name", ["serving_default", "sample"])
def test_export_gives_the_games_samples(run, expected, name):
    signatures = tf.saved_model.load(str(run / "export")).signatures
    arguments = {"num_samples": tf.constant(64), "seed": tf.constant(0)}
    if name == "serving_default":
        arguments = {"z": signatures["latents"](**arguments, first=tf.constant(0))["z"]}
    np.testing.assert_allclose(signatures[name](**arguments)["images"], expected, atol=1e-5)
    tfpaths.sample(run / "export", str(run.parent / f"{name}.npz"), num=64, seed=0)
    levels = np.load(run.parent / f"{name}.npz")["images"].astype(int)
    assert np.abs(levels - pictures.levels(expected)).max() <= 1


def test_missing_game_error_mentions_import(run):
    from tfpaths import errors

    item = GAMES._items.pop("inverted")
    try:
        with pytest.raises(errors.InputError, match="variant.game.name: unknown game 'inverted'.*--import"):
            tfpaths.load(run)
    finally:
        GAMES._items["inverted"] = item
    assert RunDirectory(run).stored().variant.game.name == "inverted"
