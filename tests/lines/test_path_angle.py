"""The path angle: the field by hand, a way that is a descent, and the figure's numbers."""

import keras
import numpy as np
import tensorflow as tf
from helpers import constant_generator, linear

from tfpaths import penalties, schema
from tfpaths.gan import GAN
from tfpaths.lines import path_angle

REAL = tf.constant([[0.5], [-1.0], [2.0], [0.25]])


def test_field_by_hand():
    # D(x) = w x, G(z) = b, with R1: -d/dw (b w - w E x + 3 w^2) and -d/db (-w b).
    gan = GAN(constant_generator(-0.4), linear([0.7]), loss="wasserstein", penalty=penalties.R1Penalty(weight=3.0))
    of_d, of_g = path_angle.field(gan, REAL, gan.stream)
    np.testing.assert_allclose(of_d, [[0.4 + 0.4375 - 6 * 0.7]], rtol=1e-5)
    np.testing.assert_allclose(of_g, 0.7, rtol=1e-6)


def test_field_is_the_first_simultaneous_step(block):
    # A step of plain gradient descent moves D by rate times the field; one update of D, on the same batch and stream.
    made = block("line1_gan_gp", runs=2)
    gan = made.gan
    stream = gan.stream.fold(7)
    real = made.batch(stream.fold(0))
    values = path_angle.field(gan, real, stream)
    before = [variable.numpy() for variable in gan.discriminator.trainable_variables]
    gan.discriminator_optimizer = keras.optimizers.SGD(0.5)
    gan.discriminator_optimizer.build(gan.discriminator.trainable_variables)
    gan.update_discriminator(real, stream)
    for value, variable, start in zip(values, gan.discriminator.trainable_variables, before, strict=False):
        np.testing.assert_allclose(variable.numpy() - start, 0.5 * value, rtol=1e-3, atol=1e-6)


def test_cosine():
    one = [np.array([[3.0, 0.0], [1.0, 0.0]]), np.array([[4.0], [0.0]])]
    other = [np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[4.0], [0.0]])]
    np.testing.assert_allclose(path_angle._cosine(one, other), [1.0, 0.0])
    assert np.isnan(path_angle._cosine(one, [np.zeros_like(value) for value in other])).all()


def test_angles_of_a_short_run_of_gradient_descent(small):
    # One step of plain descent with a small rate: the way is the step, so the game points along it at its start. The
    # field is that of other samples, and the generator's step is after D's: the cosine is near 1, not equal to it.
    changes = {f"variant__{player}_optimizer": "sgd" for player in ("generator", "discriminator")}
    rates = {f"variant__{player}_optimizer__learning_rate": "1e-3" for player in ("generator", "discriminator")}
    config = small("line1_ns", schedule__steps="1", schedule__batch_size="2048", schedule__log_every="1", **changes)
    config = schema.override(config, {name.replace("__", "."): text for name, text in rates.items()})
    cosines = path_angle.path_angles(config, 2, (0.0, 1.0, 1.5), batch_size=2048)
    assert cosines.shape == (3, 2)
    assert (cosines > 0.9).all()  # one step of a thousandth does not arrive anywhere
