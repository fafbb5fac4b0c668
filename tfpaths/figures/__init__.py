"""Figures by name: each is defined in one file, with its options, rows, picture and finding."""

from tfpaths.figures.registry import FIGURES

__all__ = ["FIGURES"]
