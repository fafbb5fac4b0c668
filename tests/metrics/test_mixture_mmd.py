"""The MMD^2 to a mixture of Gaussians: against quadrature and samples, and of a run of linear generators."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from tfpaths import config, data, experiments, schema
from tfpaths.games.mix import Mix
from tfpaths.gan import GAN
from tfpaths.metrics import METRICS, Context, mixture_mmd, mmd, sources
from tfpaths.networks import linear, mixture
from tfpaths.runs import build, training


def random_law(seed, components, dimensions=2, rank=2):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(components, dimensions, rank))
    return rng.dirichlet(np.ones(components)), rng.normal(size=(components, dimensions)), factors @ factors.mT


def draw(law, num, seed):
    rng = np.random.default_rng(seed)
    weights, means, covariances = law
    chosen = rng.choice(len(weights), size=num, p=weights)
    noise = [rng.multivariate_normal(np.zeros(2), covariance, size=num) for covariance in covariances]
    return means[chosen] + np.stack(noise)[chosen, np.arange(num)]


def test_expected_kernel_equals_quadrature():
    # On a line, d = 1: k(x, y) = exp(-(x - y)^2), integrated over both.
    law = random_law(0, 2, dimensions=1, rank=1), random_law(1, 3, dimensions=1, rank=1)

    def density(law, x):
        return sum(w * scipy.stats.norm.pdf(x, m[0], c[0, 0] ** 0.5) for w, m, c in zip(*law, strict=True))

    x = np.linspace(-25, 25, 6001)
    kernel = np.exp(-((x[:, None] - x) ** 2))
    inner = scipy.integrate.simpson(kernel * density(law[1], x), x=x, axis=1)
    expected = scipy.integrate.simpson(inner * density(law[0], x), x=x)
    assert mixture_mmd.expected_kernel(*law) == pytest.approx(expected, rel=1e-5)


def test_mmd2_equals_that_of_many_samples():
    # Singular covariances, as those of lines. The biased estimate is 2 (1 - E k) / n too high.
    first, second = random_law(2, 3, rank=1), random_law(3, 2, rank=1)
    estimate = mmd.mmd2(draw(first, 6000, 0), draw(second, 6000, 1))
    assert mixture_mmd.mixture_mmd2(first, second) == pytest.approx(estimate, rel=0.05)
    assert mixture_mmd.mixture_mmd2(first, first) == 0
    # Components may be split or in another order.
    weights, means, covariances = first
    parts = [0, 1, 2, 2]
    split = weights[parts] * [1, 1, 0.5, 0.5], means[parts], covariances[parts]
    assert mixture_mmd.mixture_mmd2(first, split) == pytest.approx(0, abs=1e-12)


def test_points_are_gaussians_without_width():
    points, others = np.random.default_rng(0).normal(size=(2, 50, 2))
    laws = [(np.full(50, 1 / 50), values, np.zeros([1, 2, 2])) for values in (points, others)]
    assert mixture_mmd.expected_kernel(*laws) == pytest.approx(mmd.mean_kernel(points, others), rel=1e-10)


@pytest.fixture(scope="module")
def context():
    return Context(config.Data(name="mixline", examples=3000), config.Evaluation(samples=3000))


def test_real_points_are_near_their_law(context):
    metric = METRICS["mixture_mmd"]()
    value = metric.compute(context, sources.real(context.real))["mixture_mmd2"]
    law = context.data.law()
    # E of the biased estimate: (1 - E k) / n.
    expected = (1 - mixture_mmd.expected_kernel(law, law)) / 3000
    assert 0 < value < 4 * expected


def test_protocol_says_how_the_value_was_computed(context):
    metric = METRICS["mixture_mmd"]()
    samples = sources.real(context.real)
    metric.compute(context, samples, 50)
    kernel = "kernel exp(-(|x - y| / d)^2)"
    assert metric.protocol(context) == {"mixture_mmd": f"{kernel}, a biased estimate from 50 samples"}
    metric.compute(context, dataclasses.replace(samples, law=context.data.law))
    assert metric.protocol(context) == {"mixture_mmd": f"{kernel}, exact"}


def test_data_have_their_law(context):
    weights, means, covariances = context.data.law()
    points = data.load("mixline").take(np.arange(30_000)).numpy().astype(np.float64)
    expected = weights @ means
    np.testing.assert_allclose(points.mean(axis=0), expected, atol=0.03)
    second = np.einsum("k,kij->ij", weights, covariances + means[:, :, None] * means[:, None])
    np.testing.assert_allclose(points.T @ points / len(points), second, atol=0.05)
    # Every point is on a line: its component along m_k, for some k, is the radius.
    assert np.abs(points @ (means / 2).T - 2).min(axis=1).max() < 1e-5
    with_other = data.load("mixline", lines=5, radius=3.0, spread=0.1, examples=100).take(np.arange(100)).numpy()
    assert np.abs(np.linalg.norm(with_other, axis=1) - 3.0).max() < 0.1


SMALL = {
    "networks.width": "8",
    "data.examples": "400",
    "schedule.steps": "4",
    "schedule.batch_size": "8",
    "schedule.log_every": "4",
    "schedule.sample_every": "4",
    "schedule.checkpoint_every": "4",
    "evaluation.every": "2",
    "evaluation.metrics": "mixture_mmd",
}


def test_run_has_the_exact_value_in_its_rows(tmp_path):
    value = schema.override(experiments.get("mixline_mix_ns"), SMALL)
    training.train(value, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "mixture_mmd2" in row]
    assert [row["step"] for row in rows] == [2, 4]
    protocol = json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]
    assert protocol["mixture_mmd"].endswith(", exact")
    import tfpaths

    trained = tfpaths.load(tmp_path / "run")
    network = trained.gan.generator
    # By hand: c, S S^T and the weights.
    alpha = mixture.weighted(network).alpha.numpy().astype(np.float64)
    pairs = [one.get_weights() for one in mixture.members(network)]
    law = (
        np.exp(alpha) / np.exp(alpha).sum(),
        np.stack([c for _, c in pairs]).astype(np.float64),
        np.stack([s.T.astype(np.float64) @ s for s, _ in pairs]),
    )
    expected = mixture_mmd.mixture_mmd2(law, data.get("mixline")().law())
    assert rows[-1]["mixture_mmd2"] == pytest.approx(expected, rel=1e-5)
    # It is what the samples have, nearly.
    samples = trained.sample(4000, seed=1).astype(np.float64)
    estimate = mmd.mmd2(samples, draw(data.get("mixline")().law(), 4000, 0))
    assert expected == pytest.approx(estimate, abs=0.01)


def test_other_generators_have_no_law():
    network = build.build(experiments.get("mog_ns"), (2,)).generator
    assert linear.law(network) is None


def test_control_has_three_times_the_parameters():
    from tfpaths import networks

    counts = []
    for name in ("mixline_ns", "mixline_ns_wide"):
        value = build.complete(experiments.get(name))
        counts.append([one.count_params() for one in networks.build(value.networks, (2,))])
    assert counts[0] == [4, 4417]
    np.testing.assert_allclose(np.divide(*counts[::-1]), 3, rtol=0.01)


@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"use_bias": False}])
def test_another_dense_layer_has_no_known_law(options):
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, **options)])
    assert linear.law(network) is None


def test_a_game_with_other_samples_has_no_known_law():
    class Shifted(GAN):
        def generate(self, latents, training=False):
            return super().generate(latents, training) + 1.0

    family = linear.Linear(latent_dim=1, width=4, depth=1)
    plain, shifted = (cls.of_family(family, (2,), loss="non_saturating") for cls in (GAN, Shifted))
    assert plain.sampled_network is plain.generator
    assert shifted.sampled_network is None


def test_a_single_member_has_its_own_law():
    mixed = Mix.of_family(linear.Linear(latent_dim=1, width=4, depth=1), (2,), loss="non_saturating", size=2)
    mixed.sample_from(1)
    weights, means, _ = linear.law(mixed.sampled_network)
    assert (weights.tolist(), means.shape) == ([1.0], (1, 2))
