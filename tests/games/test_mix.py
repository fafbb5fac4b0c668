"""MIX+GAN: the step by hand, the weights' oracles, samples of the mixture, T = 1, runs, exports and refusals."""

import json
import shutil

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import tensorflow as tf
from helpers import assert_same_run, constant_generator, launch_here, linear, refused, toy
from scipy.special import expit, softmax

import tfpaths
from tfpaths import config, errors, experiments, losses, penalties, schema, streams
from tfpaths.games.mix import Mix, alpha_gradient
from tfpaths.gan import GAN
from tfpaths.networks import mixture
from tfpaths.runs import build, exporting, training

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
# The latents of the two generators.
Z = np.array([[[0.3], [-0.8], [1.1], [0.6]], [[-0.2], [0.9], [1.4], [-1.3]]], np.float32)
EXACT, EXACT_Z = REAL[:, 0].astype(np.float64), Z[..., 0].astype(np.float64)
# The parameters of G_i(z) = g_i z and D_j(x) = d_j x, and the logarithms of the weights.
G, D, ALPHA, BETA = np.array([0.7, -0.4]), np.array([0.9, 1.6]), np.array([0.2, -0.5]), np.array([-0.3, 0.4])
RATE, ALPHA_RATE, H, R1 = 0.1, 0.3, 0.2, 0.5


class Fixed(Mix):
    """Every update has the latents Z."""

    def update_latents(self, real, stream):
        return tf.constant(Z)


def players(cls=Mix, generators=None, discriminators=None, optimizer=keras.optimizers.SGD, **options):
    generators = generators or [linear([g]) for g in G]
    discriminators = discriminators or [linear([d]) for d in D]
    arguments = {"loss": "non_saturating", "size": len(generators), "entropy_weight": H, **options}
    gan = cls(mixture.generator(generators), mixture.discriminator(discriminators), **arguments)
    gan.compile(generator_optimizer=optimizer(RATE), discriminator_optimizer=optimizer(RATE))
    return gan


def alphas(gan):
    return [mixture.weighted(network).alpha for network in (gan.generator, gan.discriminator)]


def parameters(gan):
    """g, d, alpha, beta."""
    members = [mixture.members(network) for network in (gan.generator, gan.discriminator)]
    networks = [np.array([np.ravel(one.get_weights()[0])[0] for one in side]) for side in members]
    return [*networks, *(alpha.numpy() for alpha in alphas(gan))]


def of_alpha(weights, values):
    """The gradient of sum_k w_k l_k + H R(w) by alpha, through the Jacobian of softmax, w_k (1_kl - w_l)."""
    jacobian = np.diag(weights) - np.outer(weights, weights)
    return jacobian @ (values - H / (len(weights) * weights))


def softplus(x):
    return np.logaddexp(0, x)


def derived(g, d, alpha, beta):
    """The parameters after one step of both sides, with D answered by G; the losses of the step."""
    w, v = softmax(alpha), softmax(beta)
    fake = g[:, None] * EXACT_Z  # [generators, batch]
    of_pairs = np.array([[(softplus(-b * EXACT) + softplus(b * one)).mean() for one in fake] for b in d])
    slopes = R1 * d**2
    by_d = [(-EXACT * expit(-b * EXACT)).mean() + w @ (fake * expit(b * fake)).mean(axis=1) + 2 * R1 * b for b in d]
    reported = {"discriminator_loss": v @ of_pairs @ w, "penalty": v @ slopes}
    new_d = d - RATE * v * by_d
    new_beta = beta - ALPHA_RATE * of_alpha(v, of_pairs @ w + slopes)
    v = softmax(new_beta)
    logits = new_d[None, :, None] * fake[:, None]  # [generators, discriminators, batch]
    of_generators = softplus(-logits).mean(axis=2) @ v
    by_g = (-EXACT_Z[:, None] * expit(-logits)).mean(axis=2) @ (v * new_d)
    reported["generator_loss"] = w @ of_generators
    return g - RATE * w * by_g, new_d, alpha - ALPHA_RATE * of_alpha(w, of_generators), new_beta, reported


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_step_equals_the_derivation(jit_compile):
    gan = players(Fixed, penalty=penalties.R1Penalty(weight=R1), alpha_rate=ALPHA_RATE)
    for variable, value in zip(alphas(gan), (ALPHA, BETA), strict=True):
        variable.assign(value)
    step = tf.function(gan.train_step, jit_compile=jit_compile, autograph=False)
    reported = step(tf.constant(REAL))
    *expected, values = derived(G, D, ALPHA, BETA)
    for after, value in zip(parameters(gan), expected, strict=True):
        np.testing.assert_allclose(after, value, rtol=2e-5)
    for name, value in values.items():
        np.testing.assert_allclose(reported[name], value, rtol=1e-5)
    # The weights of the generators are those that the step began with; the discriminators' too.
    for side, alpha in (("generator", ALPHA), ("discriminator", BETA)):
        weights = softmax(alpha)
        np.testing.assert_allclose([reported[f"{side}_weight_{k}"] for k in (0, 1)], weights, rtol=1e-6)
        np.testing.assert_allclose(reported[f"{side}_entropy"], scipy.stats.entropy(weights), rtol=1e-5)
    assert list(reported) == list(gan.reported)


def test_relative_loss_by_hand():
    # E softplus(D(G(z)) - D(x)), paired by position, is linear in the generated examples too.
    gan = players(Fixed, loss="relativistic", alpha_rate=0.0)
    loss, _ = gan.discriminator_losses(tf.constant(REAL), G[:, None, None].astype(np.float32) * Z, gan.stream)
    pairs = [[softplus(d * (g * z - EXACT)).mean() for g, z in zip(G, EXACT_Z, strict=True)] for d in D]
    np.testing.assert_allclose(loss, np.mean(pairs), rtol=1e-6)
    generated = gan.generator_loss(tf.constant(REAL), G[:, None, None].astype(np.float32) * Z, gan.stream)
    pairs = [[softplus(d * (EXACT - g * z)).mean() for g, z in zip(G, EXACT_Z, strict=True)] for d in D]
    np.testing.assert_allclose(generated, np.mean(pairs), rtol=1e-6)


def test_alpha_gradient_equals_finite_differences():
    alpha, values, h = np.array([0.3, -1.0, 0.8]), np.array([2.0, -0.5, 1.0]), 0.7

    def objective(alpha):
        w = softmax(alpha)
        return w @ values - h * np.mean(np.log(w))

    expected = scipy.optimize.approx_fprime(alpha, objective, 1e-7)
    weights = tf.constant(softmax(alpha), tf.float32)
    np.testing.assert_allclose(alpha_gradient(weights, tf.constant(values, tf.float32), h), expected, rtol=1e-4)
    # Of the entropy term alone: w_k - 1/T.
    np.testing.assert_allclose(alpha_gradient(weights, tf.zeros(3), 1.0), softmax(alpha) - 1 / 3, rtol=1e-6)
    # The losses' part adds up to 0: alpha and alpha + constant are the same weights.
    np.testing.assert_allclose(tf.reduce_sum(alpha_gradient(weights, tf.constant(values, tf.float32), h)), 0, atol=1e-6)


def test_weights_of_fixed_losses_are_stationary():
    values, h = np.array([0.2, 0.5, 0.1]), 0.3

    def stationary(w):
        return w * (values - w @ values) + h * (w - 1 / 3)

    alpha = tf.Variable(np.zeros(3), dtype=tf.float32)
    for _ in range(600):
        weights = tf.nn.softmax(alpha)
        alpha.assign_sub(0.5 * alpha_gradient(weights, tf.constant(values, tf.float32), h))
    w = tf.nn.softmax(alpha).numpy().astype(np.float64)
    np.testing.assert_allclose(stationary(w), 0, atol=1e-6)
    # The smaller the loss, the larger the weight.
    assert w[2] > w[0] > w[1] > 0.05
    # An oracle that does not know the gradient: the minimum over the simplex.
    best = scipy.optimize.minimize(
        lambda alpha: softmax(alpha) @ values - h * np.mean(np.log(softmax(alpha))), np.zeros(3), tol=1e-12
    )
    np.testing.assert_allclose(w, softmax(best.x), atol=1e-4)


ALONE = {
    "color_mnist_dragan_ns": {"networks.generator_filters": "4", "networks.discriminator_filters": "4"},
    "eight_gaussians_wgan_gp": {"networks.width": "8", "variant.discriminator_steps": "2"},
    "eight_gaussians_ns_noise": {"networks.width": "8", "networks.ema": "0.9"},
}


@pytest.mark.parametrize("name", ALONE)
def test_single_pair_is_the_game_without_mix(name):
    base = schema.override(experiments.get(name), ALONE[name])
    shape = (28, 28, 3) if "mnist" in name else (2,)
    batches = tf.random.stateless_uniform((6, 8, *shape), [0, 1], -1.0, 1.0)
    samples, weights, rows = [], [], []
    for texts in ({}, {"variant.game": "mix", "variant.game.size": "1"}):
        gan = build.build(schema.override(base, texts), shape)
        rows.append(gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0).history)
        samples.append(gan.sample(5, seed=3))
        weights.append([v.numpy() for part in ("generator", "discriminator") for v in gan.networks[part].variables])
    assert type(gan) is Mix
    np.testing.assert_array_equal(*samples)
    mixed = [value for value in weights[1] if value.shape != (1,) or value != 0]
    plain = [value for value in weights[0] if value.shape != (1,) or value != 0]
    assert len(mixed) == len(plain)
    for one, other in zip(plain, mixed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {key: rows[1][key] for key in rows[0]} == rows[0]
    assert set(rows[1]["generator_entropy"]) == {0.0}


VALUES = (7.0, 8.0, 9.0)
SHARES = np.array([0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def constants():
    gan = players(
        generators=[constant_generator(value) for value in VALUES], discriminators=[linear([1.0]) for _ in VALUES]
    )
    alphas(gan)[0].assign(np.log(SHARES))
    return gan


def counts(samples):
    return [int((np.abs(samples - value) < 1e-5).sum()) for value in VALUES]


def test_samples_have_the_weights_as_shares(constants):
    num = 20_000
    for samples in (constants.sample(num, seed=1), constants.draw(num, streams.root(3))):
        observed = counts(samples.numpy())
        assert sum(observed) == num
        assert scipy.stats.chisquare(observed, num * SHARES).pvalue > 1e-3
        # Equal weights, or those in another order, are refused.
        assert scipy.stats.chisquare(observed, num * SHARES[[1, 0, 2]]).pvalue < 1e-9
    # The examples of the penalties.
    examples = tf.constant(VALUES)[:, tf.newaxis, tf.newaxis] * tf.ones([3, num, 1])
    mixed = constants._mixed(examples, tf.constant(SHARES, tf.float32), streams.root(0))
    assert mixed.shape == (num, 1)
    assert scipy.stats.chisquare(counts(mixed.numpy()), num * SHARES).pvalue > 1e-3


def test_sample_is_a_function_of_its_latent(constants):
    z = constants.sample_latents(9, seed=4)
    assert z.shape == (9, 2)
    samples = constants.generate(z).numpy()
    for order in (np.arange(9)[::-1], np.array([3, 1, 8])):
        np.testing.assert_array_equal(constants.generate(tf.gather(z, order)), samples[order])
    parts = [constants.sample_latents(4, seed=4), constants.sample_latents(5, seed=4, first=4)]
    np.testing.assert_array_equal(np.concatenate(parts), z)
    compiled = tf.function(constants.generate, input_signature=[tf.TensorSpec([None, 2])], autograph=False)
    np.testing.assert_array_equal(compiled(z), samples)


def test_one_generator_can_be_sampled():
    gan = players(
        generators=[constant_generator(value) for value in VALUES], discriminators=[linear([1.0]) for _ in VALUES]
    )
    alphas(gan)[0].assign([50.0, 0.0, 0.0])
    gan.sample_from(2)
    assert gan.latent_shape == (1,)
    assert counts(gan.sample(10).numpy()) == [0, 0, 10]
    for wrong in (3, -1):
        with pytest.raises(errors.InputError, match=f"--member: expected a number from 0 to 2, received {wrong}"):
            gan.sample_from(wrong)


def test_discriminator_is_the_weighted_mean():
    gan = players()
    alphas(gan)[1].assign(BETA)
    expected = softmax(BETA) @ D * REAL
    np.testing.assert_allclose(gan.discriminator(tf.constant(REAL), training=False), expected, rtol=1e-6)


def test_refinement_reaches_generators_without_samples():
    # With all weight on one generator, the others get no latents; a convolution of none has no derivative.
    value = schema.override(toy("color_mnist_mix_ns"), {"networks.generator_filters": "2"})
    gan = build.build(value, (28, 28, 3))
    alphas(gan)[0].assign([50.0, 0.0, 0.0])
    assert np.isfinite(gan.refined(gan.sample_latents(3), 2)).all()


def test_players_start_apart():
    gan = build.build(schema.override(experiments.get("eight_gaussians_mix_ns"), {"networks.width": "8"}), (2,))
    first = [one.get_weights()[0] for side in (gan.generator, gan.discriminator) for one in mixture.members(side)]
    assert len({kernel.tobytes() for kernel in first}) == 6
    narrow = schema.override(experiments.get("eight_gaussians_mix_ns"), {"networks.width": "8", "seed": "1"})
    others = mixture.members(build.build(narrow, (2,)).generator)
    assert all(not np.array_equal(other.get_weights()[0], kernel) for other, kernel in zip(others, first, strict=False))


def test_logits_of_a_generator_do_not_depend_on_the_others():
    # BatchNorm in D: one call for the examples of both generators would mix their statistics.
    discriminators = [
        keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        for _ in range(2)
    ]
    gan = players(discriminators=discriminators)
    one, other, third = (
        tf.constant(np.random.default_rng(seed).normal(seed, 1, (8, 1)), tf.float32) for seed in range(3)
    )
    (first, _), (same, _) = (gan._logits(discriminators[0], [one, second])[0] for second in (other, third))
    np.testing.assert_array_equal(first, same)


def test_two_replicas_equal_one_device(two_replicas):
    batches = np.random.default_rng(1).normal(size=(3, 8, 1)).astype(np.float32)
    batches[:, 4:] += 3.0  # The second replica's half.

    def trained():
        generators = [constant_generator(value) for value in (0.5, -1.0)]
        gan = players(generators=generators, penalty=penalties.R1Penalty(weight=R1), alpha_rate=ALPHA_RATE)
        alphas(gan)[1].assign(BETA)
        history = gan.fit(tf.data.Dataset.from_tensor_slices(batches), verbose=0).history
        return parameters(gan), history

    alone, rows = trained()
    with two_replicas.scope():
        together, rows_together = trained()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5)
    assert rows.keys() == rows_together.keys()
    for name in rows:
        np.testing.assert_allclose(rows_together[name], rows[name], rtol=1e-5)
    assert abs(alone[2]).min() > 1e-3


def test_saved_game_is_the_same(tmp_path):
    gan = players(alpha_rate=0.25, optimizer=keras.optimizers.Adam)
    gan.train_step(tf.constant(REAL))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (type(loaded), loaded.size, loaded.entropy_weight, loaded.alpha_rate) == (Mix, 2, H, 0.25)
    assert float(loaded.generator_alpha_optimizer.learning_rate) == 0.25
    for one in (gan, loaded):
        one.train_step(tf.constant(REAL))
    for one, other in zip(parameters(gan), parameters(loaded), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rate_of_zero_keeps_equal_weights():
    gan = players(alpha_rate=0.0, optimizer=keras.optimizers.Adam)
    gan.train_step(tf.constant(REAL))
    for alpha in alphas(gan):
        np.testing.assert_array_equal(alpha, [0.0, 0.0])
    # Otherwise the rate is the player's own.
    gan = players(optimizer=keras.optimizers.Adam)
    gan.train_step(tf.constant(REAL))
    np.testing.assert_allclose(np.abs(alphas(gan)[0]), RATE, rtol=1e-3)


def test_loss_scaling_leaves_alpha_alone():
    def scaled(rate):
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate))

    gans = [players(Fixed, optimizer=optimizer) for optimizer in (scaled, keras.optimizers.SGD)]
    for gan in gans:
        gan.train_step(tf.constant(REAL))
    for one, other in zip(*map(parameters, gans), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_weights_are_not_clipped():
    gan = players(loss="wasserstein", weight_clip=0.01, alpha_rate=1.0)
    alphas(gan)[1].assign(BETA)
    gan.train_step(tf.constant(REAL))
    assert np.abs(gan.discriminator.trainable_variables).max() <= 0.01
    assert np.abs(alphas(gan)[1]).min() > 0.1


SMALL = {
    "networks.width": "8",
    "networks.ema": "0.9",
    "variant.game.size": "2",
    "data.examples": "400",
    "schedule.batch_size": "8",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "schedule.checkpoint_every": "2",
    "evaluation.metrics": "none",
}


def test_resumed_run_is_exact(tmp_path):
    def train(steps, path):
        value = schema.override(
            experiments.get("eight_gaussians_mix_dragan_ns"), SMALL | {"schedule.steps": str(steps)}
        )
        training.train(value, tmp_path / path)

    train(4, "whole")
    train(2, "resumed")
    train(4, "resumed")
    assert_same_run(tmp_path / "whole", tmp_path / "resumed")


@pytest.fixture(scope="module")
def run(made_once):
    """The directory of a run on images, and of its export."""

    def make(path):
        training.train(toy("color_mnist_mix_ns"), path)
        exporting.export(path)

    return made_once("mix", make)


def test_rows_have_the_weights(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for side in ("generator", "discriminator"):
        weights = np.array([[row[f"{side}_weight_{k}"] for k in range(3)] for row in rows])
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(weights[0], 1 / 3, rtol=1e-6)
        assert np.ptp(weights[-1]) > 1e-4
        np.testing.assert_allclose([row[f"{side}_entropy"] for row in rows], scipy.stats.entropy(weights.T), rtol=1e-5)


def test_report_shows_the_weights(run, tmp_path):
    page = tfpaths.report(str(run), str(tmp_path / "report.html")).read_text()
    for words in ("generator weight 0", "discriminator weight 2", "generator entropy"):
        assert f"{words} by step, to step 4" in page


def test_export_samples_the_mixture(run):
    trained = tfpaths.load(run)
    names = {path.name for path in (run / "export").glob("*.keras")}
    assert names == {f"{side}_{k}.keras" for side in ("generator", "discriminator") for k in range(3)}
    model = tf.saved_model.load(str(run / "export"))
    images = model.sample(num_samples=tf.constant(12), seed=tf.constant(3))["images"]
    np.testing.assert_allclose(images, trained.sample(12, seed=3), atol=1e-5)
    # Each sample is that of its generator, by Keras alone.
    z = trained.latents(12, seed=3)
    chosen = mixture.choose(0.5 * tf.math.erfc(z[:, -1] / -(2**0.5)), trained.gan.weights_of(trained.gan.generator))
    assert set(chosen.numpy()) == {0, 1, 2}
    generators = [keras.models.load_model(run / "export" / f"generator_{k}.keras") for k in range(3)]
    of_each = np.stack([one(z[:, :-1], training=False) for one in generators])
    np.testing.assert_allclose(images, of_each[chosen, np.arange(12)], atol=1e-5)


def arrays(source, path, *flags):
    done = launch_here("--mode=sample", f"--workdir={source}", "--num_samples=6", "--seed=3", f"--out={path}", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    with np.load(path) as stored:
        return stored["images"].astype(np.float64), stored["latents"]


def test_one_generator_can_be_sampled_and_exported(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    images, latents = arrays(copy, tmp_path / "own.npz", "--member=1")
    generator = mixture.members(tfpaths.load(copy).gan.generator)[1]
    np.testing.assert_allclose(images, np.round((generator(latents, training=False) + 1) * 127.5), atol=1)
    done = launch_here("--mode=export", f"--workdir={copy}", "--member=1")
    assert done.returncode == 0, done.stderr
    assert json.loads((copy / "export" / "assets" / "metadata.json").read_text())["member"] == 1
    of_export, same = arrays(copy / "export", tmp_path / "exported.npz")
    np.testing.assert_array_equal(same, latents)
    np.testing.assert_allclose(of_export, images, atol=1)
    assert arrays(copy, tmp_path / "all.npz")[1].shape == (6, latents.shape[1] + 1)


@pytest.mark.parametrize("mode", ["sample", "export"])
def test_generator_that_does_not_exist_is_one_line(mode, run, tiny_run, tmp_path):
    out = [f"--out={tmp_path / 'a.npz'}"] if mode == "sample" else []

    def line(directory, member):
        return refused(launch_here(f"--mode={mode}", f"--workdir={directory}", f"--member={member}", *out))

    assert line(run, 3) == "tfpaths: --member: expected a number from 0 to 2, received 3."
    assert line(run, -1).startswith("tfpaths: --member: expected an integer from 0 to")
    expected = "--member: only a run of a game such as 'mix' has several generators, which can be chosen by number."
    assert line(tiny_run, 0) == f"tfpaths: {expected}"
    if mode == "sample":
        assert line(run / "export", 0).startswith("tfpaths: --member: it works with a run directory, received ")
    assert not (tmp_path / "a.npz").exists()
    assert not (tiny_run / "export").exists()


@pytest.mark.parametrize(
    ("exp", "flags", "line"),
    [
        ("eight_gaussians_mix_ns", ["size=0"], "variant.game.size: expected a number above zero, received 0"),
        ("eight_gaussians_mix_ns", ["sizes=2"], "variant.game.sizes: 'mix' has no option 'sizes'; did you mean 'size'"),
        ("eight_gaussians_mix_ns", ["entropy_weight=-1"], "variant.game.entropy_weight: expected a number of at least"),
        ("eight_gaussians_mix_ns", ["alpha_rate=-1"], "variant.game.alpha_rate: expected a number of at least zero"),
        ("eight_gaussians_kl_wgan", [], "variant.loss: 'kl_wasserstein' compares the examples of a batch with each"),
        ("line1_ns", [], "variant.game: 'mix' cannot be combined with a study, whose runs are one ensemble."),
    ],
)
def test_invalid_configs_are_one_line(exp, flags, line, tmp_path):
    chosen = ["--set=variant.game=mix", *(f"--set=variant.game.{flag}" for flag in flags)]
    done = launch_here(f"--exp={exp}", *chosen, f"--workdir={tmp_path / 'run'}")
    assert refused(done).startswith(f"tfpaths: {line}"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_networks_must_be_mixtures():
    with pytest.raises(ValueError, match="generator: expected a mixture of 3 members"):
        Mix(linear([1.0]), linear([1.0]), loss="minimax")
    with pytest.raises(ValueError, match="generator: expected a mixture of 3 members"):
        players(size=3)
    with pytest.raises(ValueError, match="the game 'mix' has no ensembles"):
        players(runs=2)
    with pytest.raises(ValueError, match="generator: expected members of one shape"):
        mixture.generator([linear([1.0]), linear([1.0, 2.0])])
    with pytest.raises(ValueError, match="discriminator: expected members of one shape"):
        mixture.discriminator([])


def test_only_a_ratio_of_the_batch_is_not_linear():
    assert [name for name in losses.LOSSES if not losses.get(name).is_linear] == ["kl_wasserstein"]
    assert GAN.has_ensembles


@pytest.mark.parametrize("variant", ["ns", "wgan_gp", "dragan_ns"])
def test_config_round_trip(variant):
    value = build.complete(experiments.get(f"cifar10_mix_{variant}"))
    assert value.variant.game.options == {"size": 3, "entropy_weight": 0.1}
    assert config.from_dict(schema.to_dict(value)) == value
    # Nothing but the game is another one.
    base = build.complete(experiments.get(f"cifar10_{variant}"))
    game, name = base.variant.game, base.variant.name
    assert value.replace(name=base.name, variant=value.variant.replace(game=game, name=name)) == base


@pytest.mark.parametrize("data", ["color_mnist", "cifar10", "celeba", "eight_gaussians", "ring"])
def test_control_has_three_times_the_parameters(data):
    shape = {"color_mnist": (28, 28, 3), "cifar10": (32, 32, 3), "celeba": (64, 64, 3)}.get(data, (2,))
    counts = []
    for name in ("ns", "ns_wide"):
        value = build.complete(experiments.get(f"{data}_{name}"))
        from tfpaths import networks

        counts.append([network.count_params() for network in networks.build(value.networks, shape)])
    # Each player within 1 %.
    np.testing.assert_allclose(np.divide(*counts[::-1]), 3, rtol=0.01)
