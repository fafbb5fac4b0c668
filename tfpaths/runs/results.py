"""`results.json`: the scores of a run with the protocol and the versions behind them. No TensorFlow."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import pydantic

from tfpaths import config as config_lib
from tfpaths import files
from tfpaths.version import __version__

# The instructions of a CPU for which TensorFlow has kernels of their own, as Linux names them.
_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16", "sve")
_PACKAGES = ("tensorflow", "keras", "tensorflow-gan", "tensorflow-datasets", "numpy")


def summary(
    config: config_lib.Experiment,
    step: int,
    metrics: Mapping[str, Any],
    protocol: Mapping[str, Any],
    *,
    device: str,
) -> dict[str, Any]:
    """Returns the content of `results.json`.

    Args:
      config: The run's config.
      step: The step at which it was measured.
      metrics: Name -> value.
      protocol: What the values depend on besides the config.
      device: On what they were computed, see `devices.description`.

    Example:
      >>> from tfpaths import experiments
      >>> summary(experiments.get("line1_ns"), 10_000, {"distance_mean": 0.5}, {}, device="CPU")["metrics"]
      {'distance_mean': 0.5}
    """
    return {
        "experiment": config.name,
        "kind": config.kind,
        "step": step,
        "seed": config.seed,
        "metrics": dict(metrics),
        "protocol": dict(protocol),
        "versions": versions(),
        "made": {**made(), "device": device},
    }


def made() -> dict[str, Any]:
    """Returns what makes a result besides its config: the version of this package, the date, the command, the machine.

    Example:
      >>> sorted(made())
      ['command', 'cores', 'date', 'processor', 'version']
    """
    return {
        "version": __version__,
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "processor": processor(),
        "cores": cores(),
    }


def processor() -> str:
    """Returns the name of the machine's processor, or of its architecture.

    Example:
      >>> processor() == made()["processor"]
      True
    """
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instructions() -> str:
    """Returns the instructions of this machine's CPU that TensorFlow has kernels for, or the CPU's architecture.

    Example:
      >>> isinstance(instructions(), str)
      True
    """
    flags = _cpuinfo("flags|Features")
    return " ".join(name for name in _INSTRUCTIONS if name in flags.split()) or platform.machine()


def _cpuinfo(key: str) -> str:
    """Returns what Linux says about the first CPU under a key, a regular expression; empty on other systems."""
    file = pathlib.Path("/proc/cpuinfo")
    found = re.search(rf"^(?:{key})\s*: (.+)$", file.read_text() if file.exists() else "", re.MULTILINE)
    return found[1] if found else ""


def cores() -> int:
    """Returns the number of cores that this process may use; on systems that do not say it, the machine's.

    Example:
      >>> cores() >= 1
      True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Returns the versions of Python, of this package, and of the packages that compute the numbers.

    Example:
      >>> versions()["tfpaths"] == __version__
      True
    """
    return {
        "python": platform.python_version(),
        "tfpaths": __version__,
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    """Returns the version of a package; TensorFlow has other names too, such as tensorflow-cpu and tf-nightly."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get(name.replace("-", "_")), "__version__", "unknown")


def read_results(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the content of a `results.json`, or None if the file is missing or not valid.

    Example:
      >>> path = pathlib.Path("results.json")
      >>> _ = path.write_text('{"step": 4, "metrics": {"fid": 2.5}, "protocol": {}}')
      >>> read_results(path)["metrics"]
      {'fid': 2.5}
    """
    try:
        content = files.read_json(path)
        _Stored.model_validate(content, strict=True)
        return content
    except (OSError, ValueError):
        return None


class _Stored(pydantic.BaseModel):
    """The types of what a stored `results.json` must have, and of what is shown if it is there."""

    step: pydantic.NonNegativeInt
    metrics: dict[str, pydantic.FiniteFloat | None]
    protocol: dict[str, Any]
    experiment: str = ""
    kind: str = ""
    seed: int = 0
    finding: str = ""
    pictures: dict[str, str] = {}
    versions: dict[str, str] = {}
    made: dict[str, str | int] = {}
