"""Optimisers by name: each a function that makes one from its learning rate and options of its own."""

from collections.abc import Callable

import keras

from tfpaths.networks.fast import Implementation
from tfpaths.registry import Registry
from tfpaths.schema import Share

# Name -> `(learning_rate, implementation, *, options)` -> an optimiser.
OPTIMIZERS: Registry[Callable[..., keras.optimizers.Optimizer]] = Registry("optimizer")


@OPTIMIZERS.register("adam")
def adam(
    learning_rate: float, implementation: Implementation, *, beta_1: Share = 0.5, beta_2: Share = 0.9
) -> keras.optimizers.Optimizer:
    """Adam. Kingma and Ba 2014 (arXiv 1412.6980). The betas are those of Gulrajani et al.'s code."""
    return implementation.adam(learning_rate, beta_1=beta_1, beta_2=beta_2)


@OPTIMIZERS.register("rmsprop")
def rmsprop(learning_rate: float, implementation: Implementation) -> keras.optimizers.Optimizer:
    """RMSprop, as Keras has it."""
    del implementation
    return keras.optimizers.RMSprop(learning_rate)


@OPTIMIZERS.register("sgd")
def sgd(learning_rate: float, implementation: Implementation) -> keras.optimizers.Optimizer:
    """Plain gradient descent."""
    del implementation
    return keras.optimizers.SGD(learning_rate)
