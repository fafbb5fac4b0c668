"""The same games as their own experts would write them in PyTorch and in JAX.

Each module has `build(variant, side, …)`, which takes the variant that tfpaths trains, a value, and gives `advance`, a
function that makes so many steps. Networks, losses, penalties, optimisers and the number of updates are those of the
value; images, latents and points are drawn by the peer's own means.
"""

# Pixels -> the side of the smallest feature map, and how often it is doubled from there.
SIZES = {28: (7, 2), 32: (4, 3), 64: (4, 4)}
BATCH, LATENTS, FILTERS, CHANNELS = 64, 64, 64, 3
# So many batches of images lie ready in memory, one after the other: reading them costs the peers nothing.
BATCHES = 8
EPSILON = 1e-12
