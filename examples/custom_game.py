"""A custom game: samples come from a moving average of the generator's weights.

    python -m tfpaths.launch --import=examples.custom_game --exp=color_mnist_ns \
        --set variant.game=averaged --set variant.game.decay=0.999

A game is a subclass of `GAN` that defines what it adds: here a network, a reported value, and how it generates samples.
Grids, scores, checkpoints, resuming, `load` and the export then work without further code. The package has this average
for every game, as `networks.ema`; this file shows the parts of a game.
"""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfpaths.games import GAMES
from tfpaths.gan import GAN
from tfpaths.schema import Share


@GAMES.register("averaged")
@keras.saving.register_keras_serializable("examples")
class AveragedGAN(GAN):
    """A GAN with an average of the generator: after each step a <- decay a + (1 - decay) w for every weight w.

    Args:
      *args: Arguments of `GAN`.
      decay: The share of the old average in the new one.
      **kwargs: Arguments of `GAN`.
    """

    reported: ClassVar = {**GAN.reported, "drift": "drift"}

    def __init__(self, *args: Any, decay: Share = 0.999, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.decay = decay
        self.average = keras.models.clone_model(self.generator)
        self.average.set_weights(self.generator.get_weights())

    @property
    def networks(self) -> dict[str, keras.Model]:
        return {**super().networks, "average": self.average}

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generator(latents, training=True) if training else self.average(latents, training=False)

    def update_generator(self, real: tf.Tensor, stream: Any) -> dict[str, tf.Tensor]:
        reported = super().update_generator(real, stream)
        pairs = list(zip(self.average.variables, self.generator.variables, strict=True))
        for average, weight in pairs:
            average.assign(self.decay * average + (1.0 - self.decay) * weight)
        # How far the average is from the newest weights.
        drift = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(average - weight)) for average, weight in pairs]))
        return {**reported, "drift": drift}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay}
