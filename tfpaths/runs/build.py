"""Builds the objects that a config describes: losses, penalties, networks, optimisers and the compiled game."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data, errors, games, losses, networks, options, penalties
from tfpaths.compat import keras as compat
from tfpaths.gan import GAN
from tfpaths.instance_noise import InstanceNoise
from tfpaths.networks import fast, spectral
from tfpaths.optimizers import OPTIMIZERS

# Arguments of penalties that a config does not set: the run's seed is used.
_NOT_OPTIONS = ("seed",)


def complete(config: config_lib.Training) -> config_lib.Training:
    """Returns the config with all options filled in and checked.

    Raises:
      InputError: A name is unknown, or an option does not exist, has the wrong type or is out of its range.

    Example:
      >>> from tfpaths import experiments
      >>> complete(experiments.get("cifar10_ns")).networks.options["generator_filters"]
      64
    """
    data_set = data.of(config.data)
    data_set.check_source(config.data.source)
    chosen = config.networks if config.networks.name != "auto" else config.networks.replace(name=data_set.networks)
    family = networks.NETWORKS.lookup(chosen.name, path="networks.name")
    game = games.GAMES.lookup(config.variant.game.name, path="variant.game.name")
    if game.needs_run and chosen.weights_of is None:
        raise errors.InputError(
            f"networks.weights_of: the game {config.variant.game.name!r} begins with a finished run; expected its "
            "directory, received none. To fix this: train a run of the same data and networks, and add "
            "--set networks.weights_of=DIRECTORY."
        )
    return config.replace(
        data=options.completed(config.data, type(data_set), "data").replace(**data_set.derived()),
        variant=complete_variant(config.variant, config.schedule.steps),
        networks=options.completed(chosen, family, "networks", reserved=networks.COMMON),
    )


def complete_variant(variant: config_lib.Variant, steps: int | None = None) -> config_lib.Variant:
    """Returns a variant with all options filled in and checked. Raises the errors of `complete`.

    Args:
      variant: The variant.
      steps: The length of the training, for a schedule of instance noise without `steps`.

    Example:
      >>> variant = config_lib.Variant(
      ...     name="mine", loss=config_lib.Loss(name="hinge"), penalty=config_lib.Penalty(name="interpolation"))
      >>> complete_variant(variant).penalty.options["weight"]
      10.0
    """
    pair = losses.LOSSES.lookup(variant.loss.name, path="variant.loss.name")
    game = games.GAMES.lookup(variant.game.name, path="variant.game.name")
    game.check_discriminator_steps(variant.discriminator_steps)
    several = isinstance(variant.penalty, tuple)
    layers = tuple(
        options.completed(
            penalty,
            penalties.PENALTIES.lookup(penalty.name, path=f"{path}.name"),
            path,
            reserved=_NOT_OPTIONS,
        )
        for index, penalty in enumerate(variant.penalties)
        for path in (f"variant.penalty.{index}" if several else "variant.penalty",)
    )
    loss = options.completed(variant.loss, _factory(pair), "variant.loss")
    is_critic = losses.get(loss.name, **loss.options).needs_lipschitz
    if is_critic and not layers and variant.weight_clip is None and not variant.spectral_normalization:
        raise errors.InputError(
            f"variant.loss: {variant.loss.name!r} needs a penalty, a weight_clip or spectral_normalization, because "
            "its critic must have a bounded slope. To fix this: --set variant.penalty=NAME."
        )
    noise = variant.instance_noise
    if noise is not None and noise.schedule != "constant" and noise.steps is None:
        noise = noise.replace(steps=steps)
    return variant.replace(
        loss=loss,
        instance_noise=noise,
        penalty=layers if several else layers[0] if layers else None,
        game=options.completed(variant.game, game, "variant.game", reserved=games.COMMON),
        **{
            name: options.completed(
                getattr(variant, name),
                OPTIMIZERS.lookup(getattr(variant, name).name, path=f"variant.{name}.name"),
                f"variant.{name}",
            )
            for name in ("generator_optimizer", "discriminator_optimizer")
        },
    )


def build(config: config_lib.Training, example_shape: Sequence[int]) -> GAN:
    """Returns the compiled game that a config describes. Call it in the scope of the strategy.

    Args:
      config: The experiment.
      example_shape: The shape of one example, such as `(height, width, channels)`.

    Raises:
      InputError: A name or an option in the config is invalid, or the networks do not fit the examples.
      FinalError: The networks do not fit into the memory.

    Example:
      >>> from tfpaths import experiments
      >>> small = config_lib.Networks(generator_filters=2, discriminator_filters=2)
      >>> gan = build(experiments.get("color_mnist_ns").replace(networks=small), (28, 28, 3))
      >>> gan.sample(4, seed=1).shape
      TensorShape([4, 28, 28, 3])
    """
    config = complete(config)
    game = games.GAMES[config.variant.game.name]
    if config.precision == "auto":
        raise errors.InputError("precision: 'auto' is chosen when a run begins; build the game with another precision.")
    try:
        with compat.own_settings():
            family = networks.family(config.networks, precision=config.precision)
            if config.variant.spectral_normalization:
                family = spectral.Normalized(family)
            own = {**arguments(config.variant), "ema": config.networks.ema}
            gan = game.of_family(family, example_shape, seed=config.seed, **own)
            gan.compile(
                **compiled_with(config.variant, config.precision, config.networks.implementation),
                steps_per_execution=config.schedule.steps_per_execution,
            )
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise errors.FinalError("the networks of this config do not fit into this machine's memory.") from error
    return gan


def arguments(variant: config_lib.Variant) -> dict[str, Any]:
    """Returns a game's arguments from a complete variant; they do not include the networks.

    Example:
      >>> variant = config_lib.Variant(name="mine", loss=config_lib.Loss(name="hinge"), discriminator_steps=5)
      >>> arguments(complete_variant(variant))["discriminator_steps"]
      5
    """
    noise = variant.instance_noise
    return {
        "loss": losses.get(variant.loss.name, **variant.loss.options),
        "penalty": [_instance(penalties.PENALTIES[penalty.name], penalty) for penalty in variant.penalties],
        "discriminator_steps": variant.discriminator_steps,
        "weight_clip": variant.weight_clip,
        "instance_noise": noise and InstanceNoise(noise.scale, noise.end, noise.schedule, noise.steps),
        **variant.game.options,
    }


def compiled_with(
    variant: config_lib.Variant, precision: str = "float32", implementation: str = "fast"
) -> Mapping[str, keras.optimizers.Optimizer]:
    """Returns the optimisers of a complete variant, as arguments of `GAN.compile`.

    Args:
      variant: A complete variant.
      precision: As in `config.Training`.
      implementation: As in `config.Networks`.

    Example:
      >>> variant = config_lib.Variant(name="mine", loss=config_lib.Loss(name="hinge"))
      >>> sorted(compiled_with(complete_variant(variant)))
      ['discriminator_optimizer', 'generator_optimizer']
    """
    return {
        name: optimizer(getattr(variant, name), precision, implementation)
        for name in ("generator_optimizer", "discriminator_optimizer")
    }


def optimizer(
    config: config_lib.Optimizer, precision: str = "float32", implementation: str = "fast"
) -> keras.optimizers.Optimizer:
    """Returns the optimiser of a config, with loss scaling if the precision is `mixed_float16`.

    Args:
      config: The optimiser with its options.
      precision: As in `config.Training`.
      implementation: As in `config.Networks`.

    Example:
      >>> float(optimizer(config_lib.Optimizer(learning_rate=0.5)).learning_rate)
      0.5
    """
    classes = fast.IMPLEMENTATIONS[implementation]
    created = OPTIMIZERS.lookup(config.name)(config.learning_rate, classes, **config.options)
    # Small gradients underflow in float16; bfloat16 has the range of float32 and needs no scaling.
    return keras.optimizers.LossScaleOptimizer(created) if precision == "mixed_float16" else created


def _instance(factory: Callable[..., Any], component: config_lib.Component) -> Any:
    return factory(**component.options)


def _factory(pair: Any) -> Any:
    """Returns the function whose parameters are the options of a loss; a `Loss` itself has no options."""
    return (lambda: pair) if isinstance(pair, losses.Loss) else pair
