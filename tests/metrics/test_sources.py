"""Sources: the same call gives the same examples."""

import numpy as np
import pytest

from tfpaths import data, streams
from tfpaths.metrics import sources


def test_the_same_call_gives_the_same_examples():
    examples = data.load("color_mnist", source="embedded")
    for source in (sources.real(examples), sources.noise(examples.shape, 3)):
        np.testing.assert_array_equal(source.batches(20, 30), source.batches(20, 30))
        assert np.abs(source.batches(0, 30) - source.batches(30, 30)).max() > 0.5
        one, other = (source.sampler(30, streams.root(seed)) for seed in (2, 3))
        assert one.shape == (30, 28, 28, 3)
        assert np.abs(one - other).max() > 0.5


@pytest.mark.parametrize(("size", "expected"), [(None, 2000), (1200, 1200), (5000, 2000)])
def test_at_most(size, expected):
    assert sources.Source(batches=None, sampler=None, size=size).at_most(2000) == expected


def test_sizes():
    examples = data.load("color_mnist", source="embedded")
    assert (sources.noise(examples.shape, 3).size, sources.real(examples).size) == (None, 1200)
