"""The faster layers and Adam against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths.networks import fast

# Ours -> Keras' own.
CONVOLUTIONS = {fast.HalvingConv2D: keras.layers.Conv2D, fast.DoublingConv2DTranspose: keras.layers.Conv2DTranspose}
TEXTS = {"filters": 7, "kernel_size": 5, "padding": "same"}


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize(
    ("ours", "plain"),
    [(fast.FastLeakyReLU(0.2), keras.layers.LeakyReLU(negative_slope=0.2)), (fast.FastReLU(), keras.layers.ReLU())],
)
def test_activations_equal_keras_to_the_second_derivative(ours, plain, how):
    x = tf.constant([-2.0, -0.5, 0.0, 0.5, 3.0])

    def derivatives(layer):
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                value = (layer(x) + 1.0) ** 3  # whose derivative is not zero where that of ReLU is
            slope = first.gradient(value, x)
        return value, slope, second.gradient(slope, x)

    found = tf.function(lambda: derivatives(ours), **how)()
    for own, of_keras in zip(found, derivatives(plain), strict=True):
        np.testing.assert_allclose(own, of_keras, rtol=1e-6)


@pytest.mark.parametrize("activation", [fast.FastLeakyReLU, fast.FastReLU])
def test_activations_propagate_no_zeros_in_a_gradient_penalty(activation):
    x = tf.constant([[1.0, -2.0]])
    dense, last = keras.layers.Dense(3), keras.layers.Dense(1)
    model = keras.Sequential([dense, activation(), last])
    model(x)

    @tf.function
    def penalty_gradients():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = model(x)
            penalty = tf.reduce_sum(tf.square(inner.gradient(value, x)))
        return outer.gradient(penalty, model.trainable_variables)

    # The biases do not change the slopes of a piecewise linear network.
    kernel, bias, last_kernel, last_bias = penalty_gradients()
    assert (bias, last_bias) == (None, None)
    assert None not in (kernel, last_kernel)


@pytest.mark.parametrize("slope", [0.0, -0.2, float("nan")])
def test_leaky_relu_slope_must_be_positive(slope):
    with pytest.raises(ValueError, match=r"negative_slope: expected a number above zero, received"):
        fast.FastLeakyReLU(slope)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 4e-2), ("mixed_float16", 4e-3)]
)
def test_batch_normalization_equals_keras(precision, tolerance, how):
    x = 3.0 + 2.0 * tf.random.stateless_normal((5, 4, 4, 6), [0, 1])
    weights = tf.random.stateless_normal(x.shape, [0, 2])
    made = {}
    for layer in (fast.FusedBatchNormalization, keras.layers.BatchNormalization):
        one = layer(momentum=0.9, dtype=precision)
        one.build(x.shape)
        one.gamma.assign(tf.linspace(0.5, 2.0, 6))
        one.beta.assign(tf.linspace(-1.0, 1.0, 6))

        def step(one=one):
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = one(x, training=True)
                objective = tf.reduce_sum(weights * tf.cast(outputs, tf.float32) ** 2)
            gradients = tape.gradient(objective, [x, one.gamma.value, one.beta.value])
            return outputs, *gradients

        outputs, *gradients = tf.function(step, **how)()
        assert outputs.dtype == one.compute_dtype
        moving = (one.moving_mean, one.moving_variance)
        sampled = one(x, training=False)
        made[layer] = [tf.cast(value, tf.float32) for value in (outputs, *gradients, *moving, sampled)]
    for ours, keras_own in zip(*made.values(), strict=True):
        # Against the largest of them: single gradients are small differences of large numbers.
        np.testing.assert_allclose(ours / np.abs(keras_own).max(), keras_own / np.abs(keras_own).max(), atol=tolerance)


def assert_same_derivatives(ours, plain, shape, settings, how, **called):
    """Checks values, first and second derivatives of a convolution, with the same weights, against Keras'."""
    x = tf.random.stateless_normal(shape, [0, 1])
    made = []
    for cls in (ours, plain):
        layer = cls(**settings, activation="tanh")
        called = called if cls is ours else {}
        layer.build(shape)
        kernel = layer.kernel.value
        layer.kernel.assign(tf.random.stateless_normal(kernel.shape, [0, 2]))
        layer.bias.assign(tf.random.stateless_normal(layer.bias.shape, [0, 3]))

        def derivatives(layer=layer, kernel=kernel, called=called):
            with tf.GradientTape() as second:
                second.watch(x)
                with tf.GradientTape() as first:
                    first.watch(x)
                    value = layer(x, **called)
                    objective = tf.reduce_sum(tf.sin(value))
                slopes = first.gradient(objective, [x, kernel])
                penalty = tf.add_n([tf.reduce_sum(tf.square(slope)) for slope in slopes])
            return value, *slopes, *second.gradient(penalty, [x, kernel, layer.bias.value])

        made.append(tf.function(derivatives, **how)())
    for value, keras_own in zip(*made, strict=True):
        assert value.shape == keras_own.shape
        np.testing.assert_allclose(value, keras_own, rtol=1e-4, atol=1e-5 * np.abs(keras_own).max())


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize(
    ("ours", "called"),
    [(fast.HalvingConv2D, {}), *((fast.DoublingConv2DTranspose, {"training": t}) for t in (0, 1))],
)
def test_convolutions_equal_keras_to_the_second_derivative(ours, called, how):
    # Not square, and all numbers differ, so that swapped axes or blocks are detected.
    halves = ours is fast.HalvingConv2D
    shape = (2, 6, 10, 3) if halves else (2, 3, 5, 7)
    settings = {"filters": 7 if halves else 3, "kernel_size": 4, "strides": 2, "padding": "same"}
    assert_same_derivatives(ours, CONVOLUTIONS[ours], shape, settings, how, **called)


@pytest.mark.parametrize("ours", CONVOLUTIONS)
def test_convolutions_refuse_unsupported_settings(ours):
    for settings in ({"kernel_size": 3}, {"strides": 1}, {"padding": "valid"}):
        layer = ours(**{"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same", **settings})
        with pytest.raises(ValueError, match="Expected a 4×4 kernel, strides of 2, padding 'same'"):
            layer.build((1, 8, 8, 3))
    layer = ours(2, 4, 2, "same", use_bias=False)
    kernel_alone = CONVOLUTIONS[ours](2, 4, 2, "same", use_bias=False)
    image = tf.random.stateless_normal((1, 8, 8, 3), [0, 1])
    kernel_alone.build(image.shape)
    layer.build(image.shape)
    layer.set_weights(kernel_alone.get_weights())
    np.testing.assert_allclose(layer(image), kernel_alone(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize("training", [False, True])
def test_convolution_of_texts_equals_keras_to_the_second_derivative(training, how):
    assert_same_derivatives(fast.SlidingConv1D, keras.layers.Conv1D, (2, 6, 3), TEXTS, how, training=training)


@pytest.mark.parametrize(
    "settings",
    [{"kernel_size": 4}, {"strides": 2}, {"padding": "causal"}, {"dilation_rate": 2}, {"groups": 7}],
    ids=str,
)
def test_convolution_of_texts_refuses_unsupported_settings(settings):
    with pytest.raises(ValueError, match="Expected a kernel of an odd length, a stride of 1, padding 'same'"):
        fast.SlidingConv1D(**TEXTS | settings).build((1, 8, 7))


@pytest.mark.parametrize("training", [False, True])
def test_convolution_of_texts_without_bias(training):
    layer, plain = (cls(**TEXTS, use_bias=False) for cls in (fast.SlidingConv1D, keras.layers.Conv1D))
    texts = tf.random.stateless_normal((1, 8, 3), [0, 1])
    for one in (layer, plain):
        one.build(texts.shape)
    layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(layer(texts, training=training), plain(texts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 7, 8, 3), (1, 8, 7, 3), (1, None, None, 3)])
def test_odd_image_sides_are_refused(shape):
    with pytest.raises(ValueError, match="Expected images of even sides, received the shape"):
        fast.HalvingConv2D(2, 4, 2, "same").build(shape)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu", "softplus"])
@pytest.mark.parametrize("convolution", [keras.layers.Conv2D, fast.HalvingConv2D, fast.DoublingConv2DTranspose])
def test_batch_normalization_between_a_convolution_and_an_activation(convolution, activation):
    """TensorFlow fuses the three in a graph; it fuses tanh too, and has no such operation."""
    layers = [
        convolution(3, 4, strides=2, padding="same", use_bias=False),
        fast.FusedBatchNormalization(),
        keras.layers.Activation(activation),
    ]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    maps = tf.random.stateless_normal((2, 4, 4, 2), [0, 1])
    model(3.0 * maps, training=True)  # Other statistics than the initial ones.
    np.testing.assert_allclose(tf.function(model, autograph=False)(maps), model(maps), rtol=1e-5, atol=1e-6)


def test_batch_normalization_keeps_the_biased_variance():
    layer = fast.FusedBatchNormalization(momentum=0.0)
    layer(tf.reshape(tf.constant([1.0, 3.0]), (2, 1, 1, 1)), training=True)
    # ((1 - 2)^2 + (3 - 2)^2) / 2
    np.testing.assert_allclose([layer.moving_mean[0], layer.moving_variance[0]], [2.0, 1.0], rtol=1e-6)


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
def test_adam_equals_keras_adam(settings):
    ours, keras_own = (made(0.1, **settings) for made in (fast.FusedAdam, keras.optimizers.Adam))
    for one, other in zip(descended(ours), descended(keras_own), strict=True):
        # The operation takes 1 - beta in float32, Keras in float64.
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert [v.path.split("/")[1:] for v in ours.variables] == [v.path.split("/")[1:] for v in keras_own.variables]


def test_adam_two_steps_by_hand():
    # beta_1 = 0.5, beta_2 = 0.75, gradients 2 and 4: m = 1, 2.5; v = 1, 4.75.
    # Rates: 0.1 sqrt(1/4) / (1/2) = 0.1, and 0.1 sqrt(7/16) / (3/4).
    variable = keras.Variable(1.0)
    adam = fast.FusedAdam(0.1, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    for gradient in (2.0, 4.0):
        adam.apply([tf.constant(gradient)], [variable])
    by_hand = 1.0 - 0.1 * 1.0 / 1.0 - 0.1 * (7 / 16) ** 0.5 / (3 / 4) * 2.5 / 4.75**0.5
    np.testing.assert_allclose(variable.numpy(), by_hand, rtol=1e-6)


def test_loss_scaling_skips_infinite_gradients():
    scaled = keras.optimizers.LossScaleOptimizer(fast.FusedAdam(0.1), initial_scale=4.0)
    variable = keras.Variable(1.0)
    scaled.apply([tf.constant(np.inf)], [variable])
    assert variable.numpy() == 1.0
    scaled.apply([tf.constant(8.0)], [variable])
    # The first step of Adam is as long as the rate, whatever the gradient.
    np.testing.assert_allclose(variable.numpy(), 0.9, rtol=1e-5)


def test_adam_config_round_trip():
    one = fast.FusedAdam(0.1, beta_1=0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    assert type(again) is fast.FusedAdam
    assert again.get_config() == one.get_config()


@pytest.mark.parametrize(
    "ours", [fast.FastLeakyReLU, fast.FastReLU, fast.FusedBatchNormalization, fast.SlidingConv1D, *CONVOLUTIONS]
)
def test_as_keras_returns_the_keras_layer(ours):
    settings = {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same"} if ours in CONVOLUTIONS else {}
    settings = TEXTS if ours is fast.SlidingConv1D else settings
    layer = ours(**settings, name="mine")
    plain = layer.as_keras()
    assert type(plain).__module__.startswith("keras.")
    assert (
        plain.get_config().items() >= {k: v for k, v in layer.get_config().items() if k in plain.get_config()}.items()
    )
