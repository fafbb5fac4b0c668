"""Hyper-parameters of each run: each reaches its place, and run i is the run that it would be with them alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpaths import config, errors, experiments, penalties, schema, streams
from tfpaths.lines import hyperparameters, study
from tfpaths.networks import ensembles
from tfpaths.runs.build import complete_variant

OPTIMIZERS = [f"variant.{player}_optimizer" for player in ("generator", "discriminator")]


def complete(name, **fields):
    value = schema.override(experiments.get(name), {path.replace("__", "."): text for path, text in fields.items()})
    return value.replace(variant=complete_variant(value.variant))


def with_settings(value, columns):
    settings = tuple(config.Setting(path=path, values=values) for path, values in columns.items())
    runs = len(next(iter(columns.values())))
    return value.replace(settings=settings, study=value.study.replace(runs=runs))


# All hyper-parameters of a variant at once, drawn from their ranges. Between them, the variants have all of them.
@pytest.mark.parametrize("name", ["line2_dragan_ns", "line1_wgan"])
def test_each_run_equals_a_study_with_its_settings(name):
    # Small networks and two updates of the discriminator: each of the four studies is compiled.
    steps = min(2, experiments.get(name).variant.discriminator_steps)
    small = {"study__width": "8", "study__depth": "1", "variant__discriminator_steps": str(steps)}
    value = complete(name, schedule__batch_size="8", **small)
    random = np.random.default_rng(0)
    columns = {path: tuple(random.uniform(0.01, 0.95, 3).tolist()) for path in hyperparameters.common(value)}
    several = study.build(with_settings(value, columns), 3)
    several.reset(0)
    distances = several.advance(4).distance
    assert len(set(distances.tolist())) == 3
    for run in range(3):
        texts = {path: repr(values[run]) for path, values in columns.items()}
        # The same number of runs, since rounding depends on it.
        alone = study.build(schema.override(value, texts), 3)
        alone.reset(0)
        assert alone.advance(4).distance[run] == distances[run]


def test_the_paths_are_all_that_a_variant_has():
    assert set(hyperparameters.common(complete("line1_ns"))) == {
        *(f"{owner}.{name}" for owner in OPTIMIZERS for name in ("learning_rate", "beta_1", "beta_2")),
        "study.generator_scale",
        "study.discriminator_scale",
    }
    of_penalty = set(hyperparameters.common(complete("line1_dragan"))) - set(
        hyperparameters.common(complete("line1_ns"))
    )
    assert of_penalty == {f"variant.penalty.{name}" for name in ("weight", "target", "noise_scale")}
    # RMSprop has no betas.
    assert set(hyperparameters.common(complete("line1_wgan"))) == {
        *(f"{owner}.learning_rate" for owner in OPTIMIZERS),
        "variant.weight_clip",
        "study.generator_scale",
        "study.discriminator_scale",
    }
    two = hyperparameters.common(complete("line1_ns", variant__penalty="r1,r2"))
    assert {"variant.penalty.0.weight", "variant.penalty.1.target"} <= set(two)
    assert "study.generator_scale" not in hyperparameters.common(complete("line1_ns", study__start="parallel"))


def test_adam_with_values_of_runs_is_numpys_adam():
    random = np.random.default_rng(0)
    gradients = random.normal(size=(5, 3, 4, 2)).astype(np.float32)  # [steps, runs, ...]
    rates, beta_1, beta_2 = (
        np.array(values, np.float32) for values in ([0.1, 0.01, 0.5], [0, 0.5, 0.9], [0.9, 0.99, 0.5])
    )
    w = keras.Variable(np.zeros((3, 4, 2), np.float32))
    optimizer = keras.optimizers.Adam(7.0)
    columns = {"learning_rate": rates, "beta_1": beta_1, "beta_2": beta_2}
    ensembles.with_values_of_runs(optimizer, {name: tf.Variable(values) for name, values in columns.items()})
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [w])
    for run in range(3):
        m = v = x = np.zeros((4, 2))
        for step, gradient in enumerate(gradients[:, run].astype(np.float64), start=1):
            m = beta_1[run] * m + (1 - beta_1[run]) * gradient
            v = beta_2[run] * v + (1 - beta_2[run]) * gradient**2
            root = np.sqrt(1 - float(beta_2[run]) ** step)
            x = x - rates[run] * root / (1 - float(beta_1[run]) ** step) * m / (np.sqrt(v) + 1e-7)
        np.testing.assert_allclose(w.numpy()[run], x, rtol=2e-4)
    assert (optimizer.beta_1, float(optimizer.learning_rate)) == (0.9, 7.0)


def test_a_penalty_has_weight_and_target_of_each_run():
    # D(x) = w_r · x: the norm of run r is |w_r|, and the value is the mean of weight_r (|w_r| - target_r)^2.
    w = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)

    def discriminator(x, training=False):
        return tf.einsum("rbd,rd->rb", x, w)

    penalty = penalties.InterpolationPenalty()
    penalty.weight, penalty.target = tf.Variable([10.0, 1.0]), tf.Variable([1.0, 5.0])
    value = penalty(
        discriminator, tf.ones([2, 6, 2]), tf.zeros([2, 6, 2]), stream=streams.root(0, first_run=0), batch_axes=2
    )
    assert float(value) == pytest.approx((10 * (5 - 1) ** 2 + 1 * (2 - 5) ** 2) / 2, rel=1e-5)


def test_dragan_has_a_noise_scale_of_each_run():
    real = streams.root(3).normal([2, 6, 2])
    stream = streams.root(0, first_run=0)
    moved = [
        penalties.perturb(real, stream, batch_axes=2, noise_scale=scale) - real
        for scale in (1.0, tf.Variable([0.5, 3.0]))
    ]
    np.testing.assert_allclose(moved[1], moved[0] * np.reshape([0.5, 3.0], [2, 1, 1]), rtol=1e-4, atol=1e-6)


def test_weights_are_clipped_at_the_limit_of_each_run():
    small = {"study__width": "8", "variant__discriminator_steps": "1"}
    value = with_settings(complete("line1_wgan", **small), {"variant.weight_clip": (0.01, 0.2)})
    block = study.build(value, 2)
    block.reset(0)
    block.advance(1)
    largest = np.max([np.abs(weight).max(axis=(1, 2)) for weight in block.gan.discriminator.get_weights()], axis=0)
    np.testing.assert_allclose(largest, [0.01, 0.2])


def test_scales_are_factors_of_the_start():
    columns = {"study.generator_scale": (1.0, 3.0), "study.discriminator_scale": (0.5, 1.0)}
    value = complete("line2_ns", study__width="8", study__runs="2")
    plain, scaled = study.build(value, 2), study.build(with_settings(value, columns), 2)
    for block in (plain, scaled):
        block.reset(0)
    factors = np.reshape(columns["study.generator_scale"], [2, 1, 1])
    for before, after in zip(plain.gan.generator.get_weights(), scaled.gan.generator.get_weights(), strict=True):
        np.testing.assert_allclose(
            after, before * factors[:, :, 0] if before.ndim == 2 else before * factors, rtol=1e-6
        )
    factors = np.reshape(columns["study.discriminator_scale"], [2, 1, 1])
    kernels = [plain.gan.discriminator.get_weights()[0], scaled.gan.discriminator.get_weights()[0]]
    np.testing.assert_allclose(kernels[1], kernels[0] * factors, rtol=1e-6)


def test_each_block_gets_the_values_of_its_runs():
    value = with_settings(complete("line1_ns"), {f"{OPTIMIZERS[0]}.learning_rate": (0.1, 0.2, 0.3)})
    block = hyperparameters.Hyperparameters(value, 2)
    block.assign(2)  # The last block: run 2, and one that is not wanted.
    np.testing.assert_allclose(block.variables[f"{OPTIMIZERS[0]}.learning_rate"], [0.3, 0.3])
    block.assign(1)
    np.testing.assert_allclose(block.variables[f"{OPTIMIZERS[0]}.learning_rate"], [0.2, 0.3])
    np.testing.assert_allclose(block.variables[f"{OPTIMIZERS[1]}.learning_rate"], [3e-3, 3e-3])


RATE = f"{OPTIMIZERS[0]}.learning_rate"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"study.width": (8.0, 16.0)}, "settings.0.path: unknown hyper-parameter 'study.width'"),
        ({RATE: (0.1, -0.1)}, f"{RATE}: expected a number above zero, received -0.1."),
        ({RATE: (0.1, float("nan"))}, "settings.0.values: expected finite numbers, received [0.1, nan]."),
        ({RATE: (0.1, 0.1), f"{OPTIMIZERS[0]}.beta_1": (0.5, 1.0)}, "expected a number in [0, 1), received 1.0."),
        ({"variant.weight_clip": (0.1, 0.1)}, "unknown hyper-parameter 'variant.weight_clip'"),
    ],
)
def test_invalid_settings_are_refused(columns, message):
    with pytest.raises(errors.InputError) as error:
        hyperparameters.check(with_settings(complete("line1_ns"), columns))
    assert message in str(error.value)


def test_a_value_for_each_run_is_needed():
    value = with_settings(complete("line1_ns"), {RATE: (0.1, 0.2)})
    with pytest.raises(errors.InputError, match="settings.0.values: expected 5 values, one for each run, received 2."):
        hyperparameters.check(value.replace(study=value.study.replace(runs=5)))
    twice = value.replace(settings=value.settings * 2)
    with pytest.raises(errors.InputError, match="settings.1.path: '.*learning_rate' is there twice."):
        hyperparameters.check(twice)


def test_a_parallel_start_has_no_scale():
    with pytest.raises(errors.InputError, match="study.generator_scale: expected 1 with start=parallel, received 2"):
        complete("line1_ns", study__start="parallel", study__generator_scale="2")
