"""Studies of GANs on a line in R^d: the problem, the ensemble that trains many runs at once, and the statistics."""
