"""Streams: pure functions of a seed, in and out of a graph, alone and in an ensemble."""

import numpy as np
import tensorflow as tf

from tfpaths import streams


def test_streams_differ_by_every_number_on_the_way():
    roots = [streams.root(0), streams.root(1)]
    leaves = [root.fold(a, b) for root in roots for a in range(4) for b in range(4)]
    draws = {leaf.normal((4,)).numpy().tobytes() for leaf in leaves}
    assert len(draws) == 32
    np.testing.assert_array_equal(roots[0].fold(1, 2).key, roots[0].fold(1).fold(2).key)
    sample = leaves[0].normal((20_000,)).numpy()
    np.testing.assert_allclose((sample.mean(), sample.std()), (0, 1), atol=0.02)


def test_a_run_of_an_ensemble_draws_what_it_draws_alone():
    for draw in ("uniform", "normal"):
        several = getattr(streams.root(3, first_run=4).fold(1), draw)((5, 7, 2)).numpy()
        for run in range(5):
            alone = getattr(streams.root(3, first_run=4 + run).fold(1), draw)((1, 7, 2)).numpy()
            # The quantile of a normal number may be rounded in another way at another place of a vector.
            np.testing.assert_allclose(alone[0], several[run], rtol=0 if draw == "uniform" else 1e-6)
        assert len({one.tobytes() for one in several}) == 5


def test_another_attempt_is_another_stream():
    draws = [streams.root(3, attempt=attempt).uniform((4,)).numpy() for attempt in (0, 1)]
    np.testing.assert_array_equal(draws[0], streams.root(3).uniform((4,)))
    assert not np.array_equal(*draws)


def test_a_stream_goes_through_a_function():
    @tf.function
    def folded(stream, number):
        inner = stream.fold(number)
        return inner, inner.uniform((3,))

    for stream in (streams.root(5), streams.root(5).fold(2)):
        inner, drawn = folded(stream, tf.constant(9))
        assert isinstance(inner, streams.Stream)
        np.testing.assert_array_equal(drawn, stream.fold(9).uniform((3,)))
        np.testing.assert_array_equal(inner.normal((3,)), stream.fold(9).normal((3,)))
    assert folded.experimental_get_tracing_count() == 1
