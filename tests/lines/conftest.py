"""Fixtures: small studies, and blocks of their runs."""

import pytest

from tfpaths import experiments, schema


@pytest.fixture(scope="session")
def small():
    """Returns a study of small networks, with further overrides: `small("line1_ns", study__runs="5")`."""

    def study(name="line1_ns", **texts):
        toy = {"study.width": "16", "schedule.batch_size": "32", "study.dimension": "3"}
        texts = {key.replace("__", "."): text for key, text in texts.items()}
        return schema.override(experiments.get(name), toy | texts)

    return study


@pytest.fixture(scope="session")
def block(small):
    """Returns a block of runs of a small study, at their start."""

    def built(name="line1_ns", runs=3, first_run=0, **texts):
        from tfpaths.lines import study

        made = study.build(small(name, **texts), runs)
        made.reset(first_run)
        return made

    return built
