"""The values that describe an experiment: frozen, typed and checked. This module does not import TensorFlow.

An experiment is a `Training`, a `Study`, a `Figure`, a `Sweep` or a `Perfect`; its field `kind` says which.
`tfpaths.schema` reads, writes and changes these values.
"""

from typing import Any

from tfpaths import errors, schema
from tfpaths.config.components import (
    Data,
    Game,
    InstanceNoise,
    Loss,
    Name,
    Names,
    Networks,
    Optimizer,
    Penalty,
    Variant,
)
from tfpaths.config.figures import Drawing, Figure
from tfpaths.config.perfect import Fresh, Perfect
from tfpaths.config.studies import Block, Lines, Points, Runs, Setting, Study, StudySchedule
from tfpaths.config.sweeps import Sweep
from tfpaths.config.training import Evaluation, Precision, Schedule, Training
from tfpaths.schema import Component

__all__ = [
    "EXTRACTORS",
    "KINDS",
    "STRATEGIES",
    "Block",
    "Component",
    "Data",
    "Drawing",
    "Evaluation",
    "Experiment",
    "Figure",
    "Fresh",
    "Game",
    "InstanceNoise",
    "Lines",
    "Loss",
    "Name",
    "Names",
    "Networks",
    "Optimizer",
    "Penalty",
    "Perfect",
    "Points",
    "Precision",
    "Runs",
    "Schedule",
    "Setting",
    "Study",
    "StudySchedule",
    "Sweep",
    "Training",
    "Variant",
    "from_dict",
]

# The extractors that have names; any other name is a directory.
EXTRACTORS = ("auto", "digits", "cifar10", "inception")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")

Experiment = Training | Study | Figure | Sweep | Perfect
KINDS: dict[str, type[Experiment]] = {
    "training": Training,
    "study": Study,
    "figure": Figure,
    "sweep": Sweep,
    "perfect": Perfect,
}


def from_dict(values: Any) -> Experiment:
    """Returns the experiment whose dictionary `schema.to_dict` returned. Fields that are missing take their defaults.

    The `version` in a run's `config.json`, that of the tfpaths that wrote it, is left out.

    Raises:
      InputError: The dictionary is not a valid experiment; the message has the path of the first wrong field.

    Example:
      >>> from_dict({"kind": "figure", "name": "mine", "figure": {"name": "gradients"}}).figure.name
      'gradients'
    """
    if not isinstance(values, dict):
        raise errors.InputError(f"config: expected an object, received {values!r}.")
    values = {name: value for name, value in values.items() if name != "version"}
    kind = values.get("kind")
    if kind is None:
        raise errors.InputError("kind: expected a value, received none; version 0.1 wrote no kind, and is not read.")
    return schema.from_dict(values, KINDS[errors.choose("kind of experiment", str(kind), KINDS, path="kind")])
