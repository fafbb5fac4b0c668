"""The game at its equilibrium with a linear discriminator: the whole Jacobian by hand, and where D rests."""

import numpy as np
import pytest
import scipy.stats

from tfpaths import config, experiments
from tfpaths.lines import equilibrium, jacobian
from tfpaths.runs.build import complete_variant

S = np.array([1.2, -0.5])  # |s|^2 = 1.69
ASIDE = np.array([0.5, 1.2]) / 1.3


def variant(name, **changes):
    return complete_variant(experiments.get(f"line1_{name}").variant.replace(**changes), 1)


@pytest.mark.parametrize(
    ("name", "gamma", "noise"),
    # R1Penalty has weight 5 = gamma / 2; R1 + R2 have both; instance noise of 0.5; Roth's weight of 1 is gamma = 1.
    [("ns", 0, 0), ("minimax", 0, 0), ("r1", 10, 0), ("r1_r2", 20, 0), ("ns_noise", 0, 0.25), ("ns_roth", 1, 0)],
)
def test_jacobian_by_hand(name, gamma, noise):
    # The second derivative of softplus(∓D) is 1/4 at D = 0, for real and for generated examples, whose second moment is
    # A = s s^T + sigma^2 I: dv_w/dw = -A / 2 - gamma I, dv_b/db = -1/2. The first derivative is 1/2: v_w has -c / 2,
    # v_c has w / 2. S is multiplied by E z = 0.
    expected = np.zeros([7, 7])
    expected[:2, :2] = -(np.outer(S, S) + noise * np.eye(2)) / 2 - gamma * np.eye(2)
    expected[2, 2] = -0.5
    expected[:2, 3:5], expected[3:5, :2] = -np.eye(2) / 2, np.eye(2) / 2
    J = equilibrium.linear_jacobian(variant(name), S)
    np.testing.assert_allclose(J, expected, atol=2e-5)
    assert equilibrium.damping(variant(name)) == (gamma, noise)
    pairs = [jacobian.eigenvalues(variance, gamma) for variance in (1.69 + noise, noise)]
    for value in np.ravel(pairs):
        assert np.abs(np.linalg.eigvals(J) - value).min() < 1e-3  # the root of 1e-6 where a pair meets


def test_noise_and_both_penalties_add():
    penalties = (config.Penalty(name="r1", weight=0.5), config.Penalty(name="r2", weight=0.25))
    both = variant("ns_noise", penalty=penalties)
    assert equilibrium.damping(both) == (1.5, 0.25)
    # In d = 3: one pair along, the same pair twice aside, -1/2 of b, and three zeros of S.
    along, aside = jacobian.eigenvalues(1.69 + 0.25, 1.5), jacobian.eigenvalues(0.25, 1.5)
    found = np.linalg.eigvals(equilibrium.linear_jacobian(both, [0.0, 1.3, 0.0]))
    assert np.abs(found.imag).max() < 1e-2  # x = 0.8 aside: overdamped
    np.testing.assert_allclose(
        np.sort(found.real), np.sort(np.real([*along, *aside, *aside, -0.5, 0, 0, 0])), atol=2e-5
    )


@pytest.mark.parametrize("name", ["gan_gp", "dragan_ns"])
def test_norm_one_penalty_rests_at_slope_one_and_moves_the_generator(name):
    assert equilibrium.damping(variant(name)) is None
    slopes = np.array([-1.0, 0.5, 1.0, 1.5])
    of_d, of_g = equilibrium.pushes(variant(name), S, np.outer(slopes, ASIDE))
    # -d/dw 10 (|w| - 1)^2 = -20 (|w| - 1) w / |w|; the logits are 0, so the losses push neither w nor b.
    np.testing.assert_allclose(of_d @ ASIDE, [0, 10, 0, -10], atol=1e-4)
    np.testing.assert_allclose(of_g, np.outer(slopes / 2, ASIDE), atol=1e-6)


@pytest.mark.parametrize(("name", "rate"), [("ns", 0), ("r1", 10), ("r1_r2", 20), ("ns_noise", 0.125)])
def test_other_discriminators_fall_to_slope_zero(name, rate):
    (of_d,), (of_g,) = equilibrium.pushes(variant(name), S, [0.01 * ASIDE])
    np.testing.assert_allclose(of_d, -0.01 * rate * ASIDE, atol=1e-5)
    np.testing.assert_allclose(of_g, 0.005 * ASIDE, rtol=1e-4)


def test_variants_without_a_formula():
    assert equilibrium.damping(variant("wgan_gp")) is None
    assert equilibrium.damping(variant("r3gan")) is None
    assert equilibrium.damping(variant("wgan")) is None
    slope_of_two = config.Penalty(name="r1", weight=5.0, target=2.0)
    assert equilibrium.damping(variant("ns", penalty=slope_of_two)) is None
    assert equilibrium.damping(variant("ns", game=config.Game(name="consensus"))) is None


def test_unit_slopes_can_cancel_from_three_dimensions_on():
    # D(x) = u(y) . (x aside) with |u| = 1 has D = 0 on the line, no penalty there, and moves the generator by E u / 2
    # and E u y / 2. In two dimensions aside, let u turn once while |y| goes over its law: both vanish. In the plane u
    # is ±1.
    y = scipy.stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    angle = 2 * np.pi * (2 * scipy.stats.norm.cdf(np.abs(y)) - 1)
    u = np.stack([np.cos(angle), np.sin(angle)])
    assert np.abs(u.mean(axis=1)).max() < 1e-6
    assert np.abs((u * y).mean(axis=1)).max() < 1e-6


def test_kinks_let_unit_slopes_of_both_signs_meet_in_the_plane():
    # max(min(h, -y), min(-h, y)) is continuous, 0 on the line h = 0, has slope 1 everywhere but at kinks, and is h on
    # its left and -h on its right: a piecewise linear D can rest where a D without kinks cannot.
    def D(y, h):
        return np.maximum(np.minimum(h, -y), np.minimum(-h, y))

    y, h = np.random.default_rng(0).normal(size=(2, 10_000))
    step = 1e-6
    gradient = [(D(y + step, h) - D(y, h)) / step, (D(y, h + step) - D(y, h)) / step]
    assert np.mean(np.abs(np.hypot(*gradient) - 1) < 1e-6) > 0.999
    np.testing.assert_array_equal(D(y, 0 * y), 0)
    near = 1e-3 * np.abs(y)
    np.testing.assert_allclose(D(y, near), -np.sign(y) * near)
    # With such points at the quartiles of y, the sign g cancels for c and for S: E g = E g y = 0.
    z = scipy.stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    g = np.where(np.abs(z) < scipy.stats.norm.ppf(0.75), 1.0, -1.0)
    assert abs(g.mean()) < 1e-9
    assert abs((g * z).mean()) < 1e-9
