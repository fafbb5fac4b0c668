"""Runs in TensorBoard's own server: scalars, grids, and configs side by side."""

import json
import shutil
import time

import pytest
import tensorflow as tf
import werkzeug.test

from tfpaths import experiments, schema
from tfpaths.runs import hparams, rows
from tfpaths.runs.directory import RunDirectory

# Of a library that TensorBoard carries with it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")

SCALARS = ("discriminator_loss", "generator_loss", "penalty", "examples_per_second")
OTHER = schema.override(experiments.get("color_mnist_wgan"), {"seed": "7", "evaluation.metrics": "scores,modes"})


@pytest.fixture(scope="module")
def ask(tiny_run, tmp_path_factory):
    """path, values -> TensorBoard's answer, for two runs: a trained one, and one of another config and one scalar."""
    from tensorboard import default, program

    folder = tmp_path_factory.mktemp("logs")
    shutil.copytree(tiny_run / "tensorboard", folder / "first")
    writer = tf.summary.create_file_writer(str(folder / "second"))
    hparams.write(writer, OTHER)
    with writer.as_default(step=3):
        tf.summary.scalar("generator_loss", 0.25)
    writer.close()

    class Server(program.TensorBoardServer):
        """Answers in this process, without a network address."""

        def __init__(self, app, flags):
            Server.client = werkzeug.test.Client(app)

        def serve_forever(self):
            pass

        def get_url(self):
            return ""

    board = program.TensorBoard(plugins=default.get_plugins(), server_class=Server)
    board.configure(argv=["tensorboard", "--logdir", str(folder), "--load_fast=false", "--reload_interval=0"])
    board.launch()

    def ask(path, values=None):
        if values is None:
            return Server.client.get(f"/data/{path}")
        return Server.client.post(f"/data/{path}", json=values).json

    # TensorBoard reads the files in another thread.
    deadline = time.monotonic() + 60
    while len(ask("plugin/scalars/tags").json) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    return ask


def test_tensorboard_shows_the_scalars(ask, tiny_run):
    tags = ask("plugin/scalars/tags").json
    assert set(tags["first"]) == set(SCALARS)
    assert set(tags["second"]) == {"generator_loss"}
    stored = rows.read_rows(tiny_run / "metrics.jsonl")
    for name in SCALARS:
        points = json.loads(ask(f"plugin/scalars/scalars?run=first&tag={name}").data)
        assert [step for _, step, _ in points] == [row["step"] for row in stored] == [1, 2, 3, 4]
        assert [value for _, _, value in points] == pytest.approx([row[name] for row in stored])


def test_tensorboard_shows_the_grids(ask, tiny_run):
    assert set(ask("plugin/images/tags").json["first"]) == {"samples"}
    shown = ask("plugin/images/images?run=first&tag=samples&sample=0").json
    assert [one["step"] for one in shown] == [0, 2, 4]
    pixels = tf.io.decode_png(ask(f"plugin/images/individualImage?{shown[-1]['query']}").data)
    expected = tf.io.decode_png((tiny_run / "samples" / "step_00000004.png").read_bytes())
    assert tf.reduce_all(pixels == expected)


def test_tensorboard_compares_configs(ask, tiny_run):
    wanted = {"allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]}
    asked = {**wanted, "startIndex": 0, "sliceSize": 10, "experimentName": "", "colParams": []}
    groups = ask("plugin/hparams/session_groups", asked)["sessionGroups"]
    found = {session["name"]: group for group in groups for session in group["sessions"]}
    assert set(found) == {"first", "second"}
    for name, value in {"first": RunDirectory(tiny_run).stored(), "second": OTHER}.items():
        expected = schema.flat(value)
        if value is OTHER:
            expected["evaluation.metrics"] = "scores,modes"
        assert found[name]["hparams"] == expected
    values = {value["name"]["tag"]: value["value"] for value in found["second"]["metricValues"]}
    assert values == {"generator_loss": 0.25}
