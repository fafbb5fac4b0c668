"""A game of your own: samples come from a moving average of the generator's weights.

    python -m tfpaths.launch --import=examples.custom_game --exp=color_mnist_ns \
        --set variant.game=averaged --set variant.game.decay=0.999

A game is a subclass of `GAN` that names what it adds: a network, a row that it reports, and how its samples are made.
Grids, scores, checkpoints, resuming, `load` and the export follow.
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
    """Average after each step: a <- decay a + (1 - decay) w, for every weight w of the generator.

    Args:
      *args: Those of `GAN`.
      decay: How much of the average each step keeps.
      **kwargs: Those of `GAN`.
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
