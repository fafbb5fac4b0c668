"""Games by name: the players and their updates. `gan` is the game of the paper; every other game is a file here.

A game is a subclass of `GAN`. The parameters that its constructor adds to those of `GAN` are its options: fields of
`variant.game` in a config. A user's module can register a game too: `examples/custom_game.py`.

Example:
  >>> GAMES["gan"].__name__
  'GAN'
"""

from tfpaths import options
from tfpaths.games.registry import GAMES
from tfpaths.gan import GAN

# The parameters that all games have. They are not options: a config has its own fields for them.
COMMON = frozenset(options.parameters(GAN))

__all__ = ["COMMON", "GAMES"]
