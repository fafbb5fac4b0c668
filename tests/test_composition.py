"""Any loss × penalty × networks × data, from Python and as a registered experiment."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import linear, registered, toy
from tensorflow.python.eager import context

import tfpaths
from tfpaths import config, data, errors, experiments, games, losses, networks, penalties, schema
from tfpaths.gan import GAN
from tfpaths.runs import build

SMALL = config.Networks(latent_dim=4, generator_filters=2, discriminator_filters=2)


POINTS = ("eight_gaussians", "twenty_five_gaussians", "swiss_roll")
POINTS += ("mog", "banana", "ring", "square", "cosine", "funnel", "mixline")
TEXTS = ("text", "markov", "text_file", "lm1b")


def test_every_variant_exists_for_every_data_set():
    names = {"minimax", "ns", "wgan", "wgan_gp", "gan_gp", "dragan", "dragan_ns", "kl_wgan", "hinge_sn"}
    # Data for another generator than an MLP have the variants of their own comparison.
    toys = [name for name in POINTS if experiments.get(f"{name}_ns").networks.name == "mlp"]
    for data_name, variant in itertools.product(
        ("color_mnist", "stacked_mnist", "cifar10", "celeba", *toys, *TEXTS), names
    ):
        experiment = experiments.get(f"{data_name}_{variant}")
        assert (experiment.data.name, experiment.variant.name) == (data_name, variant)


# The papers' own rows: loss, penalty, clip, discriminator steps, optimiser.
VARIANTS = {
    "minimax": ("minimax", None, None, 1, "adam"),
    "ns": ("non_saturating", None, None, 1, "adam"),
    "wgan": ("wasserstein", None, 0.01, 5, "rmsprop"),
    "wgan_gp": ("wasserstein", "interpolation", None, 5, "adam"),
    "gan_gp": ("non_saturating", "interpolation", None, 1, "adam"),
    "dragan": ("minimax", "dragan", None, 1, "adam"),
    "dragan_ns": ("non_saturating", "dragan", None, 1, "adam"),
    "kl_wgan": ("kl_wasserstein", None, None, 1, "adam"),
    "hinge_sn": ("hinge", None, None, 1, "adam"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_matches_its_row(name):
    variant = experiments.get(f"cifar10_{name}").variant
    penalty = variant.penalty
    assert (
        variant.loss.name,
        penalty and penalty.name,
        variant.weight_clip,
        variant.discriminator_steps,
        variant.discriminator_optimizer.name,
    ) == VARIANTS[name]
    if penalty:
        assert (penalty.weight, penalty.target) == (10.0, 1.0)
    assert variant.spectral_normalization == (name in ("kl_wgan", "hinge_sn"))


def test_kl_wgan_has_the_temperatures_of_the_authors_code():
    # 5 for images, 1 for points; both hold the ratio fixed, as the paper's objective does.
    for name, temperature in (("cifar10", 5.0), ("color_mnist", 5.0), ("ring", 1.0), ("line1", 1.0)):
        loss = experiments.get(f"{name}_kl_wgan").variant.loss
        assert (loss.temperature, loss.hinge, loss.detach) == (temperature, False, True)


def test_toys_have_the_settings_of_their_papers():
    toy_ = experiments.get("eight_gaussians_wgan_gp")
    assert (toy_.variant.penalty.weight, toy_.schedule.batch_size, toy_.variant.discriminator_steps) == (0.1, 256, 5)
    assert toy_.variant.generator_optimizer.learning_rate == 1e-4
    assert toy_.networks.options == {"width": 512, "depth": 3}
    for name in ("kl_wgan", "hinge_sn"):
        toy_ = experiments.get(f"ring_{name}")
        assert (toy_.variant.generator_optimizer.name, toy_.variant.generator_optimizer.learning_rate) == (
            "rmsprop",
            2e-4,
        )
        assert (toy_.variant.discriminator_steps, toy_.schedule.steps, toy_.data.examples) == (5, 10_000, 5_000)
        assert (toy_.networks.width, toy_.networks.depth, toy_.networks.negative_slope) == (100, 2, 0.01)


def test_texts_have_the_settings_of_the_authors_code():
    texts = experiments.get("lm1b_wgan_gp")
    assert (texts.networks.latent_dim, texts.networks.width, texts.networks.blocks) == (128, 512, 5)
    assert (texts.schedule.batch_size, texts.variant.discriminator_steps, texts.variant.penalty.weight) == (64, 10, 10)
    adam = config.Optimizer(name="adam", learning_rate=1e-4, beta_1=0.5, beta_2=0.9)
    assert (texts.variant.generator_optimizer, texts.variant.discriminator_optimizer) == (adam, adam)
    assert build.complete(texts).data.length == 32
    # The other data sets differ in the width only.
    for name, width in (("text", 128), ("markov", 64), ("text_file", 128)):
        other = experiments.get(f"{name}_wgan_gp")
        assert (other.variant, other.schedule, other.networks.width) == (texts.variant, texts.schedule, width)
    # Clipping keeps the optimiser and the limit of Arjovsky et al.
    wgan = experiments.get("text_wgan").variant
    assert (wgan.discriminator_steps, wgan.weight_clip) == (10, 0.01)
    assert wgan.discriminator_optimizer == experiments.get("cifar10_wgan").variant.discriminator_optimizer


SHAPES = {"cifar10": (32, 32, 3), "celeba": (64, 64, 3), "folder": (64, 64, 3)}


def shape_of(experiment):
    name = experiment.data.name
    if name in TEXTS:
        return (8, 5)
    return SHAPES.get(name, (2,) if name in POINTS else (28, 28, 3))


# The training experiments, without those that differ only in data of the same shape from one before them.
TRAININGS = [one for one in map(experiments.get, experiments.names()) if one.kind == "training"]
# Of texts, those of `markov`: the others have the same networks, of another width.
TRAININGS = [one for one in TRAININGS if one.data.name not in TEXTS or one.data.name == "markov"]
# Variants that consist of parts which the others and `test_any_loss_with_any_penalty` have: on one size of images only.
OF_KNOWN_PARTS = {"minimax_noise", "ns_noise", "ns_roth", "r1", "r1_r2", "r3gan"}
OF_KNOWN_PARTS |= {"mix_ns", "mix_wgan_gp", "mix_dragan_ns"}
GRID = list(
    {
        (one.variant, one.networks, shape_of(one)): one.name
        for one in reversed(TRAININGS)
        # `_wide` has other widths only.
        if not one.name.endswith("_wide")
        if one.variant.name not in OF_KNOWN_PARTS or shape_of(one) in ((28, 28, 3), (2,))
    }.values()
)


def test_grid_has_every_variant_on_every_shape():
    # 9 variants of images of 28, 32 and 64 pixels and of the toys of two papers; dcd on one data set of three of them;
    # 6 variants of images of 28 pixels and of the toys, and 3 with mix. 9 of texts. 3 of lines, with mix
    # and without.
    assert len(GRID) == 9 * (3 + 2 + 1) + 3 + (6 + 3) * (1 + 2) + 2 * 3


@pytest.mark.parametrize("name", GRID)
def test_every_experiment_takes_one_step(name):
    experiment = experiments.get(name)
    parts = {"mlp": ("width",), "linear": ("width",), "residual_text": ("width", "blocks")}
    parts = parts.get(experiment.networks.name, ("generator_filters", "discriminator_filters"))
    # Two updates of the discriminator show that there are as many as the config says.
    n = min(2, experiment.variant.discriminator_steps)
    small = {f"networks.{part}": "2" for part in parts} | {"variant.discriminator_steps": str(n)}
    experiment = schema.override(experiment, small)
    shape = shape_of(experiment)
    begins = games.GAMES[experiment.variant.game.name].needs_run
    if begins:
        experiment = schema.override(experiment, {"networks.weights_of": "unread"})
    gan = build.build(experiment, shape)
    reported = gan.train_step(*tf.random.stateless_uniform((n, 4, *shape), [0, 1], -1.0, 1.0))
    assert all(np.isfinite(value) for value in reported.values())
    updates = (int(gan.discriminator_optimizer.iterations), int(gan.generator_optimizer.iterations))
    assert updates == (n, 0 if begins else 1)


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
    if VARIANTS[name][3] > 1:
        # Two updates of the discriminator in the compiled step, not five: the same code, in half the time.
        texts["variant.discriminator_steps"] = "2"
    config_ = schema.override(experiments.get(f"color_mnist_{name}"), texts)
    gan = build.build(config_, (28, 28, 3))
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


def test_half_precision_penalties_are_close_to_float32():
    real, fake = tf.random.stateless_uniform((2, 8, 28, 28, 3), [1, 2], -1.0, 1.0)
    values = {}
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        _, discriminator = networks.build(SMALL, (28, 28, 3), precision=precision)
        values[precision] = float(penalties.DRAGANPenalty(seed=1)(discriminator, real, fake))
    # bfloat16 has 8 bits: each product is right to 0.4 %, and so, about, is the norm of a gradient.
    np.testing.assert_allclose(values["mixed_bfloat16"], values["float32"], rtol=0.02)
    np.testing.assert_allclose(values["mixed_float16"], values["float32"], rtol=0.005)


def test_custom_experiment(tmp_path):
    class AtFake(penalties.GradientPenalty):
        def __init__(self, *, shift: float = 0.0, **kwargs):
            super().__init__(**kwargs)
            self.shift = shift

        def points(self, real, fake, stream, batch_axes):
            return fake + self.shift

    with registered(penalties.PENALTIES, "at_fake", AtFake):
        mine = config.Training(
            name="mine",
            data=config.Data(name="stacked_mnist", source="embedded"),
            variant=config.Variant(
                name="hinge_at_fake", loss="hinge", penalty=config.Penalty(name="at_fake", weight=2.0, shift=0.5)
            ),
            networks=SMALL,
            schedule=config.Schedule(steps=2, batch_size=8),
            evaluation=config.Evaluation(metrics="none"),
        )
        assert config.from_dict(schema.to_dict(mine)) == mine
        (layer,) = build.build(mine, (28, 28, 3)).penalties
        assert (type(layer), layer.weight, layer.shift, layer.target) == (AtFake, 2.0, 0.5, 1.0)
        assert tfpaths.train(mine, tmp_path).step == 2
        assert tfpaths.load(tmp_path).config.variant.penalty.shift == 0.5
        with pytest.raises(errors.InputError, match=r"variant.penalty.shift: expected a number, received 'up'"):
            build.complete(schema.override(mine, {"variant.penalty.shift": "up"}))


def test_unset_options_use_the_layers_defaults():
    def built(**options):
        variant = config.Variant(name="x", loss="hinge", penalty=config.Penalty(**options))
        return build.build(
            config.Training(name="x", data=config.Data(name="color_mnist"), variant=variant, networks=SMALL),
            (28, 28, 3),
        ).penalties[0]

    assert (built(name="r1").weight, built(name="r1").target) == (5.0, 0.0)
    assert (built(name="interpolation").weight, built(name="interpolation").target) == (10.0, 1.0)
    assert built(name="one_sided").one_sided
    assert built(name="dragan", noise="gaussian", interpolate=False).noise == "gaussian"
    with pytest.raises(errors.InputError, match="variant.penalty.noise: 'r1' has no option 'noise'"):
        built(name="r1", noise="gaussian")


def test_two_penalties_from_a_config():
    base = experiments.get("color_mnist_ns")
    both = (config.Penalty(name="r1", weight=2.0), config.Penalty(name="r2"))
    value = base.replace(variant=base.variant.replace(penalty=both), networks=SMALL)
    gan = build.build(value, (28, 28, 3))
    assert [(type(one), one.weight) for one in gan.penalties] == [
        (penalties.R1Penalty, 2.0),
        (penalties.R2Penalty, 5.0),
    ]
    with pytest.raises(errors.InputError, match="variant.penalty.1.weight: expected a number above zero"):
        build.complete(schema.override(value, {"variant.penalty.1.weight": "0"}))


def test_wasserstein_loss_needs_a_constraint():
    bare = schema.override(experiments.get("color_mnist_wgan_gp"), {"variant.penalty": "none"})
    with pytest.raises(errors.InputError, match="variant.loss: 'wasserstein' needs a penalty, a weight_clip or"):
        build.complete(bare)
    assert build.complete(schema.override(bare, {"variant.weight_clip": "0.01"})).variant.weight_clip == 0.01
    normalised = build.complete(schema.override(bare, {"variant.spectral_normalization": "true"}))
    assert (normalised.variant.penalties, normalised.variant.spectral_normalization) == ((), True)
    bare = schema.override(experiments.get("ring_kl_wgan"), {"variant.spectral_normalization": "false"})
    message = (
        "^variant.loss: 'kl_wasserstein' needs a penalty, a weight_clip or spectral_normalization, because its critic "
        "must have a bounded slope. To fix this: --set variant.penalty=NAME.$"
    )
    with pytest.raises(errors.InputError, match=message):
        build.complete(bare)


def test_a_game_with_an_option_from_a_config():
    class Shifted(GAN):
        def __init__(self, *args, shift: schema.Positive = 1.0, **kwargs):
            super().__init__(*args, **kwargs)
            self.shift = shift

        def generate(self, latents, training=False):
            return super().generate(latents, training=training) + self.shift

    from tfpaths.games import GAMES

    with registered(GAMES, "shifted", Shifted):
        value = schema.override(experiments.get("color_mnist_ns"), {"variant.game": "shifted"}).replace(networks=SMALL)
        assert build.complete(value).variant.game == config.Game(name="shifted", shift=1.0)
        gan = build.build(schema.override(value, {"variant.game.shift": "0.25"}), (28, 28, 3))
        assert (type(gan), gan.shift) == (Shifted, 0.25)
        for name, line in (
            ("shift=0", "shift: expected a number above zero"),
            ("runs=3", "runs: 'shifted' has no option"),
        ):
            with pytest.raises(errors.InputError, match=f"variant.game.{line}"):
                build.complete(schema.assign(value, [f"variant.game.{name}"]))


def test_any_two_keras_models_train():
    gan = GAN(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), linear([1.0, 2.0]), loss="least_squares")
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=keras.optimizers.SGD(0.1))
    gan.fit(np.zeros((16, 2), np.float32), batch_size=4, verbose=0)
    assert gan.step == 4
    assert gan.sample(5).shape == (5, 2)


class TestOrderOfReadsAndUpdates:
    """Every pass of a step reads a player's variables before the update, or after it as the step says.

    TensorFlow's graph optimiser can drop the edges that say so, and then it is a race; see `compat.apply_gradients`.
    """

    SHAPE = (28, 28, 3)

    @staticmethod
    def unordered(function, *args):
        """The reads of a variable that may run before or after its update, in the graph that TensorFlow runs."""
        concrete = function.get_concrete_function(*args)
        context.context().enable_run_metadata()
        concrete(*args)
        graphs = context.context().export_run_metadata().function_graphs
        context.context().disable_run_metadata()
        nodes = max((graph.post_optimization_graph.node for graph in graphs), key=len)
        # Node -> the nodes that it waits for: "^" marks an edge without data.
        inputs = {node.name: [name.lstrip("^").split(":")[0] for name in node.input] for node in nodes}

        def before(node):
            found, left = set(), [node]
            while left:
                new = set(inputs[left.pop()]) - found
                found |= new
                left += new
            return found

        updates = {node.name for node in nodes if node.op.startswith(("ResourceApply", "Assign"))}
        reads = {node.name for node in nodes if node.op == "ReadVariableOp"}
        pairs = [(read, update) for update in updates for read in reads if inputs[read][0] == inputs[update][0]]
        earlier = {name: before(name) for name in updates | reads}
        # Each variable that is updated is read too: nothing to compare would be a fault of this test.
        assert len(pairs) >= len(updates)
        return [(read, update) for read, update in pairs if read not in earlier[update] and update not in earlier[read]]

    @pytest.mark.parametrize(
        ("variant", "implementation"),
        [("dragan_ns", "fast"), ("dragan_ns", "keras"), ("wgan_gp", "fast"), ("hinge_sn", "fast")],
    )
    def test_on_one_device(self, variant, implementation):
        gan = build.build(
            build.complete(toy(f"color_mnist_{variant}", networks__implementation=implementation)), self.SHAPE
        )
        step = tf.function(gan.train_step, autograph=False)
        assert self.unordered(step, *[tf.zeros([4, *self.SHAPE])] * gan.discriminator_steps) == []

    def test_on_two_replicas(self, two_replicas):
        with two_replicas.scope():
            gan = build.build(build.complete(toy("color_mnist_dragan_ns")), self.SHAPE)

        @tf.function(autograph=False)
        def step(batch):
            return two_replicas.run(gan.train_step, [batch])

        assert self.unordered(step, tf.zeros([4, *self.SHAPE])) == []
