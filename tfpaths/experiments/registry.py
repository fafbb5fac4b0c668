"""The table of experiments, and its two doors: `register` and `get`."""

from tfpaths import config
from tfpaths.registry import Registry

EXPERIMENTS: Registry[config.Experiment] = Registry("experiment", "tfpaths.experiments")


def register(experiment: config.Experiment) -> config.Experiment:
    """Adds an experiment under its name, and returns it.

    Raises:
      InputError: The name belongs to another experiment.
    """
    return EXPERIMENTS.register(experiment.name)(experiment)


def get(name: str) -> config.Experiment:
    """Returns the experiment of that name, from which `replace` makes others.

    Raises:
      InputError: There is none; the message has the nearest name.

    Example:
      >>> get("color_mnist_ns").replace(seed=3).seed
      3
    """
    return EXPERIMENTS.lookup(name)


def names() -> tuple[str, ...]:
    """Returns the names of all experiments, by kind and in the order of registration."""
    order = list(config.KINDS)
    return tuple(sorted(EXPERIMENTS, key=lambda name: order.index(EXPERIMENTS[name].kind)))
