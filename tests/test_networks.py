import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, networks
from tfpaths.networks import dcgan, layers

SMALL = config.Networks(latent_dim=5, generator_filters=4, discriminator_filters=4)
SHAPES = [(side, side, channels) for side in dcgan.SIZES for channels in (1, 3)]


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
@pytest.mark.parametrize("shape", SHAPES)
def test_contract_of_a_pair(name, shape):
    generator, discriminator = networks.build(SMALL, shape)
    latents = tf.random.stateless_normal((3, 5), [0, 1])
    images = generator(latents)
    assert images.shape == (3, *shape)
    assert images.dtype == tf.float32
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (3, 1)
    # One example's logit depends on that example alone, in training too: a gradient penalty needs that.
    alone = discriminator(images[:1], training=True)
    np.testing.assert_allclose(discriminator(images, training=True)[:1], alone, rtol=1e-4, atol=1e-6)
    graph = tf.function(lambda z: discriminator(generator(z)))
    np.testing.assert_allclose(graph(latents), discriminator(generator(latents)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_the_seed_decides_the_weights(name):
    def weights(seed):
        return [v.numpy() for model in networks.build(SMALL, (28, 28, 3), seed=seed) for v in model.trainable_variables]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(map(np.array_equal, one, again))
    kernels = [index for index, value in enumerate(one) if value.ndim > 1]
    assert not any(np.array_equal(one[index], other[index]) for index in kernels)
    # No two layers of one shape, and no two players, start alike.
    flat = [one[index].ravel()[:16].tobytes() for index in kernels]
    assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("name", sorted(networks.NETWORKS))
def test_a_pair_is_serialisable(name):
    for model in networks.build(SMALL, (28, 28, 1)):
        again = keras.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        inputs = tf.random.stateless_normal((2, *model.input_shape[1:]), [0, 1])
        np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize("precision", config.PRECISIONS)
def test_what_leaves_a_network_is_float32(precision):
    generator, discriminator = networks.build(SMALL, (32, 32, 3), precision=precision)
    assert generator.output.dtype == discriminator.output.dtype == "float32"
    half = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}[precision]
    assert {v.dtype for v in generator.trainable_variables} == {"float32"}
    assert generator.layers[1].compute_dtype == discriminator.layers[1].compute_dtype == half


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
def test_leaky_relu_equals_keras_to_the_second_derivative(how):
    x = tf.constant([-2.0, -0.5, 0.0, 0.5, 3.0])

    def derivatives(layer):
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                value = layer(x) ** 3
            slope = first.gradient(value, x)
        return value, slope, second.gradient(slope, x)

    own = tf.function(lambda: derivatives(layers.LeakyReLU(0.2)), **how)
    for ours, keras_own in zip(own(), derivatives(keras.layers.LeakyReLU(negative_slope=0.2)), strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, -0.2, float("nan")])
def test_a_slope_that_hides_the_inputs_sign_is_refused(slope):
    with pytest.raises(ValueError, match=r"negative_slope: expected a number above zero, received"):
        layers.LeakyReLU(slope)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 4e-2), ("mixed_float16", 4e-3)]
)
def test_batch_normalization_equals_keras_in_output_gradients_and_moving_statistics(precision, tolerance, how):
    x = 3.0 + 2.0 * tf.random.stateless_normal((5, 4, 4, 6), [0, 1])
    weights = tf.random.stateless_normal(x.shape, [0, 2])
    made = {}
    for layer in (layers.BatchNormalization, keras.layers.BatchNormalization):
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


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
@pytest.mark.parametrize(("name", "called"), [("Conv2D", {}), *(("Conv2DTranspose", {"training": t}) for t in (0, 1))])
def test_convolutions_on_images_equal_keras_to_the_second_derivative(name, called, how):
    # Not square, and no two numbers alike: an axis or a block in another's place would show.
    shape = (2, 6, 10, 3) if name == "Conv2D" else (2, 3, 5, 7)
    x = tf.random.stateless_normal(shape, [0, 1])
    made = []
    for module in (layers, keras.layers):
        layer = getattr(module, name)(7 if name == "Conv2D" else 3, 4, 2, "same", activation="tanh")
        called = called if module is layers else {}
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
    for ours, keras_own in zip(*made, strict=True):
        assert ours.shape == keras_own.shape
        np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-5 * np.abs(keras_own).max())


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_on_images_refuse_what_they_do_not_do(name):
    for settings in ({"kernel_size": 3}, {"strides": 1}, {"padding": "valid"}):
        layer = getattr(layers, name)(**{"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same", **settings})
        with pytest.raises(ValueError, match="Expected a 4×4 kernel, strides of 2, padding 'same'"):
            layer.build((1, 8, 8, 3))
    layer = getattr(layers, name)(2, 4, 2, "same", use_bias=False)
    kernel_alone = getattr(keras.layers, name)(2, 4, 2, "same", use_bias=False)
    image = tf.random.stateless_normal((1, 8, 8, 3), [0, 1])
    kernel_alone.build(image.shape)
    layer.build(image.shape)
    layer.set_weights(kernel_alone.get_weights())
    np.testing.assert_allclose(layer(image), kernel_alone(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 7, 8, 3), (1, 8, 7, 3), (1, None, None, 3)])
def test_an_image_that_has_no_half_is_refused(shape):
    with pytest.raises(ValueError, match="Expected images of even sides, received the shape"):
        layers.Conv2D(2, 4, 2, "same").build(shape)


def test_batch_normalization_keeps_the_biased_variance():
    layer = layers.BatchNormalization(momentum=0.0)
    layer(tf.reshape(tf.constant([1.0, 3.0]), (2, 1, 1, 1)), training=True)
    # ((1 - 2)^2 + (3 - 2)^2) / 2
    np.testing.assert_allclose([layer.moving_mean[0], layer.moving_variance[0]], [2.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("shape", [(30, 30, 3), (28, 32, 3)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(config.InputError, match="square images of 28, 32, 64 pixels, received"):
        networks.build(SMALL, shape)
