"""The figure of Arora et al. 2017 (arXiv 1703.00573), section 3: what finite samples can tell of a distance."""

from tfpaths.config import Drawing, Figure
from tfpaths.experiments.registry import register

register(Figure(name="figure_generalization", figure=Drawing(name="generalization")))
