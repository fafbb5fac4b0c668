"""Shared parts of pictures: PNG and SVG files, fonts, and the look of each variant.

Lines differ in their dashes too, so that they can be distinguished in grey. The drawing of each figure is in its own
file in `tfpaths/figures/`.
"""

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.axes
import matplotlib.figure
import numpy as np
import PIL.Image


@dataclasses.dataclass(frozen=True)
class Look:
    """How a variant is drawn.

    Attributes:
      name: The variant's name in the paper.
      color: A matplotlib colour; None for the next colour of matplotlib's cycle.
      dash: A matplotlib line style.
      marker: A matplotlib marker.

    Example:
      >>> Look("NS-GAN", "#000000", "--").line
      {'color': '#000000', 'linestyle': '--'}
    """

    name: str
    color: str | None = None
    dash: Any = "-"
    marker: str = "."

    @property
    def line(self) -> dict[str, Any]:
        """The arguments of `Axes.plot` for a line without markers."""
        return {"color": self.color, "linestyle": self.dash}


# The colours are those of Okabe and Ito, which colour-blind readers can distinguish, and one of Tol's.
LOOKS = {
    "ns": Look("NS-GAN", "#000000", "-", "o"),
    "gan_gp": Look("GAN-GP", "#D55E00", "--", "s"),
    "dragan_ns": Look("DRAGAN-NS", "#0072B2", "-.", "^"),
    "wgan_gp": Look("WGAN-GP", "#009E73", ":", "D"),
    "minimax": Look("minimax GAN", "#CC79A7", (0, (5, 1)), "v"),
    "wgan": Look("WGAN", "#E69F00", (0, (1, 3)), "P"),
    "dragan": Look("DRAGAN", "#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "X"),
    "r1": Look("NS-GAN with R1", "#882255", (0, (5, 2, 1, 2)), "p"),
    "r1_r2": Look("NS-GAN with R1 and R2", "#AA4499", (0, (6, 1, 1, 1, 1, 1)), "d"),
    "r3gan": Look("R3GAN", "#117733", (0, (3, 1)), "*"),
    "ns_noise": Look("NS-GAN with noise", "#6699CC", (0, (6, 2)), "1"),
    "minimax_noise": Look("minimax GAN with noise", "#DDCC77", (0, (4, 2, 1, 2)), "2"),
    "ns_roth": Look("NS-GAN with Roth's penalty", "#888888", (0, (1, 1)), "3"),
    "kl_wgan": Look("KL-WGAN", "#44AA99", (0, (8, 2)), "h"),
    "hinge_sn": Look("hinge, SN", "#999933", (0, (2, 1)), "<"),
    "dcd": Look("DCD", "#332288", (0, (4, 1, 1, 1)), ">"),
}
DATA_COLOR, GENERATED_COLOR = "#777777", "#D55E00"

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def look(variant: str) -> Look:
    """Returns how a variant is drawn; a variant that is not in `LOOKS` has its own name and the default look.

    Example:
      >>> look("ns").name, look("mine").name
      ('NS-GAN', 'mine')
    """
    return LOOKS.get(variant, Look(variant))


def label(variant: str) -> str:
    """Returns a variant's name in the paper.

    Example:
      >>> label("gan_gp")
      'GAN-GP'
    """
    return look(variant).name


def png(draw: Callable[..., matplotlib.figure.Figure], *args: Any, width: int = 1200) -> bytes:
    """Returns the figure that `draw(*args)` returns as a PNG with 256 colours, so that the file is small.

    Args:
      draw: Draws the figure; it is called with this module's fonts and line widths.
      *args: The arguments of `draw`.
      width: The width in pixels.

    Example:
      >>> picture = png(lambda: matplotlib.figure.Figure(figsize=(4, 3)), width=400)
      >>> PIL.Image.open(io.BytesIO(picture)).size
      (400, 300)
    """
    with matplotlib.rc_context(_STYLE):
        figure = draw(*args)
        whole = io.BytesIO()
        figure.savefig(whole, format="png", dpi=width / figure.get_figwidth())
    small = io.BytesIO()
    image = PIL.Image.open(whole).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    image.save(small, format="PNG", optimize=True)
    return small.getvalue()


def svg(draw: Callable[..., matplotlib.figure.Figure], *args: Any) -> bytes:
    """Returns the figure that `draw(*args)` returns as SVG; the same figure always gives the same bytes.

    Text is stored as text, not as curves, so that it can be searched and copied.

    Args:
      draw: Draws the figure; it is called with this module's fonts and line widths.
      *args: The arguments of `draw`.

    Example:
      >>> svg(matplotlib.figure.Figure).startswith(b"<?xml")
      True
    """
    with matplotlib.rc_context({**_STYLE, "font.size": 10.5, "svg.fonttype": "none", "svg.hashsalt": "tfpaths"}):
        whole = io.BytesIO()
        draw(*args).savefig(whole, format="svg", metadata={"Date": None})
    return whole.getvalue()


def segment(axes: matplotlib.axes.Axes, middle: np.ndarray, direction: np.ndarray, **style: Any) -> None:
    """Draws a Gaussian on a line in the plane as a segment, two standard deviations to each side of its mean.

    Args:
      axes: The axes.
      middle: The mean, `[2]`.
      direction: One standard deviation along the line, `[2]`.
      **style: Arguments of `Axes.plot`.

    Example:
      >>> axes = matplotlib.figure.Figure().subplots()
      >>> segment(axes, np.array([1.0, 0.0]), np.array([0.5, 0.0]))
      >>> axes.lines[0].get_xdata().tolist()
      [0.0, 2.0]
    """
    axes.plot(*np.transpose([middle - 2 * direction, middle + 2 * direction]), **style)
