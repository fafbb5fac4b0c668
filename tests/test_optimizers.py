import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import optimizers

STEPS = 5


def descended(optimizer):
    """A matrix and an offset after some steps on gradients of all sizes, and the optimiser's own variables."""
    shapes = {"matrix": (3, 4), "offset": (4,)}
    variables = [keras.Variable(tf.random.stateless_normal(shape, [0, 1]), name=name) for name, shape in shapes.items()]
    optimizer.build(variables)

    @tf.function
    def step(index):
        gradients = [
            tf.random.stateless_normal(one.shape, [index, order]) * tf.random.stateless_uniform(one.shape, [index, 2])
            for order, one in enumerate(variables)
        ]
        optimizer.apply(gradients, variables)

    for index in range(STEPS):
        step(tf.constant(index))
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


SETTINGS = [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, {"amsgrad": True}, {"clipnorm": 0.1}]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_adam_is_keras_adam_with_the_same_variables(settings):
    ours, keras_own = (made.Adam(0.1, **settings) for made in (optimizers, keras.optimizers))
    for one, other in zip(descended(ours), descended(keras_own), strict=True):
        # The operation takes 1 - beta in float32, Keras in float64.
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert [v.path.split("/")[1:] for v in ours.variables] == [v.path.split("/")[1:] for v in keras_own.variables]


def test_two_steps_by_hand():
    # beta_1 = 0.5, beta_2 = 0.75, gradients 2 and 4: m = 1, 2.5; v = 1, 4.75.
    # Rates: 0.1 sqrt(1/4) / (1/2) = 0.1, and 0.1 sqrt(7/16) / (3/4).
    variable = keras.Variable(1.0)
    adam = optimizers.Adam(0.1, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    for gradient in (2.0, 4.0):
        adam.apply([tf.constant(gradient)], [variable])
    by_hand = 1.0 - 0.1 * 1.0 / 1.0 - 0.1 * (7 / 16) ** 0.5 / (3 / 4) * 2.5 / 4.75**0.5
    np.testing.assert_allclose(variable.numpy(), by_hand, rtol=1e-6)


def test_a_step_with_scaled_losses_is_skipped_where_a_gradient_is_infinite():
    scaled = keras.optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=4.0)
    variable = keras.Variable(1.0)
    scaled.apply([tf.constant(np.inf)], [variable])
    assert variable.numpy() == 1.0
    scaled.apply([tf.constant(8.0)], [variable])
    # The first step of Adam is as long as the rate, whatever the gradient.
    np.testing.assert_allclose(variable.numpy(), 0.9, rtol=1e-5)


def test_the_config_makes_another():
    one = optimizers.Adam(0.1, beta_1=0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    assert type(again) is optimizers.Adam
    assert again.get_config() == one.get_config()
