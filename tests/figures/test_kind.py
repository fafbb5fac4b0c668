"""Figures as a kind of experiment."""

import subprocess
import sys

import pytest

from tfpaths import errors, experiments, kinds
from tfpaths.figures.kind import KIND


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("figure_1", "path of line1_ns"),
        ("figure_2", "gradients, without studies"),
        ("figure_4", "snapshots of line2_ns, line2_gan_gp, line2_dragan_ns"),
        ("dirac_ns", "dirac of ns"),
        ("figure_5", "dimensions of line1_ns, line1_gan_gp, line1_dragan_ns, line1_wgan_gp, … (8 studies)"),
    ],
)
def test_describe(name, line):
    assert KIND.describe(experiments.get(name)) == line


def test_describe_reads_comma_separated_studies(small):
    assert KIND.describe(small("figure_3")) == "snapshots of line1_ns, line1_gan_gp"


def test_profile_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="^--profile: figure_2 is a figure; only training runs can be profiled"):
        KIND.train(experiments.get("figure_2"), tmp_path / "run", kinds.Settings(profile=True))
    assert not (tmp_path / "run").exists()


def test_train_returns_the_finding(tmp_path):
    outcome = KIND.train(experiments.get("figure_2"), tmp_path, kinds.Settings())
    assert outcome.stopped_by is None
    assert "minimax loss gives them a gradient of 0.0013" in outcome.message("the command")


@pytest.mark.parametrize(
    ("path", "may_change"),
    [
        ("figure.studies", True),
        ("figure.shown_run", True),
        ("figure.name", False),
        ("study.runs", True),
        ("study.width", False),
        ("schedule.log_every", True),
        ("schedule.batch_size", False),
        ("seed", False),
    ],
)
def test_may_change(path, may_change):
    assert KIND.may_change(path) == may_change


def test_describing_imports_neither_tensorflow_nor_matplotlib():
    code = (
        "from tfpaths import experiments, kinds; e = experiments.get('figure_3'); kinds.of(e).describe(e); import sys"
    )
    code += "; import tfpaths.figures; assert not {'tensorflow', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
