"""Games by name: who plays, and how a step of each goes. `gan` is the game of the paper; each further one is a file.

A game is a subclass of `GAN`. The parameters that its constructor adds to those of `GAN` are its options: fields
of `variant.game` in a config.
"""

from tfpaths import options
from tfpaths.games.registry import GAMES
from tfpaths.gan import GAN

# The parameters of every game, which a config sets elsewhere.
COMMON = frozenset(options.parameters(GAN))

__all__ = ["COMMON", "GAMES"]
