"""What a sweep of studies shows: planted trials give the planted shares, regions and collapse."""

import pathlib

import numpy as np
import pytest

from tfpaths import experiments, files
from tfpaths.sweeps import plan, robustness

RATES = ("variant.generator_optimizer.learning_rate", "variant.discriminator_optimizer.learning_rate")


@pytest.fixture(scope="module")
def sweep():
    """`robustness_line1` in two dimensions: NS-GAN first, then five others."""
    value = experiments.get("robustness_line1")
    return plan.complete(value.replace(experiments=value.experiments[:6], trials=400, confirmed=0))


@pytest.fixture(scope="module")
def planted(sweep):
    """NS-GAN succeeds where its rate of G is above 1e-3, GAN-GP everywhere; DRAGAN-NS was near everywhere, and left."""
    jobs = plan.jobs(sweep)
    rows = []
    for job in jobs:
        for trial, fields in zip(job.trials, job.settings, strict=True):
            near = {"line1_ns_d2": fields[RATES[0]] > 1e-3, "line1_gan_gp_d2": True}.get(job.experiment, False)
            final = 0.01 if near else 0.5
            best = 0.01 if near or job.experiment == "line1_dragan_ns_d2" else final
            row = {"step": 1, "trial": trial, "experiment": job.experiment, "job": job.name, "status": "finished"}
            rows.append({**row, **fields, "final": final, "best": best, "arrived": None, "initial": 1.0})
    return rows


@pytest.fixture(scope="module")
def drawn(sweep, planted):
    return robustness.drawn(sweep, planted, pathlib.Path("none"))


def test_shares(drawn, planted):
    above = np.mean([row[RATES[0]] > 1e-3 for row in planted if row["experiment"] == "line1_ns_d2"])
    metrics = drawn.metrics
    assert metrics["line1_ns_d2_success_share"] == pytest.approx(above)
    assert metrics["line1_ns_d2_success_low"] < above < metrics["line1_ns_d2_success_high"]
    assert (metrics["line1_gan_gp_d2_success_share"], metrics["line1_wgan_gp_d2_success_share"]) == (1.0, 0.0)
    assert (metrics["line1_dragan_ns_d2_success_share"], metrics["line1_dragan_ns_d2_reached_share"]) == (0.0, 1.0)
    assert metrics["line1_gan_gp_d2_minus_line1_ns_d2"] == pytest.approx(1 - above)
    assert metrics["line1_gan_gp_d2_minus_line1_ns_d2_p"] < 1e-6
    assert metrics["line1_wgan_gp_d2_final_median"] == 0.5


def test_regions(drawn):
    of_gan_gp = [row for row in drawn.rows if row["experiment"] == "line1_gan_gp_d2"]
    assert len(of_gan_gp) == 16  # Four decades of each rate.
    for row in of_gan_gp:
        slow = row["generator_rate"][1] <= 1.0001e-3
        assert (row["share"], row["share_compared"]) == (1.0, 0.0 if slow else 1.0)
        assert (row["p_holm"] < 0.05) == slow
        assert row["p_holm"] >= row["p"]
    assert sum(row["settings"] for row in of_gan_gp) == 400


def test_finding(drawn):
    # A line for the only group of experiments, and one about runs that left the equilibrium.
    assert len(drawn.finding.splitlines()) == 2
    assert "d = 2, 1 latent: share of settings that end near equilibrium (95 % interval): NS-GAN" in drawn.finding
    assert "of 16 decades of rates it is better in 8 (" in drawn.finding
    assert "DRAGAN-NS in d = 2, 1 latent: 400 of 400" in drawn.finding
    assert "GAN-GP in d = 2, 1 latent: 0 of 400" in drawn.finding


def test_a_trial_that_is_not_finite_fails(sweep, planted):
    rows = [{**row, "final": None, "best": None} if row["experiment"] == "line1_gan_gp_d2" else row for row in planted]
    metrics = robustness.drawn(sweep, rows, pathlib.Path("none")).metrics
    assert metrics["line1_gan_gp_d2_success_share"] == 0.0
    assert metrics["line1_gan_gp_d2_not_finite_share"] == 1.0
    assert "line1_gan_gp_d2_final_median" not in metrics
    assert "line1_gan_gp_d2" not in robustness.best(sweep, rows)


def test_a_sweep_in_which_no_run_came_near(sweep, planted):
    rows = [{**row, "final": 0.5, "best": 0.5} for row in planted]
    finding = robustness.drawn(sweep, rows, pathlib.Path("none")).finding
    assert finding.endswith("No run was near equilibrium at a logged step.")


def test_the_best_setting(sweep, planted):
    rows = [dict(row) for row in planted if row["experiment"] == "line1_ns_d2"]
    rows[17]["final"] = 1e-9
    best = robustness.best(sweep, rows)["line1_ns_d2"]
    fields = {path: rows[17][path] for axis in sweep.space for path in axis.paths if path in rows[17]}
    assert best == (rows[17]["trial"], fields)


def test_confirmed_runs_are_reported(sweep, planted, tmp_path):
    trial, _ = robustness.best(sweep, planted)["line1_ns_d2"]
    folder = tmp_path / "trials" / plan.confirmation("line1_ns_d2", trial)
    folder.mkdir(parents=True)
    metrics = {"runs": 1000, "failed_share": 0.25, "distance_mean": 3.0, "rises_share": 0.5}
    files.write_json(folder / "results.json", {"step": 1, "metrics": metrics, "protocol": {}})
    values = robustness.drawn(sweep, planted, tmp_path).metrics
    assert (values["line1_ns_d2_best_runs"], values["line1_ns_d2_best_failed_share"]) == (1000, 0.25)


def test_a_sweep_without_rates_has_no_maps(sweep, planted):
    width = next(axis for axis in sweep.space if "study.width" in axis.paths)
    few = sweep.replace(space=(width,), trials=None)
    rows = [row for row in planted if row["trial"] < 3]
    drawn = robustness.drawn(few, rows, pathlib.Path("none"))
    assert drawn.rows == []
    assert drawn.picture.startswith(b"\x89PNG")
