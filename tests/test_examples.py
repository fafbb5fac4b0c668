"""Each example: its command works, at toy size, and no file is longer than a page."""

import importlib
import json
import re
import shlex

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT, TOY, launch, linear

import tfpaths
from tfpaths import data, experiments, losses, schema

pytestmark = pytest.mark.usefixtures("own_registries")
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SHORT = {"figure_survivors": {"study.runs": "3", "study.width": "4", "schedule.steps": "4", "schedule.log_every": "2"}}
OF_POINTS = {path: text for path, text in TOY.items() if not path.endswith(("_filters", "source"))}


def command(name):
    """The first command of an example's docstring: (experiment, assignments)."""
    text = (ROOT / "examples" / f"{name}.py").read_text().replace("\\\n", " ")
    flags = shlex.split(re.search(r"python -m tfpaths.launch (.*)", text)[1])
    assert flags.pop(0) == f"--import=examples.{name}"
    (experiment,) = [flag.removeprefix("--exp=") for flag in flags if flag.startswith("--exp=")]
    return experiment, [flags[index + 1] for index, flag in enumerate(flags) if flag == "--set"]


def toy_size(experiment, assignments):
    """The command's config, shortened."""
    texts = SHORT.get(experiment, OF_POINTS if experiment.startswith("two_moons") else TOY)
    if any("networks.name" in text for text in assignments):
        texts = {path: text for path, text in texts.items() if not path.endswith("_filters")}
    named = {path for path, _, _ in (text.partition("=") for text in assignments)}
    value = schema.override(experiments.get(experiment), {k: v for k, v in texts.items() if k not in named})
    return schema.assign(value, assignments)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_command_runs(name, tmp_path):
    importlib.import_module(f"examples.{name}")
    value = toy_size(*command(name))
    outcome = tfpaths.train(value, tmp_path / "run")
    assert outcome.stopped_by is None
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["step"] == 4
    assert (tfpaths.report(str(tmp_path / "run"))).stat().st_size > 1000
    if value.kind == "training":
        samples = tfpaths.load(tmp_path / "run").sample(3, seed=1)
        assert samples.shape == (3, *data.of(value.data).shape)
        assert np.isfinite(samples).all()


def test_examples_are_short():
    for name in EXAMPLES:
        assert len((ROOT / "examples" / f"{name}.py").read_text().splitlines()) <= 60, name


def test_smoothed_loss_is_cross_entropy_with_another_label():
    importlib.import_module("examples.custom_loss")
    real, fake = tf.constant([[0.5], [-2.0]]), tf.constant([[1.0], [0.25]])
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = entropy(tf.fill([2, 1], 0.8), real) + entropy(tf.zeros([2, 1]), fake)
    np.testing.assert_allclose(losses.get("smoothed", smoothing=0.2).discriminator(real, fake), expected, rtol=1e-6)


def test_between_penalty_uses_its_points():
    module = importlib.import_module("examples.custom_penalty")
    points = module.BetweenPenalty(share=0.25).points(tf.zeros([2, 2]), tf.ones([2, 2]), None, 1)
    np.testing.assert_allclose(points, np.full((2, 2), 0.25))
    np.testing.assert_allclose(
        module.BetweenPenalty()(linear([3.0, 4.0]), tf.zeros([4, 2]), tf.ones([4, 2])), 160.0, rtol=1e-6
    )


def test_the_average_follows_the_generator(tmp_path):
    importlib.import_module("examples.custom_game")
    value = schema.assign(toy_size(*command("custom_game")), ["variant.game.decay=0.5"])
    tfpaths.train(value, tmp_path)
    gan = tfpaths.load(tmp_path).gan
    # Half of the newest weights, half of the average before: near the generator, and not on it.
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "discriminator_loss", "generator_loss", "penalty", "drift"} <= rows[0].keys()
    distance = sum(
        float(tf.reduce_sum(tf.square(one - other)))
        for one, other in zip(gan.average.variables, gan.generator.variables, strict=True)
    )
    np.testing.assert_allclose(rows[-1]["drift"], distance**0.5, rtol=1e-4)
    assert rows[-1]["drift"] > 0


def test_a_plugin_works_in_every_mode_from_the_command_line(tmp_path):
    base = ["--import=examples.custom_game", f"--workdir={tmp_path / 'run'}"]
    train = [*base, "--exp=color_mnist_ns", "--set=variant.game=averaged", *(f"--set={p}={t}" for p, t in TOY.items())]
    run = launch(*train, cwd=ROOT)
    assert (run.returncode, run.stderr) == (0, "")
    assert re.search(r"step 4/4  D \S+  G \S+  penalty \S+  drift \S+  examples/s", run.stdout)
    for flags in (["--mode=sample", f"--out={tmp_path / 'a.png'}"], ["--mode=export"], ["--mode=report"]):
        run = launch(*base, *flags, cwd=ROOT)
        assert (run.returncode, run.stderr) == (0, ""), flags
    assert (tmp_path / "run" / "export" / "average.keras").exists()
    # Without the plug-in: one line that says what is missing.
    run = launch(*base[1:], "--mode=export", cwd=ROOT)
    assert run.returncode == 2
    assert "variant.game.name: unknown game 'averaged'" in run.stderr
    assert "--import" in run.stderr
