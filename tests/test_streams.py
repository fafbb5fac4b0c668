"""Streams of random numbers: an ensemble's runs, and the quantile that makes them normal."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfpaths import streams


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (64, 1)])
def test_a_run_draws_what_it_would_draw_alone(distribution, shape):
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
