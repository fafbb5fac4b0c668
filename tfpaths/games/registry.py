"""The registry of games: name -> subclass of `GAN`."""

from tfpaths.gan import GAN
from tfpaths.registry import Registry

GAMES: Registry[type[GAN]] = Registry("game", "tfpaths.games")
GAMES.register("gan")(GAN)
