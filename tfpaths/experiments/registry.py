"""The table of experiments: `register` adds one, `get` looks one up."""

from tfpaths import config
from tfpaths.registry import Registry

EXPERIMENTS: Registry[config.Experiment] = Registry("experiment", "tfpaths.experiments")


def register(experiment: config.Experiment) -> config.Experiment:
    """Registers an experiment under its name, and returns it.

    Raises:
      InputError: Another experiment has this name.

    Example: `examples/custom_experiment.py`.
    """
    return EXPERIMENTS.register(experiment.name)(experiment)


def get(name: str) -> config.Experiment:
    """Returns the experiment with that name; its method `replace` returns a changed copy.

    Raises:
      InputError: No experiment has this name; the message suggests the nearest one.

    Example:
      >>> get("color_mnist_ns").replace(seed=3).seed
      3
    """
    return EXPERIMENTS.lookup(name)


def names() -> tuple[str, ...]:
    """Returns the names of all experiments, by kind and then in the order of registration.

    Example:
      >>> [name for name in names() if name.startswith("line1")][:2]
      ['line1_minimax', 'line1_ns']
    """
    order = list(config.KINDS)
    return tuple(sorted(EXPERIMENTS, key=lambda name: order.index(EXPERIMENTS[name].kind)))
