"""How good samples are: scores on a classifier's features, MS-SSIM, mode coverage, an independent Wasserstein critic.

A sampler is a function `(num, seed) -> images [num, height, width, channels]` in [-1, 1], pure in its seed and fit for
a graph. Each metric reads arrays or a sampler, and none knows of a GAN.
"""
