"""GANs on a line in R^d, many independent runs at once: the problem, the ensemble that trains on it, its studies."""
