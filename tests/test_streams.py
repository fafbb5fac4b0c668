"""Streams: pure functions of a seed, in and out of a graph, alone and in an ensemble."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfpaths import streams


def test_streams_differ_by_every_folded_number():
    roots = [streams.root(0), streams.root(1)]
    leaves = [root.fold(a, b) for root in roots for a in range(4) for b in range(4)]
    draws = {leaf.normal((4,)).numpy().tobytes() for leaf in leaves}
    assert len(draws) == 32
    np.testing.assert_array_equal(roots[0].fold(1, 2).key, roots[0].fold(1).fold(2).key)
    sample = leaves[0].normal((20_000,)).numpy()
    np.testing.assert_allclose((sample.mean(), sample.std()), (0, 1), atol=0.02)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (64, 1)])
def test_run_in_an_ensemble_draws_the_same_as_alone(distribution, shape):
    @tf.function(jit_compile=True)
    def drawn(first_run, runs):
        stream = streams.root(4, first_run=first_run).fold(9)
        return getattr(stream, distribution)((runs, *shape))

    many = drawn(tf.constant(10), 6).numpy()
    for run in range(6):
        np.testing.assert_array_equal(drawn(tf.constant(10 + run), 1)[0], many[run])
    assert len(np.unique(many)) == many.size


def test_normal_draws_are_normal_and_never_infinite():
    values = streams.root(1, first_run=0).normal((50, 4000)).numpy()
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    # The quantiles of the smallest and the largest uniform number are each other's negatives, and finite.
    edges = streams.normal_quantile(tf.constant([0.0, 1 - 2.0**-23])).numpy()
    assert edges[0] == -edges[1]
    assert 5 < edges[1] < 5.5


def test_another_attempt_gives_another_stream():
    draws = [streams.root(3, attempt=attempt).uniform((4,)).numpy() for attempt in (0, 1)]
    np.testing.assert_array_equal(draws[0], streams.root(3).uniform((4,)))
    assert not np.array_equal(*draws)


def test_stream_can_be_passed_to_a_tf_function():
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


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize(("row", "first"), [((), 8), ((3,), 4), ((3, 5), 12), ((4,), 1), ((128,), 2**20)])
def test_a_draw_can_be_made_in_parts(distribution, row, first, in_graph):
    stream = streams.root(7).fold(3)

    def draw(stream, count):
        return getattr(stream, distribution)((count, *row))

    part = (tf.function(draw, autograph=False) if in_graph else draw)(stream.from_row(first), 5)
    if first < 2**20:
        np.testing.assert_array_equal(part, draw(stream, first + 5)[first:])
    # A stream below it begins at the same row.
    np.testing.assert_array_equal(draw(stream.from_row(first).fold(1), 5), draw(stream.fold(1).from_row(first), 5))


def test_a_part_begins_at_a_multiple_of_four_numbers():
    with pytest.raises(tf.errors.InvalidArgumentError, match="no multiple of 4"):
        streams.root(7).from_row(2).normal((1, 3))
    streams.root(7).from_row(2).normal((1, 2))


def test_draws_of_an_ensemble_are_not_made_in_parts():
    with pytest.raises(ValueError, match="ensemble"):
        streams.root(7, first_run=0).from_row(4)
