"""Ratios measured in one run, in turns: `python -m benchmarks.overhead`."""
