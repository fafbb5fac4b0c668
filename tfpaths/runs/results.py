"""`results.json`: the numbers of a run, with all that they depend on. No TensorFlow."""

import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

from tfpaths import config as config_lib
from tfpaths.version import __version__

_PACKAGES = ("tensorflow", "keras", "tensorflow-gan", "tensorflow-datasets", "numpy")


def summary(
    config: config_lib.Experiment, step: int, metrics: Mapping[str, Any], protocol: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the content of `results.json`.

    Args:
      config: The run's config.
      step: The step at which it was measured.
      metrics: Name -> value.
      protocol: What the numbers depend on besides the config.
    """
    return {
        "experiment": config.name,
        "kind": config.kind,
        "step": step,
        "seed": config.seed,
        "metrics": dict(metrics),
        "protocol": dict(protocol),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Returns the versions of Python, of this package, and of the packages that compute the numbers."""
    return {
        "python": platform.python_version(),
        "tfpaths": __version__,
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the content of a `results.json`, or None if there is no such file or it has another form."""
    try:
        content = json.loads(path.read_text())
        parts = [content[name] for name in ("metrics", "protocol")]
        is_whole = type(content["step"]) is int and all(isinstance(part, dict) for part in parts)
        return content if is_whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
