"""Figures by name: each is a file, with its options, its rows, its picture and its sentence."""

from tfpaths.figures.registry import FIGURES

__all__ = ["FIGURES"]
