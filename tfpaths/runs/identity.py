"""What a checkpoint says about its run, and whether it is a checkpoint of this run."""

import pathlib
from collections.abc import Mapping
from typing import Any

import pydantic
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import errors, schema
from tfpaths.gan import GAN
from tfpaths.runs import devices as devices_lib
from tfpaths.runs import directory, results

# What changes the last digits of a run that continues.
_CONDITIONS = ("device", "threads", "instructions", "versions")


class _Description(pydantic.BaseModel, strict=True):
    """The fields of `describe` and their types; each may be absent."""

    config: dict[str, Any] = {}
    variables: dict[str, list[list[int]]] = {}
    device: str = ""
    threads: int = 0
    instructions: str = ""
    versions: dict[str, str] = {}


def parse(text: bytes) -> dict[str, Any]:
    """Returns the description in a checkpoint, which a stranger may have written.

    Raises:
      ValueError: It is not JSON with the fields of `describe`, or some of them.

    Example:
      >>> parse(b'{"threads": 2}')
      {'threads': 2}
      >>> parse(b'{"threads": "two"}')
      Traceback (most recent call last):
          ...
      ValueError: what it says about its run is not in the form that tfpaths writes
    """
    try:
        return _Description.model_validate_json(text).model_dump(exclude_unset=True)
    except pydantic.ValidationError as error:
        raise ValueError("what it says about its run is not in the form that tfpaths writes") from error


def describe(config: config_lib.Training, gan: GAN, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """Returns what each checkpoint of a run says about it, as JSON values.

    Args:
      config: The complete config.
      gan: The game.
      strategy: The strategy of the run.

    Example:
      >>> from tfpaths import experiments
      >>> from tfpaths.runs import build
      >>> config = experiments.get("color_mnist_ns")
      >>> sorted(describe(config, build.build(config, (28, 28, 3)), tf.distribute.get_strategy()))
      ['config', 'device', 'instructions', 'threads', 'variables', 'versions']
    """
    return {
        **essence(config, gan),
        "device": devices_lib.description(strategy),
        "threads": devices_lib.threads(),
        "instructions": results.instructions(),
        "versions": results.versions(),
    }


def essence(config: config_lib.Training, gan: GAN) -> dict[str, Any]:
    """Returns the part of `describe` by which `check` decides: the config and the shapes of the variables.

    Args:
      config: The complete config.
      gan: The game.

    Example: see `describe`.
    """
    return {"config": schema.to_dict(config), "variables": shapes(gan)}


def shapes(gan: GAN) -> dict[str, list[list[int]]]:
    """Returns the shapes of the variables of each item of `gan.state`, in their order.

    They are compared instead of names, which Keras numbers by the order of layers in the process.

    Example:
      >>> import keras
      >>> networks = [keras.Sequential([keras.Input((size,)), keras.layers.Dense(1)]) for size in (3, 1)]
      >>> gan = GAN(*networks, loss="hinge")
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> shapes(gan)["generator"]
      [[3, 1], [1]]
    """
    return {name: [list(v.shape) for v in getattr(item, "variables", [item])] for name, item in gan.state.items()}


def check(path: pathlib.Path, stored: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Checks that a checkpoint is one of this run, and that the networks have the variables that it holds.

    Args:
      path: The checkpoint.
      stored: The description in the checkpoint.
      current: The description of this run. What one of the two lacks is not compared.

    Raises:
      InputError: It is another run's, or one of other networks.

    Example:
      >>> check(pathlib.Path("step-4"), {"variables": {"generator": [[3, 1]]}}, {"variables": {"generator": [[5, 1]]}})
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: step-4: expected a checkpoint of these networks: in generator, variable 0 has the ...
    """
    if "config" in stored and "config" in current:
        try:
            differences = directory.differing(*(config_lib.from_dict(each["config"]) for each in (stored, current)))
        except errors.InputError as error:
            raise errors.InputError(f"{path}: expected a checkpoint of this version of tfpaths: {error}") from error
        if differences:
            raise errors.InputError(
                f"{path}: expected a checkpoint of this run, received one of another: {differences}. To fix this: "
                "remove it, or use the directory of its run."
            )
    if "variables" in stored and "variables" in current and stored["variables"] != current["variables"]:
        difference = _difference(stored["variables"], current["variables"])
        raise errors.InputError(
            f"{path}: expected a checkpoint of these networks: {difference}. To fix this: use the code of the networks "
            "with which it was written, or another --workdir."
        )


def _difference(stored: Mapping[str, list], current: Mapping[str, list]) -> str:
    """Returns the first difference between two results of `shapes`."""
    for name in (*stored, *current):
        old, new = stored.get(name), current.get(name)
        if old is None or new is None:
            return f"{name} exists {'here' if old is None else 'there'} only"
        if len(old) != len(new):
            return f"{name} has {len(old)} variables there and {len(new)} here"
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            if one != other:
                return f"in {name}, variable {index} has the shape {one} there and {other} here"
    return "their order differs"


def changes(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Returns which conditions differ between a checkpoint and this run; empty if none does.

    Example:
      >>> changes({"threads": 2, "versions": {"numpy": "2.0"}}, {"threads": 4, "versions": {"numpy": "2.1"}})
      'threads 2 there and 4 here; numpy 2.0 there and 2.1 here'
    """
    found = []
    for name in _CONDITIONS:
        old, new = stored.get(name), current.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [
                f"{key} {old[key]} there and {new[key]} here" for key in old if new.get(key, old[key]) != old[key]
            ]
        elif None not in (old, new) and old != new:
            found.append(f"{name} {old} there and {new} here")
    return "; ".join(found)
