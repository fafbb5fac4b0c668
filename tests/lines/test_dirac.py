"""The Dirac-GAN: its field against the formulas, the eigenvalues at the equilibrium, and the paths."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from scipy.special import expit

from tfpaths import config, errors
from tfpaths.experiments.variants import VARIANTS
from tfpaths.lines import dirac
from tfpaths.runs.build import complete_variant

BY_NAME = {variant.name: variant for variant in VARIANTS}
WEIGHT, SIGMA = 0.7, 0.6
POINTS = np.random.default_rng(0).uniform(-2, 2, size=(12, 2))


def made(name, *, weight=None, noise=None, game="gan", game_weight=None, rate=1.0):
    """A complete variant of gradient descent."""
    base = BY_NAME[name]
    penalties = tuple(each if weight is None else each.replace(weight=weight) for each in base.penalties)
    return complete_variant(
        dirac.with_sgd(base, rate).replace(
            penalty=penalties or None,
            weight_clip=base.weight_clip and 9.0,
            instance_noise=noise and config.InstanceNoise(scale=noise),
            discriminator_steps=1,
            game=config.Game(name=game, **({} if game_weight is None else {"weight": game_weight})),
        )
    )


# Minus the derivative of the discriminator's loss by psi, and of the generator's by theta.
def logistic(theta, psi):
    return -theta * expit(psi * theta)


def linear(theta, psi):
    return -theta


GENERATOR = {
    "minimax": lambda theta, psi: psi * expit(psi * theta),
    "non_saturating": lambda theta, psi: psi * expit(-psi * theta),
    "relativistic": lambda theta, psi: psi * expit(-psi * theta),
    "wasserstein": lambda theta, psi: psi,
}
DISCRIMINATOR = {"minimax": logistic, "non_saturating": logistic, "relativistic": logistic, "wasserstein": linear}


def norm_one(theta, psi):
    return -2 * WEIGHT * (abs(psi) - 1) * np.sign(psi)


def roth(theta, psi):
    # weight psi^2 (1/4 + s^2), s = sigmoid(psi theta): the real example has the logit 0.
    s = expit(psi * theta)
    return -WEIGHT * (psi / 2 + 2 * psi * s**2 + 2 * psi**2 * s**2 * (1 - s) * theta)


PENALTY = {
    "interpolation": norm_one,
    "dragan": norm_one,
    "r1": lambda theta, psi: -2 * WEIGHT * psi,
    "r2": lambda theta, psi: -2 * WEIGHT * psi,
    "roth": roth,
}
HERE = [variant.name for variant in VARIANTS if not variant.spectral_normalization and not variant.instance_noise]


@pytest.mark.parametrize("name", HERE)
def test_field_is_the_formula(name):
    variant = made(name, weight=WEIGHT)
    found = dirac.field(variant, POINTS)
    theta, psi = POINTS.T
    loss = variant.loss.name
    np.testing.assert_allclose(found[:, 0], GENERATOR[loss](theta, psi), rtol=1e-5, atol=1e-6)
    # The points of the penalties do not matter, not even the random ones: D has the slope psi everywhere.
    expected = DISCRIMINATOR[loss](theta, psi) + sum(PENALTY[each.name](theta, psi) for each in variant.penalties)
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["minimax_noise", "ns_noise"])
def test_field_with_noise_is_the_expectation(name):
    variant = made(name, noise=SIGMA)
    found = dirac.field(variant, POINTS[:4])

    def mean(function):
        density = scipy.stats.norm.pdf
        return scipy.integrate.quad(lambda e: function(SIGMA * e) * density(e), -9, 9, epsabs=1e-10)[0]

    generator = {"minimax": lambda t: expit(t), "non_saturating": lambda t: expit(-t)}[variant.loss.name]
    expected = [
        (
            mean(lambda e, t=theta, p=psi: p * generator(p * (t + e))),
            mean(lambda e, t=theta, p=psi: e * expit(-p * e) - (t + e) * expit(p * (t + e))),
        )
        for theta, psi in POINTS[:4]
    ]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def eigenvalues(matrix):
    return sorted(np.linalg.eigvals(matrix).astype(complex), key=lambda value: (value.real, value.imag))


def pair(middle, square):
    """middle ± sqrt(square)."""
    root = np.sqrt(complex(square))
    return sorted([middle - root, middle + root], key=lambda value: (value.real, value.imag))


# g of (g / 2) |grad D|^2; a weight is g / 2.
EIGENVALUES = {
    "minimax": (made("minimax"), pair(0, -1 / 4)),
    "ns": (made("ns"), pair(0, -1 / 4)),
    "wgan": (made("wgan"), pair(0, -1)),
    "R1, g = 0.3": (made("r1", weight=0.15), pair(-0.15, 0.15**2 - 1 / 4)),
    "R1, g = 3": (made("r1", weight=1.5), pair(-1.5, 1.5**2 - 1 / 4)),
    "R1 and R2, g = 0.3": (made("r1_r2", weight=0.15), pair(-0.3, 0.3**2 - 1 / 4)),
    "R3GAN, g = 1": (made("r3gan"), pair(-1, 1 - 1 / 4)),
    "Roth": (made("ns_roth", weight=0.4), pair(-0.2, 0.2**2 - 1 / 4)),
    # x = sigma^2 / 4 on the line with noise.
    "noise": (made("ns_noise", noise=1.2), pair(-(1.2**2) / 4, (1.2**2 / 4) ** 2 - 1 / 4)),
    "noise and R1": (made("r1", weight=0.15, noise=1.2), pair(-0.36 - 0.15, 0.51**2 - 1 / 4)),
    "gradient norm": (made("ns", game="gradient_norm", game_weight=3.0), pair(-3 / 4, 9 / 16 - 1 / 4)),
    "gradient norm, WGAN": (made("wgan", game="gradient_norm", game_weight=0.5), pair(-0.5, 0.25 - 1)),
    "consensus": (made("ns", game="consensus", game_weight=10.0), pair(-10 / 4, -1 / 4)),
    "consensus, WGAN": (made("wgan", game="consensus", game_weight=0.5), pair(-0.5, -1)),
    "simultaneous": (made("minimax", game="simultaneous"), pair(0, -1 / 4)),
}


@pytest.mark.parametrize("name", EIGENVALUES)
def test_eigenvalues_are_those_of_theory(name):
    variant, expected = EIGENVALUES[name]
    matrix = dirac.jacobian(variant)
    np.testing.assert_allclose(eigenvalues(matrix), expected, atol=1e-9)
    np.testing.assert_allclose(dirac.derivative(dirac.field(variant, dirac.differences())), matrix, atol=2e-3)


def test_noise_and_gradient_norm_together():
    # V has the noise too: its derivative by psi is p theta + (sigma^2 / 2) psi.
    variant = made("ns", noise=1.2, game="gradient_norm", game_weight=2.0)
    found = dirac.derivative(dirac.field(variant, dirac.differences()))
    np.testing.assert_allclose(found, dirac.jacobian(variant), atol=5e-3)


def test_consensus_with_a_penalty():
    variant = made("r1", weight=0.3, game="consensus", game_weight=2.0)
    found = dirac.derivative(dirac.field(variant, dirac.differences()))
    np.testing.assert_allclose(found, dirac.jacobian(variant), atol=2e-3)


@pytest.mark.parametrize("name", ["wgan_gp", "gan_gp", "dragan", "dragan_ns"])
def test_norm_one_has_no_equilibrium(name):
    variant = made(name, weight=WEIGHT)
    assert dirac.jacobian(variant) is None
    # Where theta is right, psi is pushed away from 0, at both sides.
    found = dirac.field(variant, [(0.0, 1e-3), (0.0, -1e-3)])[:, 1]
    np.testing.assert_allclose(found, [2 * WEIGHT, -2 * WEIGHT], rtol=2e-3)


H = 0.2


def path(variant, steps, *, simultaneous, start=(1.0, 1.0)):
    return dirac.DiracGAN(variant, 1).path([start], steps, simultaneous=simultaneous)[:, 0]


@pytest.mark.parametrize("simultaneous", [True, False])
@pytest.mark.parametrize("name", ["minimax", "r1"])
def test_paths_are_numpys(name, simultaneous):
    variant = made(name, weight=WEIGHT, rate=H)
    theta, psi = 1.0, 1.0
    expected = [(theta, psi)]
    for _ in range(30):
        penalties = sum(PENALTY[each.name](theta, psi) for each in variant.penalties)
        new = psi + H * (logistic(theta, psi) + penalties)
        theta += H * GENERATOR[variant.loss.name](theta, psi if simultaneous else new)
        psi = new
        expected.append((theta, psi))
    np.testing.assert_allclose(path(variant, 30, simultaneous=simultaneous), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "optimistic_adam"])
def test_simultaneous_steps_are_those_of_the_game(optimizer):
    variant = made("r1", weight=0.3, rate=H)
    changed = {
        f"{player}_optimizer": config.Optimizer(name=optimizer, learning_rate=H)
        for player in ("generator", "discriminator")
    }
    variant = complete_variant(variant.replace(**changed))
    game = variant.replace(game=config.Game(name="simultaneous"))
    plain = path(variant, 20, simultaneous=True)
    np.testing.assert_allclose(path(game, 20, simultaneous=False), plain, rtol=1e-5, atol=1e-6)
    assert np.abs(path(variant, 20, simultaneous=False) - plain).max() > 0.01


def test_simultaneous_steps_spiral_out_and_alternating_ones_stay():
    distances = [
        np.linalg.norm(path(made("minimax", rate=H), 500, simultaneous=each), axis=1) for each in (True, False)
    ]
    # Every simultaneous step is longer than the circle: |v| h at a right angle.
    assert (np.diff(distances[0]) > -1e-6).all()
    assert distances[0][-1] > 2 * distances[0][0]
    assert (distances[1] / distances[1][0]).min() > 0.9
    assert (distances[1] / distances[1][0]).max() < 1.05


def test_non_saturating_game_turns_inwards_in_third_order():
    # The flow changes r^2 / 2 by -theta psi tanh(theta psi / 2), in the mean of a turn -r^4 / 16; a simultaneous step
    # adds |h v|^2 / 2 = h^2 r^2 / 8. Both are equal at r^2 = 2 h, whatever the start.
    starts = [(1.0, 1.0), (0.2, 0.2)]
    block = dirac.DiracGAN(made("ns", rate=H), 2)
    radii = np.linalg.norm(block.path(starts, 700, simultaneous=True)[-60:], axis=2).mean(axis=0)
    np.testing.assert_allclose(radii, math.sqrt(2 * H), rtol=0.04)
    # Alternating steps have only the loss: 1 / r^2 grows by h / 8 in a step.
    radii = np.linalg.norm(block.path(starts, 500, simultaneous=False)[[440, 500], 0], axis=1)
    assert 1 / radii[1] ** 2 - 1 / radii[0] ** 2 == pytest.approx(60 * H / 8, rel=0.25)


def test_two_rates_do_not_damp():
    turn = dirac.jacobian(made("ns"))
    for generator, discriminator in ((0.2, 0.2), (0.02, 0.2), (0.3, 0.001)):
        base = made("ns")
        rates = {
            "generator_optimizer": config.Optimizer(name="sgd", learning_rate=generator),
            "discriminator_optimizer": config.Optimizer(name="sgd", learning_rate=discriminator),
        }
        variant = base.replace(**rates)
        # The flow has ± (i / 2) sqrt(h_D h_G): steps have |1 + that|, or 1 if they alternate.
        together = dirac.factor(turn, variant, simultaneous=True)
        assert together == pytest.approx(math.sqrt(1 + generator * discriminator / 4), rel=1e-9)
        assert dirac.factor(turn, variant, simultaneous=False) == pytest.approx(1, abs=1e-9)
    distances = np.linalg.norm(path(variant, 200, simultaneous=False, start=(0.01, 0.0)), axis=1)
    # An ellipse: sqrt(h_D / h_G) times as wide in psi, and never nearer than its short axis.
    assert distances.max() < 0.0101


def test_factor_of_optimism_is_the_larger_root():
    turn = dirac.jacobian(made("wgan"))
    optimistic = config.Optimizer(name="optimistic", learning_rate=H)
    variant = made("wgan").replace(generator_optimizer=optimistic, discriminator_optimizer=optimistic)
    # mu^2 - (1 + 2 h lambda) mu + h lambda = 0, lambda = i
    expected = np.abs(np.roots([1, -(1 + 2j * H), 1j * H])).max()
    assert expected < 1
    assert dirac.factor(turn, variant, simultaneous=True) == pytest.approx(expected, rel=1e-9)
    distances = np.linalg.norm(path(variant, 400, simultaneous=True, start=(0.01, 0.01)), axis=1)
    assert dirac.measured_factor(distances) == pytest.approx(expected, abs=1e-4)
    adam = config.Optimizer(name="adam", learning_rate=H)
    assert dirac.factor(turn, variant.replace(generator_optimizer=adam), simultaneous=True) is None


@pytest.mark.parametrize(("name", "simultaneous"), [("minimax", False), ("r1", True), ("r3gan", False)])
def test_factor_is_that_of_a_path(name, simultaneous):
    variant = made(name, weight=0.15, rate=H) if name == "r1" else made(name, rate=H)
    distances = np.linalg.norm(path(variant, 300, simultaneous=simultaneous, start=(0.01, 0.01)), axis=1)
    expected = dirac.factor(dirac.jacobian(variant), variant, simultaneous=simultaneous)
    assert dirac.measured_factor(distances) == pytest.approx(expected, abs=1e-3)


def test_factor_of_several_discriminator_updates():
    # psi halves its distance to 0 twice: (1 - h g)^2, when theta has no effect.
    variant = made("ns", rate=0.5).replace(discriminator_steps=2)
    matrix = np.array([[0.0, 0.0], [0.0, -1.0]])
    assert dirac.factor(matrix, variant, simultaneous=False) == pytest.approx(1.0)
    matrix[0, 0] = -1.9
    assert dirac.factor(matrix, variant, simultaneous=False) == pytest.approx(0.25)


def test_short_paths_have_no_factor():
    assert dirac.measured_factor(np.full(9, 0.01)) is None
    assert dirac.measured_factor(np.array([0.01] * 5 + [np.nan] * 20)) is None


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (BY_NAME["hinge_sn"], "figure.variant: 'hinge_sn' divides D by its slope"),
        (BY_NAME["r3gan"].replace(instance_noise=config.InstanceNoise(scale=1.0)), "compares pairs"),
    ],
)
def test_what_is_no_dirac_gan_is_refused(variant, message):
    with pytest.raises(errors.InputError, match=message):
        dirac.DiracGAN(dirac.with_sgd(variant), 1)
