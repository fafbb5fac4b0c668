"""Sweeps: one experiment, or several, over many settings of their fields."""
