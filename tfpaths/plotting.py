"""What pictures share: their files, their fonts, and the look of each variant. Lines differ in dash too, for grey.

Each figure's drawing is in its own file of `tfpaths.figures`.
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
      name: Its name in the paper's words.
      color: A matplotlib colour; None for the next of matplotlib's own.
      dash: A matplotlib line style.
      marker: A matplotlib marker.
    """

    name: str
    color: str | None = None
    dash: Any = "-"
    marker: str = "."

    @property
    def line(self) -> dict[str, Any]:
        """The arguments of `Axes.plot` for a line without markers."""
        return {"color": self.color, "linestyle": self.dash}


# The colours are Okabe and Ito's.
LOOKS = {
    "ns": Look("NS-GAN", "#000000", "-", "o"),
    "gan_gp": Look("GAN-GP", "#D55E00", "--", "s"),
    "dragan_ns": Look("DRAGAN-NS", "#0072B2", "-.", "^"),
    "wgan_gp": Look("WGAN-GP", "#009E73", ":", "D"),
    "minimax": Look("minimax GAN", "#CC79A7", (0, (5, 1)), "v"),
    "wgan": Look("WGAN", "#E69F00", (0, (1, 3)), "P"),
    "dragan": Look("DRAGAN", "#56B4E9", (0, (3, 1, 1, 1, 1, 1)), "X"),
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
    """Returns how a variant is drawn; one that is not the paper's under its own name.

    Example:
      >>> look("ns").name, look("mine").name
      ('NS-GAN', 'mine')
    """
    return LOOKS.get(variant, Look(variant))


def label(variant: str) -> str:
    """Returns a variant's name in the paper's words."""
    return look(variant).name


def png(draw: Callable[..., matplotlib.figure.Figure], *args: Any, width: int = 1200) -> bytes:
    """Returns what `draw(*args)` draws as a PNG of `width` pixels, of 256 colours, so that it is small."""
    with matplotlib.rc_context(_STYLE):
        figure = draw(*args)
        whole = io.BytesIO()
        figure.savefig(whole, format="png", dpi=width / figure.get_figwidth())
    small = io.BytesIO()
    image = PIL.Image.open(whole).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    image.save(small, format="PNG", optimize=True)
    return small.getvalue()


def svg(draw: Callable[..., matplotlib.figure.Figure], *args: Any) -> bytes:
    """Returns what `draw(*args)` draws as SVG, its text as text; the same drawing gives the same bytes."""
    with matplotlib.rc_context({**_STYLE, "font.size": 10.5, "svg.fonttype": "none", "svg.hashsalt": "tfpaths"}):
        whole = io.BytesIO()
        draw(*args).savefig(whole, format="svg", metadata={"Date": None})
    return whole.getvalue()


def segment(axes: matplotlib.axes.Axes, middle: np.ndarray, direction: np.ndarray, **style: Any) -> None:
    """Draws a line in the plane, two standard deviations to each side.

    Args:
      axes: The axes.
      middle: `[2]`.
      direction: One standard deviation, `[2]`.
      **style: Those of `Axes.plot`.
    """
    axes.plot(*np.transpose([middle - 2 * direction, middle + 2 * direction]), **style)
