"""Optimistic gradient descent and optimistic Adam: each step is corrected by the step before."""

from typing import Any

import keras
import tensorflow as tf

from tfpaths.compat import keras as compat


@keras.saving.register_keras_serializable("tfpaths")
class Optimistic(keras.optimizers.Optimizer):
    """w <- w - 2 rate g_t + rate g_(t-1), with g_0 = 0. Daskalakis et al. 2018 (arXiv 1711.00141), equation 5.

    On a game whose simultaneous field has an eigenvalue lambda at an equilibrium, simultaneous steps multiply the
    distance by a root of mu^2 - (1 + 2 rate lambda) mu + rate lambda = 0. For an imaginary lambda both roots are inside
    the unit circle if rate |lambda| < 1 / sqrt(3), while gradient descent has |1 + rate lambda| > 1.

    Args:
      learning_rate: The rate.
      name: The optimiser's name.
      **kwargs: The other arguments of `keras.optimizers.Optimizer`.

    Example:
      >>> optimizer, w = Optimistic(0.5), keras.Variable(1.0)
      >>> for gradient in (1.0, 3.0):  # 1 - 0.5 · 2, then - 0.5 (2 · 3 - 1)
      ...     optimizer.apply([tf.constant(gradient)], [w])
      >>> float(w)
      -2.5
    """

    def __init__(self, learning_rate: float = 0.01, name: str = "optimistic", **kwargs: Any):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def build(self, var_list):
        if self.built:
            return
        super().build(var_list)
        (self._previous,) = self.add_optimizer_variables(var_list, ["previous_gradient"])

    def update_step(self, gradient, variable, learning_rate):
        gradient = tf.cast(gradient, variable.dtype)
        previous = self._previous[compat.variable_index(self, variable)]
        step = tf.cast(learning_rate, variable.dtype) * (2.0 * gradient - previous)
        self.assign_sub(variable, step)
        # The step has read the gradient before, which this replaces.
        with tf.control_dependencies([step]):
            self.assign(previous, gradient)


@keras.saving.register_keras_serializable("tfpaths")
class OptimisticAdam(keras.optimizers.Adam):
    """w <- w - 2 s_t + s_(t-1), where s_t is the step of Adam and s_0 = 0. Daskalakis et al. 2018, algorithm 1.

        s_t = rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m_t / (sqrt(v_t) + epsilon)

    s_(t-1) is computed from the moments before they are updated, so that the state is that of Adam. Each step has the
    bias correction of its step, as in the paper's algorithm; the authors' code gives both the factor of t. As in that
    code and in Keras' Adam, epsilon is added to the root without bias correction. s_(t-1) has the current rate, which
    only matters if the rate changes.

    Args:
      learning_rate: The rate.
      name: The optimiser's name.
      **kwargs: The other arguments of `keras.optimizers.Adam`.

    Raises:
      ValueError: `amsgrad` is set.

    Example:
      >>> optimizer, w = OptimisticAdam(0.5), keras.Variable(1.0)
      >>> optimizer.apply([tf.constant(3.0)], [w])  # the first step's size is twice the learning rate
      >>> round(float(w), 4)
      0.0
    """

    def __init__(self, learning_rate: float = 0.001, name: str = "optimistic_adam", **kwargs: Any):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if self.amsgrad:
            raise ValueError("amsgrad: expected False, received True; optimistic Adam has no such form.")

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        gradient, rate = tf.cast(gradient, dtype), tf.cast(learning_rate, dtype)
        beta_1, beta_2 = (tf.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        m, v = (tf.convert_to_tensor(moment) for moment in compat.adam_moments(self, variable))
        t = tf.cast(self.iterations.value, dtype) + 1.0

        def step(m, v, t):
            factor = tf.sqrt(1.0 - tf.pow(beta_2, t)) / (1.0 - tf.pow(beta_1, t))
            return rate * factor * m / (tf.sqrt(v) + self.epsilon)

        # Before the first step m is zero; the factor of t = 0 would be 0 / 0.
        previous = step(m, v, tf.maximum(t - 1.0, 1.0))
        new_m = m + (gradient - m) * (1.0 - beta_1)
        new_v = v + (tf.square(gradient) - v) * (1.0 - beta_2)
        change = 2.0 * step(new_m, new_v, t) - previous
        with tf.control_dependencies([change]):
            for moment, value in zip(compat.adam_moments(self, variable), (new_m, new_v), strict=True):
                self.assign(moment, value)
            self.assign_sub(variable, change)
