"""The line in R^d: the distance against SciPy and samples, and the initial players."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import tensorflow as tf

from tfpaths import streams
from tfpaths.lines import problem


def random_players(runs=5, dimension=4, latents=3):
    """m, s and c, `[runs, dimension]`, and S, `[runs, dimension, latents]`."""
    draw = np.random.default_rng(0).normal
    m, s, c = (draw(size=(runs, dimension)).astype(np.float32) for _ in range(3))
    return m, s, c, draw(size=(runs, dimension, latents)).astype(np.float32)


@pytest.mark.parametrize("latents", [1, 3])
def test_distance_matches_scipys_matrix_root(latents):
    m, s, c, directions = random_players(latents=latents)
    distances = problem.squared_distance(problem.Line(m, s), c, directions).numpy()
    for run in range(5):
        one, other = np.outer(s[run], s[run]), directions[run] @ directions[run].T
        root = scipy.linalg.sqrtm(one @ other + 1e-12 * np.eye(4)).real
        expected = ((m[run] - c[run]) ** 2).sum() + np.trace(one + other - 2 * root)
        assert distances[run] == pytest.approx(expected, rel=1e-3)


def test_distance_matches_samples():
    m, s, c, directions = random_players(runs=1)
    draw = np.random.default_rng(1).normal
    real = m[0] + draw(size=(200_000, 1)) * s[0]
    fake = c[0] + draw(size=(200_000, 3)) @ directions[0].T
    one, other = np.cov(real.T), np.cov(fake.T)
    root = scipy.linalg.sqrtm(one @ other).real
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
    distances = problem.squared_distance(problem.Line(m, s), c, directions).numpy()
    assert distances[0] == pytest.approx(expected, rel=0.02)


def test_distance_is_zero_at_the_data_for_either_sign():
    m, s, _, _ = random_players()
    for sign in (1, -1):
        distances = problem.squared_distance(problem.Line(m, s), m, sign * s[:, :, None])
        np.testing.assert_allclose(distances, 0.0, atol=1e-5)


def test_shift_adds_its_squared_length():
    m, s, _, _ = random_players()
    distances = problem.squared_distance(problem.Line(m, s), m + 2.0, s[:, :, None])
    np.testing.assert_allclose(distances, 4 * 4.0, rtol=1e-5)


def test_parallel_start_is_at_distance_1(block):
    made = block(study__start="parallel", study__latents="2", study__dimension="5")
    m, s, c, directions = made.players().values()
    np.testing.assert_allclose(made.distance(), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(directions[:, :, 0], s)
    np.testing.assert_array_equal(directions[:, :, 1], 0.0)
    np.testing.assert_allclose(np.linalg.norm(c - m, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(((c - m) * s).sum(axis=1), 0.0, atol=1e-5)


def test_random_start_is_normal_and_independent(block):
    m, s, c, directions = block(runs=400, study__latents="3", study__dimension="4").players().values()
    for values in (c, m, s, directions * 3**0.5):
        assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    # Different quantities use independent draws.
    for one, other in itertools.combinations([c, m, s, directions[:, :, 0]], 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


def test_unknown_start_is_refused():
    data = problem.Line(tf.zeros([2, 3]), tf.ones([2, 3]))
    with pytest.raises(ValueError, match="Expected 'random' or 'parallel', received 'near'"):
        problem.start("near", streams.root(0, first_run=0), data, 1)


def test_data_lie_on_their_line(block):
    made = block(study__dimension="6")
    x = made.data.batch(500, problem.data_stream(made.gan.stream, 0, 0)).numpy()
    m, s = made.data.mean.numpy()[:, None], made.data.direction.numpy()[:, None]
    y = ((x - m) * s).sum(axis=2) / (s * s).sum(axis=2)
    np.testing.assert_allclose(x, m + s * y[..., None], atol=1e-5)
    assert scipy.stats.kstest(y.ravel(), "norm").pvalue > 1e-3


def test_every_update_gets_different_data():
    stream = streams.root(3, first_run=0)
    data = problem.line(stream, 2, 3)
    batches = [
        data.batch(4, problem.data_stream(stream, step, update)).numpy().tobytes()
        for step, update in itertools.product(range(3), range(2))
    ]
    assert len(set(batches)) == 6
