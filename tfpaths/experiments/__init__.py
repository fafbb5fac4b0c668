"""The registered experiments. They are values and need no TensorFlow, so that listing them takes milliseconds."""

from tfpaths.experiments.registry import EXPERIMENTS, get, names, register

__all__ = ["EXPERIMENTS", "get", "names", "register"]
