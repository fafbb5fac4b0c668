"""Small figures that are drawn in seconds."""

import pathlib
import shutil

import pytest

from tfpaths import experiments, schema

_SMALL = {"schedule.steps": "10", "schedule.log_every": "2", "study.runs": "3", "study.width": "8"}
_FEWER = {
    "figure_2": None,
    "figure_3": {"figure.studies": "line1_ns,line1_gan_gp"},
    "figure_4": {"figure.studies": "line2_ns,line2_dragan_ns"},
    "figure_5": {"figure.studies": "line1_ns,line2_gan_gp", "figure.dimensions": "2"},
    "figure_paths": {"figure.studies": "line1_ns,line1_gan_gp"},
}


@pytest.fixture(scope="session")
def small():
    """Returns a registered figure with few runs and steps, with further overrides."""

    def figure(name, **texts):
        fewer = _FEWER.get(name, {})
        toy = {} if fewer is None else _SMALL | fewer
        texts = {key.replace("__", "."): text for key, text in texts.items()}
        return schema.override(experiments.get(name), toy | texts)

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
