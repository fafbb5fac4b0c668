"""Samples of texts: drawn in blocks, once within a state of the source."""

import numpy as np
import pytest

from tfpaths import config, errors
from tfpaths.metrics import sources, texts
from tfpaths.metrics.context import Context

MARKOV = config.Data(name="markov", examples=2_300, length=4, characters=3)


def context(**fields):
    return Context(MARKOV, config.Evaluation(**fields))


def counted(made, size=None, state=None):
    """A source whose sample i is likeliest to be the letter i mod 3, which lists what is drawn."""

    def batches(start, num):
        made.append((start, num))
        return np.repeat(np.eye(3, dtype=np.float32)[np.arange(start, start + num) % 3][:, None], 4, axis=1)

    return sources.Source(batches, None, size, state)


def test_each_block_is_drawn_once_within_a_state():
    made, one, step = [], context(), [0]
    source = counted(made, state=lambda: step[0])
    for num in (1500, 10, 2001):
        found = texts.drawn(one, source, num)
        np.testing.assert_array_equal(found, np.arange(num)[:, None] % 3 * np.ones(4))
    assert made == [(0, 1000), (1000, 1000), (2000, 1000)]
    step[0] = 1
    texts.drawn(one, source, 10)
    assert made[3:] == [(0, 1000)]


@pytest.mark.parametrize(
    ("samples", "count", "size", "expected"), [(200, None, None, 200), (200, 50, None, 50), (200, None, 70, 70)]
)
def test_number_of_samples(samples, count, size, expected):
    assert len(texts.TextMetric().samples(context(samples=samples), counted([], size), count)) == expected


def test_all_real_texts_are_compared_and_read_once(monkeypatch):
    metric, one = texts.TextMetric(), context()
    real = metric.real(one)
    np.testing.assert_array_equal(real, one.real.take(np.arange(2_300)).numpy().argmax(-1))
    assert metric.real(one) is real
    assert len(metric.real(Context(MARKOV, config.Evaluation(split="train")))) == 2_300


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probabilities_that_are_not_finite_are_an_error(value):
    source = sources.Source(lambda start, num: np.full((num, 4, 3), value), None)
    with pytest.raises(errors.RunError, match="the samples 0 to 999 are not finite"):
        texts.drawn(context(), source, 5)
