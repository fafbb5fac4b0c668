"""Optimisers by name. Each is a function of the learning rate and its options that returns a Keras optimiser."""

from collections.abc import Callable

import keras

from tfpaths.networks import optimistic as optimistic_lib
from tfpaths.networks.fast import Implementation
from tfpaths.registry import Registry
from tfpaths.schema import Share

# Name -> `(learning_rate, implementation, *, options)` -> an optimiser.
# The options that may have a value for each run of an ensemble: attributes of Keras' optimisers.
OF_RUNS = ("learning_rate", "beta_1", "beta_2")
OPTIMIZERS: Registry[Callable[..., keras.optimizers.Optimizer]] = Registry("optimizer")


@OPTIMIZERS.register("adam")
def adam(
    learning_rate: float, implementation: Implementation, *, beta_1: Share = 0.5, beta_2: Share = 0.9
) -> keras.optimizers.Optimizer:
    """Returns Adam. Kingma and Ba 2014 (arXiv 1412.6980).

    The default betas are those of the code of Gulrajani et al. 2017 and of their appendix E; their algorithm 1 has
    (0, 0.9).

    Args:
      learning_rate: The learning rate.
      implementation: The implementation whose Adam is used, a value of `fast.IMPLEMENTATIONS`.
      beta_1: The decay rate of the mean of the gradients, in [0, 1).
      beta_2: The decay rate of the mean of their squares, in [0, 1).

    Example:
      >>> from tfpaths.networks import fast
      >>> adam(1e-4, fast.IMPLEMENTATIONS["keras"]).beta_1
      0.5
    """
    return implementation.adam(learning_rate, beta_1=beta_1, beta_2=beta_2)


@OPTIMIZERS.register("rmsprop")
def rmsprop(learning_rate: float, implementation: Implementation) -> keras.optimizers.Optimizer:
    """Returns Keras' RMSprop with its default settings, for every implementation.

    Example:
      >>> from tfpaths.networks import fast
      >>> rmsprop(0.5, fast.IMPLEMENTATIONS["fast"]).get_config()["learning_rate"]
      0.5
    """
    del implementation
    return keras.optimizers.RMSprop(learning_rate)


@OPTIMIZERS.register("sgd")
def sgd(learning_rate: float, implementation: Implementation) -> keras.optimizers.Optimizer:
    """Returns gradient descent without momentum, w <- w - learning_rate g, for every implementation.

    Example:
      >>> from tfpaths.networks import fast
      >>> optimizer, w = sgd(0.5, fast.IMPLEMENTATIONS["fast"]), keras.Variable(1.0)
      >>> optimizer.apply([keras.ops.ones(())], [w])
      >>> float(w)
      0.5
    """
    del implementation
    return keras.optimizers.SGD(learning_rate)


@OPTIMIZERS.register("optimistic")
def optimistic(learning_rate: float, implementation: Implementation) -> keras.optimizers.Optimizer:
    """Returns optimistic gradient descent, w <- w - 2 rate g_t + rate g_(t-1), for every implementation.

    Daskalakis et al. 2018 (arXiv 1711.00141). See `tfpaths.networks.optimistic.Optimistic`.

    Example:
      >>> from tfpaths.networks import fast
      >>> optimizer, w = optimistic(0.5, fast.IMPLEMENTATIONS["fast"]), keras.Variable(1.0)
      >>> optimizer.apply([keras.ops.ones(())], [w])
      >>> float(w)
      0.0
    """
    del implementation
    return optimistic_lib.Optimistic(learning_rate)


@OPTIMIZERS.register("optimistic_adam")
def optimistic_adam(
    learning_rate: float, implementation: Implementation, *, beta_1: Share = 0.5, beta_2: Share = 0.9
) -> keras.optimizers.Optimizer:
    """Returns optimistic Adam, for every implementation. Daskalakis et al. 2018 (arXiv 1711.00141), algorithm 1.

    The default betas are those of `adam`. See `tfpaths.networks.optimistic.OptimisticAdam`.

    Args:
      learning_rate: The learning rate.
      implementation: Unused.
      beta_1: The decay rate of the mean of the gradients, in [0, 1).
      beta_2: The decay rate of the mean of their squares, in [0, 1).

    Example:
      >>> from tfpaths.networks import fast
      >>> optimistic_adam(1e-4, fast.IMPLEMENTATIONS["fast"]).beta_2
      0.9
    """
    del implementation
    return optimistic_lib.OptimisticAdam(learning_rate, beta_1=beta_1, beta_2=beta_2)
