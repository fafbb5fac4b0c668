"""What `results.json` says of a run. No TensorFlow."""

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
    """What a run's numbers were made with: Python, this package, and those that it computes with."""
    return {
        "python": platform.python_version(),
        "tfpaths": __version__,
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """The content of a `results.json`; none where there is none, or where it is no such file."""
    try:
        known = json.loads(path.read_text())
        whole = (
            type(known["step"]) is int and isinstance(known["metrics"], dict) and isinstance(known["protocol"], dict)
        )
        return known if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
