"""The space of a sweep: draws, grids, and texts."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from tfpaths import errors, space

RATE = space.Range(paths=("rate",), scale="log", low=1e-5, high=1e-1)
SCALE = space.Range(paths=("scale",), scale="uniform", low=-1.0, high=3.0)
WIDTH = space.Choice(paths=("width", "depth"), values=((16, 1), (64, 2), (256, 3)))


def drawn(axis, path, count, seed=0):
    return [space.setting([axis], trial, seed=seed)[path] for trial in range(count)]


def test_draws_have_their_distribution():
    # Kolmogorov and Smirnov's test; the seed is fixed, so that the p-values are too.
    logs = np.log10(drawn(RATE, "rate", 2000))
    assert scipy.stats.kstest(logs, scipy.stats.uniform(-5, 4).cdf).pvalue > 0.01
    assert scipy.stats.kstest(drawn(SCALE, "scale", 2000), scipy.stats.uniform(-1, 4).cdf).pvalue > 0.01
    widths = drawn(WIDTH, "width", 2000)
    assert scipy.stats.chisquare([widths.count(value) for value in (16, 64, 256)]).pvalue > 0.01


def test_axes_are_independent():
    pairs = [space.setting([RATE, SCALE], trial, seed=0) for trial in range(2000)]
    correlation = scipy.stats.pearsonr([math.log(pair["rate"]) for pair in pairs], [pair["scale"] for pair in pairs])
    assert correlation.pvalue > 0.01


def test_a_setting_does_not_depend_on_other_axes_or_their_order():
    alone = drawn(RATE, "rate", 5)
    for axes in ([RATE, SCALE], [WIDTH, RATE], [WIDTH, SCALE, RATE]):
        assert [space.setting(axes, trial, seed=0)["rate"] for trial in range(5)] == alone
    assert drawn(RATE, "rate", 5, seed=1) != alone


def test_fields_of_an_axis_are_set_together():
    assert {(one["width"], one["depth"]) for one in (space.setting([WIDTH], n, seed=0) for n in range(50))} == set(
        WIDTH.values
    )
    both = space.Range(paths=("g", "d"), scale="log", low=0.1, high=1.0).settings(0.3)
    assert both["g"] == both["d"]


def test_the_grid_has_each_combination_once():
    axes = [WIDTH, space.parse("a=x,y"), space.parse("b=1,2,3,4")]
    size = space.grid_size(axes)
    assert size == 24
    grid = [tuple(space.setting(axes, trial, seed=None).values()) for trial in range(size)]
    assert grid == [(*one, a, b) for one, a, b in itertools.product(WIDTH.values, "xy", "1234")]


def test_numbers_stay_inside_their_interval():
    # Four digits of 0.99996 are 1, and those of 1.2344e-3 are 1.234e-3.
    assert space.Range(paths=("x",), scale="uniform", low=0.0, high=0.99996).settings(1 - 1e-12)["x"] == 0.99996
    assert space.Range(paths=("x",), scale="log", low=1.2344e-3, high=1.0).settings(0.0)["x"] == 1.2344e-3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width", "--sweep: expected path.to.field=v1,v2 or path.to.field=log(low,high), received 'width'."),
        ("=1,2", "--sweep: expected path"),
        ("width=", "--sweep width: expected values that are separated by commas, received ''."),
        ("width=1,,2", "--sweep width: expected values that are separated by commas, received '1,,2'."),
        ("rate=log(1e-3)", "--sweep rate: expected two numbers, low and high, received 'log(1e-3)'."),
        ("rate=log(a,b)", "--sweep rate: expected two numbers, low and high"),
        ("rate=log(0,1)", "--sweep rate: low: expected a number above zero, because its logarithm is drawn"),
        ("rate=uniform(2,1)", "--sweep rate: high: expected a finite number above 2, received 1.0."),
        ("rate=uniform(0,inf)", "--sweep rate: high: expected a finite number above 0, received inf."),
        ("rate=uniform(nan,1)", "--sweep rate: low: expected a finite number, received nan."),
    ],
)
def test_invalid_texts(text, message):
    with pytest.raises(errors.InputError) as error:
        space.parse(text)
    assert str(error.value).startswith(message)


def test_a_choice_has_a_value_for_each_field():
    with pytest.raises(errors.InputError, match="values: expected at least one choice of 2 values"):
        space.Choice(paths=("a", "b"), values=((1,),))
    with pytest.raises(errors.InputError, match="values: expected at least one choice of 1 values"):
        space.Choice(paths=("a",), values=())
