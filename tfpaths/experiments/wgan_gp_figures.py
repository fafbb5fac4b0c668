"""The figures of Gulrajani et al. 2017 (arXiv 1704.00028): 1a, 1b, 3 and 5b, each with a part of ours."""

from tfpaths.config import Drawing, Figure
from tfpaths.experiments.registry import register

register(Figure(name="figure_surfaces", figure=Drawing(name="surfaces")))
# Figure 2's drawing is `gradients`: the gradient through a confident discriminator.
register(Figure(name="figure_gradients", figure=Drawing(name="layers")))
# A part of 5b: perceptrons instead of convolutions.
register(Figure(name="figure_overfit", figure=Drawing(name="overfit")))
# 3: training runs, below `runs/`.
register(Figure(name="figure_convergence", figure=Drawing(name="convergence")))
