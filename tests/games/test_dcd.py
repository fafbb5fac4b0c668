"""Discriminator contrastive divergence: the update by hand, and its runs, evaluations, samples and exports."""

import json
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import TOY, assert_same_run, compiles, launch_here, linear, refused

import tfpaths
from tfpaths import config, errors, experiments, files, refinement, schema
from tfpaths.games import GAMES
from tfpaths.games.dcd import DCD
from tfpaths.runs import build, evaluation, exporting, fitting, loading, training

REAL = np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)
Z = np.array([[0.3], [-0.8], [1.1], [0.6]], np.float32)
W, G, RATE, E = 0.7, -0.4, 0.1, 0.5
# A temperature at which the noise of a few steps is below 1e-6.
COLD = 1e-13


class Fixed(DCD):
    """Every batch has the latents Z."""

    def latents(self, num, stream):
        return tf.constant(Z)


def players(loss="wasserstein", cls=Fixed, generator=None, **options):
    gan = cls(generator or linear([G]), linear([W]), loss=loss, step_size=E, temperature=COLD, **options)
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    return gan


# With D(x) = w x and G(z) = g z, each step adds (e / 2) w to an example, and (e / 2) w g to a latent.
SHIFT = {"langevin": lambda w: E / 2 * w, "code_latent": lambda w: E / 2 * w * G**2}


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("dynamics", SHIFT)
def test_one_step_equals_the_derivation(dynamics, steps):
    gan = players(dynamics=dynamics, refinement_steps=steps, discriminator_steps=2)
    reported = gan.train_step(tf.constant(REAL))
    w = W
    for _ in range(2):
        # The second update refines by the discriminator that has just moved. Its loss is E D(x_K) - E D(x), whose
        # slope is that of fixed x_K: no gradient flows through the chain.
        x = G * Z.mean() + steps * SHIFT[dynamics](w)
        loss = w * x - w * REAL.mean()
        w -= RATE * (x - REAL.mean())
    np.testing.assert_allclose(gan.discriminator.trainable_variables[0], [[w]], rtol=1e-5)
    np.testing.assert_allclose(reported["discriminator_loss"], loss, rtol=1e-5)
    assert list(reported) == list(gan.reported) == ["discriminator_loss", "penalty"]
    np.testing.assert_array_equal(gan.generator.trainable_variables[0], [[np.float32(G)]])
    assert (gan.step, int(gan.discriminator_optimizer.iterations), int(gan.generator_optimizer.iterations)) == (1, 2, 0)


@pytest.mark.parametrize("dynamics", SHIFT)
def test_compiled_step_equals_the_other(dynamics):
    gans = [players(dynamics=dynamics, refinement_steps=3) for _ in range(2)]
    gans[0].train_step(tf.constant(REAL))
    tf.function(gans[1].train_step, jit_compile=True, autograph=False)(tf.constant(REAL))
    plain, compiled = (float(gan.discriminator.trainable_variables[0][0, 0]) - W for gan in gans)
    assert abs(plain) > 1e-3
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_penalty_is_about_refined_samples():
    # R2 of D(x) = w x^2 / 2 at the refined samples: (x_K w)^2, with x_K = (1 + e w / 2) g z.
    from tfpaths import penalties

    class Square(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(), initializer=keras.initializers.Constant(W))

        def call(self, x):
            return 0.5 * self.w * tf.square(x)

    square = keras.Sequential([keras.Input((1,)), Square()])
    gan = Fixed(
        linear([G]), square, loss="hinge", penalty=penalties.R2Penalty(weight=3.0), dynamics="langevin",
        step_size=E, temperature=COLD, refinement_steps=1,
    )  # fmt: skip
    gan.compile(generator_optimizer=keras.optimizers.SGD(RATE), discriminator_optimizer=keras.optimizers.SGD(RATE))
    expected = 3.0 * np.mean((W * (1 + E * W / 2) * G * Z) ** 2)
    np.testing.assert_allclose(gan.train_step(tf.constant(REAL))["penalty"], expected, rtol=1e-5)


def test_batch_norm_of_the_generator_is_frozen():
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    generator = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(), dense])
    generator(3.0 + tf.constant(Z), training=True)  # Other statistics than the initial ones.
    before = [v.numpy() for v in generator.variables]
    gan = players(generator=generator, refinement_steps=2, dynamics="code_latent")
    for _ in range(3):
        gan.train_step(tf.constant(REAL))
    for variable, value in zip(generator.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    plain = gan.refined(tf.constant(Z), 0)
    np.testing.assert_array_equal(plain, generator(Z, training=False))
    assert np.abs(plain - generator(Z, training=True)).max() > 0.1


def test_every_sample_is_refined():
    gan = players(refinement_steps=4, dynamics="langevin")
    expected = G * Z + 4 * E / 2 * W
    for samples in (gan(tf.constant(Z)), gan.sample(4), gan.draw(4, gan.stream), gan.generate(tf.constant(Z), True)):
        np.testing.assert_allclose(samples, expected, rtol=1e-5)
    np.testing.assert_array_equal(gan.refined(tf.constant(Z), 0), gan.generator(Z))
    np.testing.assert_array_equal(gan.refined(tf.constant(Z), 4), gan.sample(4))
    np.testing.assert_allclose(gan.refined(tf.constant(Z), 3, 0.1), G * Z + 3 * 0.05 * W, rtol=1e-5)
    assert gan.refinement == {"refine_steps": 4, "step_size": E}


def test_saved_game_has_its_dynamics(tmp_path):
    gan = players(cls=DCD, refinement_steps=3, dynamics="ddls")
    gan.train_step(tf.constant(REAL))
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (type(loaded), loaded.refinement_steps, loaded.dynamics) == (DCD, 3, gan.dynamics)
    assert loaded.dynamics.has_prior
    np.testing.assert_array_equal(loaded.sample(5, seed=2), gan.sample(5, seed=2))


def test_ensembles_are_refused():
    with pytest.raises(ValueError, match="the game 'dcd' has no ensembles"):
        players(runs=2)


SMALL = {
    "schedule.steps": "4",
    "schedule.batch_size": "8",
    "schedule.log_every": "1",
    "schedule.sample_every": "2",
    "schedule.checkpoint_every": "2",
    "evaluation.metrics": "none",
}
OF_DATA = {
    "twenty_five_gaussians": {"networks.width": "8", "networks.depth": "2", "data.examples": "400"},
    "color_mnist": TOY,
}


def toy(name, variant, **texts):
    experiment = experiments.get(f"{name}_{variant}")
    # Two updates of the discriminator in the compiled step, not five: the same code, in half the time.
    fewer = {"variant.discriminator_steps": str(min(2, experiment.variant.discriminator_steps))}
    texts = {path.replace("__", "."): text for path, text in texts.items()}
    return schema.override(experiment, OF_DATA[name] | SMALL | fewer | texts)


@pytest.fixture(scope="module", params=OF_DATA)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def runs(made_once):
    """(the directory of a run of `hinge_sn`, that of a run of `dcd` from it), of a data set."""

    def of(name):
        base = made_once(f"{name}_base", lambda path: training.train(toy(name, "hinge_sn"), path))
        value = toy(name, "dcd", networks__weights_of=str(base), variant__game__refinement_steps="3")
        return base, made_once(f"{name}_dcd", lambda path: training.train(value, path))

    return of


def weights(gan, *networks):
    return [v.numpy() for each in networks or gan.networks for v in gan.networks[each].variables]


def assert_equal(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("data", ["twenty_five_gaussians", "color_mnist", "cifar10"])
def test_config_round_trip(data):
    value = experiments.get(f"{data}_dcd")
    value = build.complete(value.replace(networks=value.networks.replace(weights_of="runs/a")))
    assert config.from_dict(schema.to_dict(value)) == value
    assert build.complete(value) == value
    game = value.variant.game.options
    assert game == {"refinement_steps": 20, "dynamics": "code_latent"}
    assert value.variant.spectral_normalization
    # The other networks and data are those of the run before.
    base = build.complete(experiments.get(f"{data}_hinge_sn"))
    assert value.networks.replace(weights_of=None) == base.networks
    assert value.data == base.data


def test_run_begins_with_the_weights_and_resumes_without_their_run(runs, tmp_path, monkeypatch):
    base = shutil.copytree(runs("twenty_five_gaussians")[0], tmp_path / "base")
    expected, began, fit = weights(tfpaths.load(base).gan), [], fitting.fit

    def watched(gan, *args, **kwargs):
        began.append((gan.step, weights(gan)))
        return fit(gan, *args, **kwargs)

    monkeypatch.setattr(fitting, "fit", watched)

    def trained(steps):
        texts = {"networks__weights_of": str(base), "variant__game__refinement_steps": "3"}
        training.train(toy("twenty_five_gaussians", "dcd", schedule__steps=str(steps), **texts), tmp_path / "parts")

    trained(2)
    shutil.rmtree(base)
    trained(4)
    assert [step for step, _ in began] == [0, 2]
    assert_equal(began[0][1], expected)
    assert_same_run(runs("twenty_five_gaussians")[1], tmp_path / "parts")
    # The generator keeps its weights; those of the discriminator are others.
    after = tfpaths.load(tmp_path / "parts").gan
    count = len(after.generator.variables)
    assert_equal(weights(after, "generator"), expected[:count])
    assert not np.array_equal(weights(after, "discriminator")[0], expected[count])


def test_rows_have_what_the_game_reports(runs):
    rows = [json.loads(line) for line in (runs("color_mnist")[1] / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert {"discriminator_loss", "penalty"} <= set(rows[0])
    assert "generator_loss" not in rows[0]


def test_samples_of_a_run_are_refined(name, runs):
    base, run = map(tfpaths.load, runs(name))
    z = run.latents(5, seed=1)
    np.testing.assert_array_equal(run.gan.refined(z, 0), base.generate(z))
    np.testing.assert_array_equal(run.generate(z), run.gan.refined(z, 3))
    assert np.abs(run.generate(z) - base.generate(z)).max() > 1e-5


MEASURED = {"evaluation__metrics": "auto", "evaluation__samples": "300", "evaluation__references": "false"}


def test_evaluation_of_no_step_is_that_of_the_run_before(runs, tmp_path):
    base, run = (shutil.copytree(each, tmp_path / each.name) for each in runs("twenty_five_gaussians"))
    plain = evaluation.evaluate(toy("twenty_five_gaussians", "hinge_sn", **MEASURED), base)
    assert len(plain["metrics"]) > 3
    assert "refine" not in plain["protocol"]
    stored = runs("twenty_five_gaussians")[0]
    dcd = {"networks__weights_of": str(stored), "variant__game__refinement_steps": "3", **MEASURED}

    def measured(**texts):
        return evaluation.evaluate(toy("twenty_five_gaussians", "dcd", **dcd, **texts), run)

    own = measured()
    common = [name for name in plain["metrics"] if not name.endswith("_loss") and name != "penalty"]
    differing = [name for name in common if own["metrics"][name] != plain["metrics"][name]]
    assert differing
    # As many steps as the game makes give the same numbers; none gives those of the run before.
    assert measured(evaluation__refine="3")["metrics"] == own["metrics"]
    unrefined = measured(evaluation__refine="0")
    assert unrefined["protocol"]["refine"] == 0
    assert {name: unrefined["metrics"][name] for name in common} == {name: plain["metrics"][name] for name in common}


def test_evaluation_refines_a_run_of_any_game(runs, tmp_path):
    base = shutil.copytree(runs("twenty_five_gaussians")[0], tmp_path / "base")
    plain, none, some = (
        evaluation.evaluate(toy("twenty_five_gaussians", "hinge_sn", **MEASURED, **more), base)
        for more in ({}, {"evaluation__refine": "0"}, {"evaluation__refine": "5"})
    )
    assert none["metrics"] == plain["metrics"] != some["metrics"]
    assert (none["protocol"]["refine"], some["protocol"]["refine"]) == (0, 5)


def arrays(source, path, *flags):
    done = launch_here("--mode=sample", f"--workdir={source}", "--num_samples=6", "--seed=3", f"--out={path}", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    with np.load(path) as stored:
        (samples,) = (stored[name] for name in ("images", "points") if name in stored)
    return samples.astype(np.float64)


def test_sample_refines_any_run(tiny_run, tmp_path):
    plain, none, some = (
        arrays(tiny_run, tmp_path / f"{index}.npz", *flags)
        for index, flags in enumerate(([], ["--refine=0"], ["--refine=25"]))
    )
    np.testing.assert_allclose(none, plain, atol=1)  # levels; a compiled sum may be in another order
    assert np.abs(some - plain).mean() > 1
    trained = tfpaths.load(tiny_run)
    expected = trained.gan.refined(trained.latents(6, seed=3), 25)
    np.testing.assert_allclose(some, np.round((expected + 1) * 127.5), atol=1)


@pytest.fixture(scope="module")
def exported(name, runs, tmp_path_factory):
    """(the run of `dcd`, loaded; its export)."""
    run = shutil.copytree(runs(name)[1], tmp_path_factory.mktemp("exported") / "run")
    return tfpaths.load(run), exporting.export(run)


def test_export_refines_as_the_run(exported, caplog, capfd):
    trained, export = exported
    model = tf.saved_model.load(str(export))
    # TensorFlow's C++ and Python warn of derivatives of their own.
    assert "gradient" not in caplog.text + capfd.readouterr().err
    plural, gan = f"{trained.example.name}s", trained.gan
    counted = {"num_samples": tf.constant(5), "seed": tf.constant(3)}

    def sample(steps, step_size, function="sample"):
        how = {"refine_steps": tf.constant(steps), "step_size": tf.constant(step_size)}
        return model.signatures[function](**counted, **how)[plural]

    np.testing.assert_allclose(sample(3, 1.0), trained.sample(5, seed=3), atol=1e-5)
    z = trained.latents(5, seed=3)
    np.testing.assert_allclose(sample(0, 1.0), gan.generator(z), atol=1e-5)
    np.testing.assert_allclose(sample(7, 0.5), gan.refined(z, 7, 0.5), atol=1e-5)
    assert np.abs(sample(3, 1.0) - sample(3, 0.5)).max() > 1e-4
    np.testing.assert_allclose(model.signatures["serving_default"](z=z)[plural], trained.generate(z), atol=1e-5)
    metadata = json.loads((export / "assets" / "metadata.json").read_text())
    assert (metadata["refine_steps"], metadata["step_size"]) == (3, 1.0)
    takes = set(model.signatures["sample"].structured_input_signature[1])
    assert takes == {"num_samples", "seed", "refine_steps", "step_size"}
    if plural == "images":
        levels = sample(3, 1.0, "sample_uint8")
        np.testing.assert_allclose(levels, np.round((sample(3, 1.0) + 1) * 127.5), atol=1)


def test_export_does_not_need_xla(name, runs, tmp_path):
    # TensorFlow Serving refuses it. The noise of images is drawn by XLA elsewhere, as many numbers at once.
    trained = tfpaths.load(runs(name)[1])
    trained.gan.dynamics = refinement.get("langevin")
    files.write_json(tmp_path / "metadata.json", {})
    sampler = exporting.Sampler(trained, tmp_path / "metadata.json")
    for function in sampler.functions.values():
        assert not compiles(function.get_concrete_function())
    z = trained.latents(4, seed=0)
    refined = tf.function(lambda: trained.gan.refined(z, 2), autograph=False)
    assert compiles(refined.get_concrete_function()) == (name == "color_mnist")


def test_printed_line_samples_an_export(exported):
    trained, export = exported
    (line,) = re.findall(r"^  sample +(.*)$", exporting.message(export), re.MULTILINE)
    assert "refine_steps=3, step_size=1.0" in line
    names = {"tf": tf}
    exec(f"{line.replace('; ', '; result = ', 1)}", names)
    np.testing.assert_allclose(names["result"], trained.sample(64), atol=1e-5)


def test_sample_refines_an_export(exported, tmp_path):
    # Its program is checked: it only computes.
    trained, export = exported
    for index, flags in enumerate((["--refine=0"], ["--refine=25"])):
        of_run, of_export = (
            arrays(source, tmp_path / f"{source.name}{index}.npz", *flags) for source in (trained.path, export)
        )
        tolerance = 1 if trained.example.name == "image" else 1e-5
        np.testing.assert_allclose(of_export, of_run, atol=tolerance)
    assert np.abs(of_export - arrays(export, tmp_path / "own.npz")).max() > tolerance


def test_export_of_another_game_cannot_refine(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    export = exporting.export(run)
    out = tmp_path / "a.npz"
    line = refused(launch_here("--mode=sample", f"--workdir={export}", "--refine=2", f"--out={out}"))
    assert line == (
        f"tfpaths: --workdir: expected an export of tfpaths, received '{export}', which cannot refine its samples: "
        "only the export of a run of the game 'dcd' can. To fix this: sample the run's directory."
    )
    assert not out.exists()


def test_dynamics_of_images_are_refused_for_points():
    with pytest.raises(errors.InputError) as error:
        DCD(linear([G]), linear([W]), loss="wasserstein", dynamics="code_example")
    assert str(error.value).startswith(
        "variant.game.dynamics: 'code_example' keeps examples in [-1, 1], which only images are. To fix this: --set"
    )


_UNREAD = ["--set=networks.weights_of=unread"]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--set=variant.game.temperature=0"], "variant.game.temperature: expected a number above zero, received 0"),
        (["--set=variant.game.temperature=-1"], "variant.game.temperature: expected a number above zero, received -1"),
        (["--set=variant.game.step_size=0"], "variant.game.step_size: expected a number above zero, received 0"),
        (["--set=variant.game.refinement_steps=-1"], "variant.game.refinement_steps: expected a number of at least ze"),
        (["--set=variant.game.dynamics=langevn"], "variant.game.dynamics: "),
        (["--set=evaluation.refine=-1"], "evaluation.refine: expected a number of at least zero, received -1"),
        ([], "networks.weights_of: the game 'dcd' begins with a finished run; expected its directory, received none."),
    ],
)
def test_invalid_configs_are_one_line(flags, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = launch_here("--exp=twenty_five_gaussians_dcd", *flags, *_UNREAD[not flags :])
    assert refused(done).startswith(f"tfpaths: {line}"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_invalid_number_of_steps_is_one_line(tiny_run, tmp_path):
    done = launch_here("--mode=sample", f"--workdir={tiny_run}", "--refine=-1", f"--out={tmp_path / 'a.png'}")
    assert refused(done).startswith("tfpaths: --refine: expected an integer from 0 to 2^31 - 1, received '-1'")
    done = launch_here("--mode=report", f"--workdir={tiny_run}", "--refine=1")
    assert refused(done).startswith("tfpaths: --refine works only with --mode=sample, not with --mode=report.")
    assert list(tmp_path.iterdir()) == []


def test_study_cannot_begin_with_a_run(tmp_path):
    done = launch_here("--exp=line1_ns", "--set=variant.game=dcd", f"--workdir={tmp_path / 'run'}")
    line = "variant.game: 'dcd' begins with a finished run, which a study does not have."
    assert refused(done) == f"tfpaths: {line}"
    assert list(tmp_path.iterdir()) == []


def test_run_that_cannot_be_begun_with_is_refused(runs, tiny_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = runs("twenty_five_gaussians")[0]
    (tmp_path / "untrained").mkdir()
    shutil.copy(base / "config.json", tmp_path / "untrained")
    (tmp_path / "file").touch()
    shutil.copytree(base, tmp_path / "partial")
    before = sorted(tmp_path.rglob("*"))
    fits = {"networks.width": "8", "networks.depth": "2"}
    for path, texts, line in [
        ("missing", fits, "expected the directory of a run, received 'missing': there is none."),
        (
            "untrained",
            fits,
            "expected the directory of a run, received 'untrained': it has no checkpoint, so it is not",
        ),
        ("file", fits, "expected the directory of a run, received 'file'"),
        (str(tiny_study), fits, f"expected the directory of a trained run, received '{tiny_study}': line1_ns is a st"),
        ("partial", {"networks.width": "9"}, "the generator of 'partial' has variables of the shapes [["),
        (
            "partial",
            fits | {"variant.spectral_normalization": "false"},
            "the discriminator of 'partial' has variables of the shapes [[",
        ),
    ]:
        value = {"networks.weights_of": path, "data.examples": "400", **SMALL, **texts}
        done = launch_here("--exp=twenty_five_gaussians_dcd", *(f"--set={k}={v}" for k, v in value.items()))
        assert refused(done).startswith(f"tfpaths: networks.weights_of: {line}"), done.stderr
        assert sorted(tmp_path.rglob("*")) == before


def test_any_game_can_begin_with_a_run(runs, tmp_path):
    # Fine-tuning: the same variant, from the weights of a run.
    base = runs("twenty_five_gaussians")[0]
    value = toy("twenty_five_gaussians", "hinge_sn", networks__weights_of=str(base), schedule__steps="2")
    gan = build.build(value, (2,))
    assert loading.start_from(gan, base) == 4
    assert_equal(weights(gan), weights(tfpaths.load(base).gan))
    assert int(gan.steps) == int(gan.discriminator_optimizer.iterations) == 0


def test_game_is_registered():
    assert GAMES["dcd"] is DCD
    assert DCD.needs_run
