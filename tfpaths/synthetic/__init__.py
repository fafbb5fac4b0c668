"""The synthetic problem: GANs on a line in R^d, with the exact squared Fréchet distance."""
