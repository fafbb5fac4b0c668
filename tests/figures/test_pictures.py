"""The pictures of the figures: their axes, and where their lines are drawn."""

import matplotlib.figure
import numpy as np
import pytest

from tfpaths import plotting
from tfpaths.figures import dimensions, rises, runner


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("figure_1", {"step", "d²", "nats", "first coordinate"}),
        ("figure_2", {"x", "D(G(z))", "loss, nats"}),
        ("figure_3", {"first coordinate", "NS-GAN\nsecond coordinate", "GAN-GP\nsecond coordinate", "step 10"}),
        ("figure_ratio", {"ring", "1/2 square, 1/2 ring", "step (maps: 3; bands: all runs)"}),
        ("figure_langevin", {"step", "mean of y", "variance of y"}),
        ("figure_refine", {"step", "d²", "Samples at step 2", "second coordinate"}),
        ("figure_bound", {"noise a (uniform, ±a along v)", "W and its bounds", "|v|", "bound / W"}),
        ("figure_cauchy", {"batch size n", "interquartile range / first", "share beyond"}),
        ("figure_generalization", {"points of each sample, m", "dimension, d", "d = 2 (dashed) and d = 64", "m = 32"}),
        ("figure_noise", {"JSD of the noisy lines", "|v|", "NS-GAN\nmedian d²", "D updates a step: 1"}),
        ("figure_convergence", {"generator steps", "seconds of training", "score", "squared Fréchet distance"}),
        ("perfect_line", {"t, steps of the discriminator times their size", "Gradient of −E log D"}),
        ("figure_paths", {"share of steps on which d² rose", "all rises together / net descent of d²"}),
    ],
)
def test_axes_and_lines_have_names(name, texts, small, copy, monkeypatch):
    directory, pictures = copy(name), []
    png = plotting.png

    def keep(draw, *args, **kwargs):
        pictures.append(draw(*args))
        return png(draw, *args, **kwargs)

    monkeypatch.setattr(plotting, "png", keep)
    runner.run(small(name), directory)
    (picture,) = pictures
    assert isinstance(picture, matplotlib.figure.Figure)
    names = {text for axes in picture.axes for text in (axes.get_xlabel(), axes.get_ylabel(), axes.get_title())}
    assert texts <= names


def test_rises_lines_match_their_rows():
    rows = [
        {"variant": variant}
        | dict.fromkeys(("rises", "rises_arriving"), share)
        | dict.fromkeys(("climbed", "climbed_arriving"), 10 * share)
        for variant, shares in {"ns": (0.3, 0.1, 0.2), "gan_gp": (0.5,)}.items()
        for share in shares
    ]
    often, far, *_ = rises.picture(rows).axes
    lines = {line.get_label(): line for line in often.lines}
    assert set(lines) == {"NS-GAN (3 runs)", "GAN-GP (1 run)"}
    np.testing.assert_allclose(lines["NS-GAN (3 runs)"].get_xydata(), [(0.1, 1 / 3), (0.2, 2 / 3), (0.3, 1)])
    assert far.get_xscale() == "log"


def test_runs_that_never_rose_stand_at_the_left_end():
    names = ("rises", "rises_arriving", "climbed", "climbed_arriving")
    _, far, *_ = rises.picture([{"variant": "ns"} | dict.fromkeys(names, 0.0)]).axes
    # A logarithmic axis without a positive value is a warning, and so an error here.
    assert far.lines[0].get_xdata().tolist() == [far.get_xlim()[0]]


def test_legend_of_one_experiment_fits_the_picture():
    row = {"experiment": "one", "dimension": 2, "failed_share": 0.25, "initial_distance_mean": 9.0}
    row |= {"distance_mean": 2.0, "distance_mean_low": 1.5, "distance_mean_high": 2.5, "distance_median": 1.0}
    picture = dimensions.picture([{**row, "variant": variant} for variant in ("ns", "gan_gp", "dragan_ns", "wgan_gp")])
    picture.canvas.draw()
    (legend,) = picture.legends
    box, page = legend.get_window_extent(), picture.bbox
    assert page.x0 <= box.x0 < box.x1 <= page.x1
    # One dimension: the variants stand together in the middle of the axis.
    assert picture.axes[1].get_xlim() == (1, 4)


def test_dimensions_lines_match_their_rows():
    row = {"experiment": "one", "variant": "ns", "failed_share": 0.25, "initial_distance_mean": 9.0}
    row |= {"distance_mean": 2.0, "distance_mean_low": 1.5, "distance_mean_high": 2.5, "distance_median": 1.0}
    above, below = dimensions.picture([{**row, "dimension": d} for d in (8, 2)]).axes
    np.testing.assert_allclose(below.lines[0].get_xydata(), [(2, 0.25), (8, 0.25)])
    np.testing.assert_allclose([ends[:, 1] for ends in above.collections[0].get_segments()], [(1.5, 2.5)] * 2)


def test_custom_variant_has_one_colour():
    row = {"experiment": "one", "dimension": 2, "failed_share": 0.25, "initial_distance_mean": 9.0}
    row |= {"distance_mean": 2.0, "distance_mean_low": 1.5, "distance_mean_high": 2.5, "distance_median": 1.0}
    above, below = dimensions.picture([{**row, "variant": variant} for variant in ("ns", "mine")]).axes
    colors = {line.get_color() for line in above.lines if line.get_label() == "mine, median"}
    colors |= {container.lines[0].get_color() for container in above.containers if container.get_label()[:4] == "mine"}
    assert colors == {below.lines[1].get_color()}
