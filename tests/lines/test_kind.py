"""Studies as a kind of experiment."""

import subprocess
import sys

import pytest

from tfpaths import errors, experiments, kinds, schema
from tfpaths.lines.kind import KIND


@pytest.mark.parametrize(
    ("name", "texts", "line"),
    [
        ("line1_ns", {}, "1,000 GANs on a line in R^2, 1 latent: non_saturating loss"),
        ("line2_wgan", {}, "1,000 GANs on a line in R^2, 3 latents: wasserstein loss, weights clipped to 0.01"),
        (
            "line1_dragan",
            {"study.runs": "8", "study.dimension": "4"},
            "8 GANs on a line in R^4, 1 latent: minimax loss, dragan penalty",
        ),
    ],
)
def test_describe(name, texts, line):
    assert KIND.describe(schema.override(experiments.get(name), texts)) == line


def test_profile_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="^--profile: line1_ns is a study; only training runs can be profiled"):
        KIND.train(experiments.get("line1_ns"), tmp_path / "run", kinds.Settings(profile=True))
    assert not (tmp_path / "run").exists()


def test_complete():
    value = KIND.complete(experiments.get("line1_gan_gp"))
    assert value.variant.penalty.options["one_sided"] is False
    assert KIND.complete(value) == value


@pytest.mark.parametrize(
    ("path", "may_change"),
    [
        ("study.runs", True),
        ("study.block", True),
        ("schedule.steps", True),
        ("schedule.batch_size", False),
        ("study.width", False),
        ("variant.penalty.weight", False),
        ("seed", False),
    ],
)
def test_may_change(path, may_change):
    assert KIND.may_change(path) == may_change


def test_describing_imports_no_tensorflow():
    code = (
        "from tfpaths import experiments, kinds; e = experiments.get('line1_ns'); kinds.of(e).describe(e); import sys"
    )
    code += "; assert not {'tensorflow', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
