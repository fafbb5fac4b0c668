"""Plotting: the look of variants, PNG and SVG."""

import io

import matplotlib
import matplotlib.figure
import PIL.Image

from tfpaths import plotting
from tfpaths.experiments.variants import VARIANTS


def draw(height):
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, height], label="a line")
    axes.legend()
    return figure


def test_variants_differ_in_more_than_colour():
    assert {variant.name for variant in VARIANTS} <= set(plotting.LOOKS)
    looks = list(plotting.LOOKS.values())
    for values in ({look.name for look in looks}, {str(look.dash) for look in looks}, {look.marker for look in looks}):
        assert len(values) == len(looks)


def test_unknown_variant_is_labelled_with_its_name():
    assert plotting.label("mine") == "mine"
    assert plotting.look("mine").line == {"color": None, "linestyle": "-"}


def test_png_is_small_and_restores_matplotlib_settings():
    before = dict(matplotlib.rcParams)
    content = plotting.png(draw, 2.0)
    assert dict(matplotlib.rcParams) == before
    assert PIL.Image.open(io.BytesIO(content)).width == 1200
    assert len(content) < 60_000


def test_the_same_drawing_gives_the_same_svg():
    content = plotting.svg(draw, 2.0)
    assert content == plotting.svg(draw, 2.0)
    assert b">a line<" in content
