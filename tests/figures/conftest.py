"""Small figures that are drawn in seconds."""

import pathlib
import shutil

import pytest

from tfpaths import experiments, schema

_SMALL = {"schedule.steps": "10", "schedule.log_every": "2", "study.runs": "3", "study.width": "8"}
_FEWER = {
    "figure_2": {},
    "figure_3": {"figure.studies": "line1_ns,line1_gan_gp"},
    "figure_4": {"figure.studies": "line2_ns,line2_dragan_ns"},
    "figure_5": {"figure.studies": "line1_ns,line2_gan_gp", "figure.dimensions": "2"},
    "figure_paths": {"figure.studies": "line1_ns,line1_gan_gp", "figure.angle_runs": "2"},
    "figure_noise": {"figure.studies": "line1_ns", "figure.discriminator_steps": "1"},
    "figure_ratio": {
        "figure.runs": "2",
        "figure.steps": "1,3",
        "figure.shown_step": "3",
        "figure.width": "8",
        "figure.examples": "64",
        "figure.batch_size": "32",
    },
    "figure_jacobian": {
        "figure.studies": "line1_ns",
        "figure.steps": "2,4",
        "figure.runs": "2",
        "figure.width": "3",
        "figure.batch_size": "16",
        "figure.gammas": "1",
        "figure.other_dimensions": "",
    },
    "figure_langevin": {"figure.chains": "400", "figure.steps": "1,3,10"},
    "figure_cauchy": {
        "figure.runs": "3",
        "figure.updates": "20",
        "figure.examples": "4096",
        "figure.batch_sizes": "1,4,16",
        "figure.width": "8",
    },
    "figure_generalization": {
        "figure.dimensions": "2,64",
        "figure.samples": "16,32",
        "figure.runs": "3",
        "figure.width": "4",
        "figure.updates": "20",
    },
    "perfect_line": {"figure.steps": "2000"},
    "figure_surfaces": {"figure.runs": "2", "figure.steps": "1,3", "figure.width": "8", "figure.points": "60"},
    "figure_overfit": {
        "figure.runs": "2",
        "figure.updates": "10",
        "figure.rows": "2",
        "figure.digits": "20",
        "figure.width": "4",
        "figure.source": "embedded",
    },
    "figure_gradients": {
        "figure.clips": "0.1,0.001",
        "figure.runs": "2",
        "figure.steps": "1,2",
        "figure.width": "8",
        "figure.depth": "2",
        "figure.batch_size": "16",
    },
    "figure_convergence": {
        "figure.data": "color_mnist",
        "figure.source": "embedded",
        "figure.methods": "wgan,ns",
        "figure.steps": "4",
        "figure.every": "2",
        "figure.samples": "200",
        "figure.filters": "4",
    },
    "figure_refine": {"figure.samples": "400", "figure.steps": "1,2,5", "figure.shown_step": "2"},
}
_OF_DIRAC = {"figure.steps": "20"}


@pytest.fixture(scope="session")
def small():
    """Returns a registered figure with few runs and steps, with further overrides."""

    def figure(name, **texts):
        value, fewer = experiments.get(name), _FEWER.get(name, _OF_DIRAC if name.startswith("dirac_") else {})
        toy = fewer if value.study is None else _SMALL | fewer
        texts = {key.replace("__", "."): text for key, text in texts.items()}
        return schema.override(value, toy | texts)

    return figure


@pytest.fixture(scope="session")
def whole(small, made_once):
    """Returns the directory of a small drawn figure, read-only; each is drawn once for all processes."""

    def drawn(name):
        from tfpaths.figures import runner

        return made_once(name, lambda path: runner.run(small(name), path))

    return drawn


@pytest.fixture
def copy(whole, tmp_path):
    """Returns a copy of the directory of a small drawn figure."""

    def copied(name):
        return pathlib.Path(shutil.copytree(whole(name), tmp_path / name))

    return copied
