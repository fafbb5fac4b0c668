"""Any loss × penalty × networks × data, from Python and as a registered experiment."""

import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, linear

from tfpaths import assembly, config, data, experiments, losses, networks, penalties, training
from tfpaths.gan import GAN

SMALL = config.Networks(latent_dim=4, generator_filters=2, discriminator_filters=2)


def test_the_grid_is_whole():
    names = {"minimax", "ns", "wgan", "wgan_gp", "gan_gp", "dragan", "dragan_ns"}
    for place, variant in itertools.product(("color_mnist", "stacked_mnist", "cifar10", "celeba"), names):
        experiment = experiments.get(f"{place}_{variant}")
        assert (experiment.data.name, experiment.variant.name) == (place, variant)


# The papers' own rows: loss, penalty, clip, discriminator steps, optimiser, rate.
VARIANTS = {
    "minimax": ("minimax", None, None, 1, "adam"),
    "ns": ("non_saturating", None, None, 1, "adam"),
    "wgan": ("wasserstein", None, 0.01, 5, "rmsprop"),
    "wgan_gp": ("wasserstein", "interpolation", None, 5, "adam"),
    "gan_gp": ("non_saturating", "interpolation", None, 1, "adam"),
    "dragan": ("minimax", "dragan", None, 1, "adam"),
    "dragan_ns": ("non_saturating", "dragan", None, 1, "adam"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_its_row(name):
    variant = experiments.get(f"cifar10_{name}").variant
    penalty = variant.penalty
    assert (
        variant.loss,
        penalty and penalty.name,
        variant.weight_clip,
        variant.discriminator_steps,
        variant.discriminator_optimizer.name,
    ) == VARIANTS[name]
    if penalty:
        assert (penalty.weight, penalty.target) == (10.0, 1.0)


SHAPES = {"cifar10": (32, 32, 3), "celeba": (64, 64, 3), "folder": (64, 64, 3)}


GRID = [n for n in experiments.names() if not (experiments.get(n).study or experiments.get(n).figure)]


@pytest.mark.parametrize("name", GRID)
def test_every_experiment_takes_a_step_of_toy_size(name):
    texts = {f"networks.{part}_filters": "2" for part in ("generator", "discriminator")}
    experiment = config.override(experiments.get(name), texts)
    shape = SHAPES.get(experiment.data.name, (28, 28, 3))
    gan = assembly.build(experiment, shape)
    n = experiment.variant.discriminator_steps
    reported = gan.train_step(*tf.random.stateless_uniform((n, 4, *shape), [0, 1], -1.0, 1.0))
    assert all(np.isfinite(value) for value in reported.values())
    assert (int(gan.discriminator_optimizer.iterations), int(gan.generator_optimizer.iterations)) == (n, 1)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("loss", sorted(losses.LOSSES))
@pytest.mark.parametrize("penalty", sorted(penalties.PENALTIES))
def test_any_loss_with_any_penalty_takes_a_finite_step(loss, penalty, precision):
    gan = GAN(*networks.build(SMALL, (28, 28, 1), precision=precision), loss=loss, penalty=penalties.get(penalty)())
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1))
    reported = gan.train_step(tf.random.stateless_uniform((4, 28, 28, 1), [0, 1]))
    assert all(np.isfinite(value) for value in reported.values())
    assert all(value.dtype == tf.float32 for value in reported.values())
    assert all(np.isfinite(v.numpy()).all() for v in gan.variables)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", VARIANTS)
def test_mixed_precision_trains_every_variant(name, precision, tmp_path):
    texts = {"networks.generator_filters": "4", "networks.discriminator_filters": "4", "schedule.batch_size": "8"}
    texts |= {"schedule.steps": "2", "precision": precision, "data.source": "embedded"}
    config_ = config.override(experiments.get(f"color_mnist_{name}"), texts)
    gan = assembly.build(config_, (28, 28, 3))
    # The critic's last bias cancels in the Wasserstein loss, so the kernels are what must move.
    kernels = [v for v in gan.trainable_variables if len(v.shape) > 1]
    before = [v.numpy() for v in kernels]
    batches = data.load("color_mnist", source="embedded").batches(8)
    logs = gan.fit(batches, steps_per_epoch=3, verbose=0).history
    assert gan.train_function.experimental_get_tracing_count() == 1
    assert all(np.isfinite(values).all() for values in logs.values())
    assert all(np.any(v.numpy() != old) for v, old in zip(kernels, before, strict=True))
    if config_.variant.weight_clip:
        assert max(np.abs(v.numpy()).max() for v in gan.discriminator.trainable_variables) <= np.float32(0.01)


def test_half_precision_penalties_are_close_to_those_of_float32():
    real, fake = tf.random.stateless_uniform((2, 8, 28, 28, 3), [1, 2], -1.0, 1.0)
    values = {}
    for precision in config.PRECISIONS:
        _, discriminator = networks.build(SMALL, (28, 28, 3), precision=precision)
        values[precision] = float(penalties.DRAGANPenalty(seed=1)(discriminator, real, fake))
    # bfloat16 has 8 bits: each product is right to 0.4 %, and so, about, is the norm of a gradient.
    np.testing.assert_allclose(values["mixed_bfloat16"], values["float32"], rtol=0.02)
    np.testing.assert_allclose(values["mixed_float16"], values["float32"], rtol=0.005)


def test_an_experiment_of_ones_own_with_parts_of_ones_own(tmp_path, monkeypatch):
    class AtFake(penalties.GradientPenalty):
        def points(self, real, fake, seed):
            return fake

    monkeypatch.setitem(penalties.PENALTIES, "at_fake", AtFake)
    monkeypatch.setattr(experiments, "_REGISTRY", dict(experiments._REGISTRY))
    experiments.register(
        config.Experiment(
            name="mine",
            data=config.Data(name="stacked_mnist", source="embedded"),
            variant=config.Variant(
                name="hinge_at_fake", loss="hinge", penalty=config.Penalty(name="at_fake", weight=2.0)
            ),
            networks=SMALL,
            schedule=config.Schedule(steps=2, batch_size=8),
            evaluation=config.Evaluation(metrics="none"),
        )
    )
    mine = experiments.get("mine")
    assert config.from_dict(config.to_dict(mine)) == mine
    assert isinstance(assembly.build(mine, (28, 28, 3)).penalty, AtFake)
    assert training.train(mine, tmp_path).step == 2


def test_an_option_that_is_not_set_is_the_layers_own():
    def built(**options):
        variant = config.Variant(name="x", loss="hinge", penalty=config.Penalty(**options))
        return assembly.build(
            config.Experiment(name="x", data=config.Data(name="color_mnist"), variant=variant, networks=SMALL),
            (28, 28, 3),
        ).penalty

    assert (built(name="r1").weight, built(name="r1").target) == (5.0, 0.0)
    assert (built(name="interpolation").weight, built(name="interpolation").target) == (10.0, 1.0)
    assert built(name="one_sided").one_sided
    assert built(name="dragan", noise="gaussian", interpolate=False).noise == "gaussian"
    with pytest.raises(config.InputError, match="variant.penalty: expected options that 'r1' has"):
        built(name="r1", noise="gaussian")


def test_any_two_keras_models_play():
    gan = GAN(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), linear([1.0, 2.0]), loss="least_squares")
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1))
    gan.fit(np.zeros((16, 2), np.float32), batch_size=4, verbose=0)
    assert gan.step == 4
    assert gan.sample(5).shape == (5, 2)


def test_the_readmes_python_runs(monkeypatch):
    monkeypatch.setattr(penalties, "PENALTIES", dict(penalties.PENALTIES))
    section = (ROOT / "README.md").read_text().partition("## In Python")[2]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    # As they stand, but for their length and for where the digits come from.
    shorter = {
        'data.load("color_mnist")': 'data.load("color_mnist", source="embedded")',
        "steps_per_epoch=1500": "steps_per_epoch=1, verbose=0",
        'training.train(mine, "runs/mine")': "made = training.assembly.build(mine, (28, 28, 3))",
    }
    text = "\n".join(blocks)
    for whole, short in shorter.items():
        assert whole in text
        text = text.replace(whole, short)
    names: dict = {}
    exec(text, names)
    assert names["gan"].step == 1
    assert isinstance(names["made"].penalty, names["AtFake"])
