"""The registered engines. Each file of this package is one engine."""

from tfpaths.sweeps.engines.registry import ENGINES

__all__ = ["ENGINES"]
