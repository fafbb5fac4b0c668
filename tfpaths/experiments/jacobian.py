"""`figure_jacobian`: the eigenvalues of the game on the line. Steps, runs and widths are ours."""

from tfpaths.config import Drawing, Figure
from tfpaths.experiments.registry import register

register(Figure(name="figure_jacobian", figure=Drawing(name="jacobian")))
