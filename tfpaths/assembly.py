"""Values become objects here, and nowhere else: a config's data set, its networks, its compiled GAN."""

from collections.abc import Sequence

import keras

from tfpaths import config as config_lib
from tfpaths import data, losses, networks, optimizers, penalties
from tfpaths.gan import GAN


def load_data(config: config_lib.Data, split: str = "train", *, data_dir: str | None = None) -> data.Images:
    """The data set that a config describes."""
    return data.load(
        config.name,
        split,
        source=config.source,
        data_dir=data_dir,
        seed=config.seed,
        path=config.path,
        image_size=config.image_size,
    )


def image_shape(config: config_lib.Data) -> tuple[int, int, int]:
    """`(height, width, channels)` of a config's images; a data set of one's own is loaded for it.

    Raises:
      InputError: such a data set is not in the table `data.DATA`, or cannot be had.
    """
    return data.shape(config.name, config.image_size) or load_data(config).shape


def build(config: config_lib.Experiment, image_shape: Sequence[int]) -> GAN:
    """The compiled GAN that a config describes. Call it in the scope of the strategy.

    Raises:
      InputError: a name in the config is unknown, or the networks do not fit the images.
    """
    variant = config.variant
    loss = losses.get(variant.loss)
    generator, discriminator = networks.build(
        config.networks, image_shape, seed=config.seed, precision=config.precision
    )
    gan = GAN(
        generator,
        discriminator,
        loss=loss,
        penalty=penalty(variant.penalty),
        discriminator_steps=variant.discriminator_steps,
        weight_clip=variant.weight_clip,
        seed=config.seed,
    )
    gan.compile(
        generator_optimizer=optimizer(variant.generator_optimizer, config.precision),
        discriminator_optimizer=optimizer(variant.discriminator_optimizer, config.precision),
        steps_per_execution=config.schedule.steps_per_execution,
    )
    return gan


def penalty(config: config_lib.Penalty | None) -> penalties.GradientPenalty | None:
    """The layer of a penalty's config, none for none: the options that are set are the layer's arguments."""
    if config is None:
        return None
    layer, options = penalties.get(config.name), config.options()
    try:
        return layer(**options)
    except (TypeError, ValueError) as error:
        listed = ", ".join(f"{name}={value}" for name, value in options.items())
        raise config_lib.InputError(
            f"variant.penalty: expected options that {config.name!r} has, received {listed} ({error})."
        ) from error


def optimizer(config: config_lib.Optimizer, precision: str) -> keras.optimizers.Optimizer:
    """The optimiser of a config, with loss scaling where the precision needs it."""
    rate = config.learning_rate
    if config.name == "adam":
        made = optimizers.Adam(rate, beta_1=config.beta_1, beta_2=config.beta_2)
    else:
        made = {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}[config.name](rate)
    # float16 has no room for small gradients; bfloat16 has float32's range and needs no help.
    return keras.optimizers.LossScaleOptimizer(made) if precision == "mixed_float16" else made
