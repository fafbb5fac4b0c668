"""The config of a `GAN` for Keras: what `gan.save` writes and `keras.models.load_model` reads."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from tfpaths import losses
from tfpaths.instance_noise import InstanceNoise

_PLAIN = ("discriminator_steps", "weight_clip", "ema", "seed", "runs")


def config_of(gan: Any) -> dict[str, Any]:
    """Returns the constructor's arguments of a `GAN`, in the form that Keras stores.

    Raises:
      ValueError: The loss is not registered, so it cannot be stored by name.

    Example: `GAN.get_config`.
    """
    if gan.loss_pair.name not in losses.LOSSES:
        raise ValueError(
            f"A GAN can only be saved if its loss has a name in tfpaths.losses.LOSSES, received {gan.loss_pair}. "
            "To fix this: register the loss and pass its name as loss=NAME."
        )
    serialize = keras.saving.serialize_keras_object
    return {
        "generator": serialize(gan.generator),
        "discriminator": serialize(gan.discriminator),
        "loss": {"name": gan.loss_pair.name, **gan.loss_pair.options},
        "penalty": [serialize(penalty) for penalty in gan.penalties],
        "instance_noise": None if gan.instance_noise is None else dataclasses.asdict(gan.instance_noise),
        **{name: getattr(gan, name) for name in _PLAIN},
    }


def arguments_of(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the constructor's arguments from a config that `config_of` returned.

    Args:
      config: The config, with those of a subclass.
      custom_objects: As in `keras.saving.deserialize_keras_object`.

    Example: `GAN.from_config`.
    """

    def deserialized(value: Any) -> Any:
        return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

    values = dict(config)
    values |= {name: deserialized(values[name]) for name in ("generator", "discriminator")}
    values["penalty"] = [deserialized(penalty) for penalty in values["penalty"]]
    values["loss"] = losses.get(**values["loss"])
    if values.get("instance_noise") is not None:
        values["instance_noise"] = InstanceNoise(**values["instance_noise"])
    return values


def compile_config_of(gan: Any) -> dict[str, Any]:
    """Returns the arguments of `compile` of a `GAN`, in the form that Keras stores.

    Example: `GAN.get_compile_config`.
    """
    return {
        **{name: keras.saving.serialize_keras_object(optimizer) for name, optimizer in gan.optimizers.items()},
        "steps_per_execution": gan.steps_per_execution,
        "jit_compile": gan.jit_compile,
        "run_eagerly": gan.run_eagerly,
    }


def compile_arguments_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `compile` from a config that `compile_config_of` returned.

    Example: `GAN.compile_from_config`.
    """
    return {
        name: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
        for name, value in config.items()
    }
