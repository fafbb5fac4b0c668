"""The registry of experiments: values, made without TensorFlow, so that listing them takes milliseconds."""

from tfpaths import config
from tfpaths.experiments.figures import figure_experiments
from tfpaths.experiments.images import image_experiments
from tfpaths.experiments.lines import line_experiments

_REGISTRY: dict[str, config.Experiment] = {}


def register(experiment: config.Experiment) -> config.Experiment:
    """Adds an experiment under its name.

    Raises:
      InputError: the name is taken by another experiment.
    """
    known = _REGISTRY.setdefault(experiment.name, experiment)
    if known != experiment:
        raise config.InputError(f"experiment {experiment.name!r}: expected a new name, received one that is taken.")
    return experiment


def get(name: str) -> config.Experiment:
    """The experiment of that name: a frozen dataclass, from which `dataclasses.replace` makes others.

    Raises:
      InputError: there is none; the line names the nearest.
    """
    return _REGISTRY[config.choose("experiment", name, _REGISTRY)]


def names() -> tuple[str, ...]:
    """All names, in the order of registration."""
    return tuple(_REGISTRY)


for _experiment in (*image_experiments(), *line_experiments(), *figure_experiments()):
    register(_experiment)
