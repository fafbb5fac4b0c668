"""The Jacobian of the game: columns, and finite differences with hidden layers; closed forms: `test_equilibrium.py`."""

import numpy as np
import pytest
import tensorflow as tf

from tfpaths import experiments
from tfpaths.gan import GAN
from tfpaths.lines import equilibrium, jacobian
from tfpaths.lines.path_angle import field


def test_columns_are_products_with_unit_vectors():
    # With a linear D at the equilibrium J is known by hand, see `test_equilibrium.py`; two runs have the same J.
    variant = experiments.get("line1_r1").variant
    gan, real = equilibrium.game(variant, (1.2, -0.5), np.zeros([2, 2]))
    both = jacobian.jacobian(gan, real, gan.stream).numpy()
    expected = equilibrium.linear_jacobian(variant, (1.2, -0.5))
    np.testing.assert_allclose(both, [expected, expected], atol=1e-6)


def test_norm_one_penalty_pushes_slope_zero_away():
    # At w = 0 the norm sqrt(|w|^2 + e) - 1 has the second derivative -1 / sqrt(e): 2 weight / sqrt(e) pushes w away.
    J = equilibrium.linear_jacobian(experiments.get("line1_gan_gp").variant, (1.3, 0.0))
    assert np.linalg.eigvals(J).real.max() == pytest.approx(2e7, rel=0.01)


def test_equals_finite_differences(block):
    # The interpolated points depend on the generator too. The numbers of a stream depend on the compiler: both are
    # compiled.
    made = block("line1_gan_gp", runs=2, study__width="3", study__depth="1", study__activation="smooth_leaky_relu")
    made.advance(5)
    gan, stream = made.gan, made.gan.stream.fold(-9)
    variables = [*gan.discriminator.trainable_variables, *gan.generator.trainable_variables]

    @tf.function(jit_compile=True, autograph=False)
    def values():
        real = made.batch(stream.fold(0))
        return tf.concat([tf.reshape(value, [2, -1]) for value in field(gan, real, stream.fold(1))], axis=1)

    @tf.function(jit_compile=True, autograph=False)
    def exact():
        return jacobian.jacobian(gan, made.batch(stream.fold(0)), stream.fold(1))

    columns, h = [], 1e-2
    for variable in variables:
        start = variable.numpy()
        for unit in np.eye(start[0].size, dtype=np.float32):
            ends = []
            for sign in (1, -1):
                variable.assign(start + sign * h * unit.reshape(1, *start.shape[1:]))
                ends.append(values().numpy())
            columns.append((ends[0] - ends[1]) / (2 * h))
        variable.assign(start)
    expected = np.stack(columns, axis=2)
    np.testing.assert_allclose(exact(), expected, atol=2e-3 * np.abs(expected).max())


def test_spectrum_of_a_spiral_and_of_a_matrix_without_numbers():
    # -0.5 ± 2i, and 0.25: one of three is positive.
    matrix = np.array([[-0.5, 2.0, 0.0], [-2.0, -0.5, 0.0], [0.0, 0.0, 0.25]])
    values = jacobian.spectrum(matrix)
    assert values["rotation"] == pytest.approx(4)
    assert (values["largest_real"], values["largest_imaginary"]) == (pytest.approx(0.25), pytest.approx(2))
    assert values["positive_share"] == pytest.approx(1 / 3)
    assert jacobian.spectrum(np.full([2, 2], np.nan)) == {}


def test_slopes_of_a_ridge():
    # |x_1 - 1| has slope -1 at two of the three points: 1, and (1 - 2) / 3. 2 x_2 adds 2 in the second coordinate.
    points = tf.constant([[[0.0, 0.0], [-1.0, 3.0], [2.0, 1.0]]] * 2)
    ridge = jacobian.slopes(lambda x: tf.abs(x[..., :1] - 1), points)
    np.testing.assert_allclose(ridge, [[1, 1], [1 / 3, 1 / 3]], rtol=1e-6)
    both = jacobian.slopes(lambda x: tf.abs(x[..., :1] - 1) + 2 * x[..., 1:], points)
    np.testing.assert_allclose(both, [[5**0.5] * 2, [(4 + 1 / 9) ** 0.5] * 2], rtol=1e-6)


def test_a_single_gan_is_refused():
    from helpers import constant_generator, linear

    gan = GAN(constant_generator(0.0), linear([1.0]), loss="non_saturating")
    with pytest.raises(ValueError, match="expected an ensemble"):
        jacobian.jacobian(gan, tf.zeros([4, 1]), gan.stream)


def test_depth_zero_and_activations_from_a_config(block):
    linear_one = block("line1_ns", runs=1, study__depth="0")
    assert [tuple(v.shape) for v in linear_one.gan.discriminator.trainable_variables] == [(1, 3, 1), (1, 1, 1)]
    assert experiments.get("line1_ns").study.activation == "leaky_relu"
