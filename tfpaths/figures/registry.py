"""The registry of figures."""

from typing import TYPE_CHECKING

from tfpaths.registry import Registry

if TYPE_CHECKING:
    from tfpaths.figures.figure import Figure

FIGURES: "Registry[type[Figure]]" = Registry("figure", "tfpaths.figures")
