"""The hyper-parameters of each run of a study. They are data of the compiled program, not a part of it.

A program with other learning rates is the same program, and a run with its own learning rate is computed by the same
operations as a study in which all runs have it: run i of both is equal bit for bit.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, games, schema
from tfpaths.gan import GAN
from tfpaths.networks import ensembles
from tfpaths.optimizers import OF_RUNS
from tfpaths.penalties import PENALTIES
from tfpaths.runs.build import complete_variant

GENERATOR_SCALE, DISCRIMINATOR_SCALE = "study.generator_scale", "study.discriminator_scale"


def common(config: config_lib.Study) -> dict[str, float]:
    """Returns the hyper-parameters that runs may have for themselves, path -> the value for all runs.

    Args:
      config: A study with a complete variant.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs import build
      >>> study = experiments.get("line1_ns")
      >>> common(study.replace(variant=build.complete_variant(study.variant)))["variant.generator_optimizer.beta_1"]
      0.5
    """
    variant = config.variant
    values: dict[str, Any] = {}
    for name in ("generator_optimizer", "discriminator_optimizer"):
        optimizer = getattr(variant, name)
        fields = {"learning_rate": optimizer.learning_rate, **optimizer.options}
        values |= {f"variant.{name}.{option}": fields[option] for option in OF_RUNS if option in fields}
    for index, penalty in enumerate(variant.penalties):
        path = f"variant.penalty.{index}" if isinstance(variant.penalty, tuple) else "variant.penalty"
        names = (name for name in PENALTIES[penalty.name].of_runs if name in penalty.options)
        values |= {f"{path}.{name}": penalty.options[name] for name in names}
    if variant.weight_clip is not None:
        values["variant.weight_clip"] = variant.weight_clip
    if variant.instance_noise is not None:
        values["variant.instance_noise.scale"] = variant.instance_noise.scale
    if getattr(config.study, "start", "random") == "random":
        values[GENERATOR_SCALE] = config.study.generator_scale
    values[DISCRIMINATOR_SCALE] = config.study.discriminator_scale
    return values


def check(config: config_lib.Study) -> None:
    """Checks the game and the settings of a study with a complete variant.

    Raises:
      InputError: The game needs a finished run, or has no ensembles, or a path is not that of a hyper-parameter which
        runs may have for themselves, is there twice, has another number of values than there are runs, or a value is
        out of the field's range.

    Example:
      >>> from tfpaths import experiments
      >>> setting = config_lib.Setting(path="study.width", values=(1.0,))
      >>> check(experiments.get("line1_minimax").replace(settings=(setting,)))
      Traceback (most recent call last):
      tfpaths.errors.InputError: settings.0.path: unknown hyper-parameter 'study.width'...
    """
    game = games.GAMES[config.variant.game.name]
    if game.needs_run:
        raise errors.InputError(
            f"variant.game: {config.variant.game.name!r} begins with a finished run, which a study does not have."
        )
    if not game.has_ensembles:
        raise errors.InputError(
            f"variant.game: {config.variant.game.name!r} cannot be combined with a study, whose runs are one ensemble. "
            "To fix this: choose an experiment of a single run, such as mixline_mix_ns."
        )
    valid = common(config)
    paths = [setting.path for setting in config.settings]
    for index, setting in enumerate(config.settings):
        if setting.path not in valid:
            raise errors.unknown("hyper-parameter", setting.path, valid, path=f"settings.{index}.path")
        if setting.path in paths[:index]:
            raise errors.InputError(f"settings.{index}.path: {setting.path!r} is there twice.")
        if len(setting.values) != config.study.runs:
            raise errors.InputError(
                f"settings.{index}.values: expected {config.study.runs} values, one for each run, received "
                f"{len(setting.values)}."
            )
        # The valid values of every hyper-parameter are an interval, so that its ends decide for all of them.
        values = np.asarray(setting.values)
        if not np.isfinite(values).all():
            raise errors.InputError(f"settings.{index}.values: expected finite numbers, received {values.tolist()}.")
        for value in (values.min(), values.max()):
            changed = schema.override(config.replace(settings=()), {setting.path: repr(float(value))})
            complete_variant(changed.variant, config.schedule.steps)


class Hyperparameters:
    """The hyper-parameters of a block of runs, as variables `[runs]`.

    Args:
      config: A study with a complete variant.
      runs: The number of runs in the block.

    Attributes:
      variables: Path -> the variable.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs import build
      >>> study = experiments.get("line1_minimax")
      >>> block = Hyperparameters(study.replace(variant=build.complete_variant(study.variant)), runs=2)
      >>> block.variables["variant.generator_optimizer.learning_rate"].numpy()
      array([0.003, 0.003], dtype=float32)
    """

    def __init__(self, config: config_lib.Study, runs: int):
        self._runs = runs
        self._values: Mapping[str, np.ndarray] = {
            path: np.full([config.study.runs], value, np.float32) for path, value in common(config).items()
        } | {setting.path: np.asarray(setting.values, np.float32) for setting in config.settings}
        self.variables = {path: tf.Variable(tf.zeros([runs]), trainable=False) for path in self._values}
        self.assign(0)

    def assign(self, first_run: int) -> None:
        """Sets the values of the runs `first_run`, `first_run + 1`, …"""
        for path, values in self._values.items():
            # The last block may have more runs than the study; nobody reads them.
            runs = np.minimum(np.arange(first_run, first_run + self._runs), len(values) - 1)
            self.variables[path].assign(values[runs])

    def apply(self, gan: GAN) -> None:
        """Makes the optimisers, the penalties and the clipping of an ensemble use the variables."""
        of_optimizers: dict[str, dict[str, tf.Variable]] = {name: {} for name in gan.optimizers}
        for path, variable in self.variables.items():
            _, owner, *rest = path.split(".")
            if owner in of_optimizers:
                of_optimizers[owner][rest[0]] = variable
            elif owner == "penalty":
                setattr(gan.penalties[int(rest[0]) if len(rest) == 2 else 0], rest[-1], variable)
            elif path == "variant.weight_clip":
                gan.weight_clip = variable
            elif owner == "instance_noise":
                assert gan.instance_noise is not None
                gan.instance_noise = dataclasses.replace(gan.instance_noise, scale=variable)
        for name, values in of_optimizers.items():
            ensembles.with_values_of_runs(gan.optimizers[name], values)
