"""The figures: their studies, their rows against formulas, and pictures that a person can read."""

import io
import itertools
import json
import math
import signal

import matplotlib
import numpy as np
import PIL.Image
import pytest
import scipy.stats

from tfpaths import config, experiments, figures, plots, results, study
from tfpaths.synthetic import divergence, ensemble

FIGURES = ("figure_1", "figure_2", "figure_3", "figure_4", "figure_5", "figure_paths")


def small(name, **texts):
    """A figure of seconds."""
    least = {"schedule.steps": "10", "schedule.log_every": "2", "study.runs": "3", "study.width": "8"}
    fewer = {
        "figure_3": "line1_ns,line1_gan_gp",
        "figure_4": "line2_ns,line2_dragan_ns",
        "figure_5": "line1_ns,line2_gan_gp",
        "figure_paths": "line1_ns,line1_gan_gp",
    }
    if name in fewer:
        least["figure.studies"] = fewer[name]
    if name == "figure_5":
        least["figure.dimensions"] = "2"
    if name == "figure_2":
        least = {}
    return config.override(experiments.get(name), least | {key.replace("__", "."): text for key, text in texts.items()})


class TestDivergence:
    m, s = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, -1.0])

    def js(self, c, directions):
        return divergence.jensen_shannon(self.m, self.s, c, np.array(directions).T)

    def test_equal_distributions_are_at_zero_whatever_spans_them(self):
        assert self.js(self.m, [self.s]) == pytest.approx(0.0, abs=1e-12)
        assert self.js(self.m, [-0.6 * self.s, 0.8 * self.s]) == pytest.approx(0.0, abs=1e-12)

    def test_lines_that_are_not_the_same_are_at_log_2(self):
        aside = np.array([1.0, 0.0, 2.0])  # Orthogonal to s.
        for step in (1.0, 1e-6):
            assert self.js(self.m + step * aside, [self.s]) == math.log(2)
            assert self.js(self.m, [self.s, step * aside]) == math.log(2)
        assert self.js(self.m, [0.0 * self.s]) == math.log(2)

    @pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 3.0), (-2.0, 0.01), (40.0, 1.0)])
    def test_on_one_line_against_a_sum_over_a_grid(self, shift, scale):
        found = self.js(self.m + shift * self.s, [scale * self.s])
        y = np.unique(np.concatenate([np.linspace(-12, 12, 400_001), shift + scale * np.linspace(-12, 12, 400_001)]))
        p, q = scipy.stats.norm.pdf(y), scipy.stats.norm.pdf(y, shift, scale)
        middle = (p + q) / 2
        parts = [np.where(one > 0, one * np.log(np.maximum(one, 1e-300) / middle), 0.0) for one in (p, q)]
        assert found == pytest.approx(np.trapezoid(sum(parts) / 2, y), abs=1e-6)


class TestConfig:
    @pytest.mark.parametrize(
        ("name", "path", "text", "message"),
        [
            ("figure_5", "study.dimension", "8", "study.dimension: expected nothing with a figure"),
            ("figure_5", "study.latents", "2", "study.latents: expected nothing with a figure"),
            (
                "figure_5",
                "figure.dimensions",
                "2,x",
                "figure.dimensions: expected numbers of at least 2, received '2,x'",
            ),
            ("figure_5", "figure.dimensions", "1,2", "figure.dimensions: expected numbers of at least 2"),
            ("figure_5", "figure.dimensions", "8,8", "figure.dimensions: expected each number once"),
            ("figure_3", "figure.dimensions", "4", "expected '2' where a plane is drawn"),
            ("figure_paths", "figure.dimensions", "2,4", "figure.dimensions: expected one number"),
            ("figure_3", "figure.shown_run", "1000", "figure.shown_run: expected one of the 1000 runs, received 1000"),
            ("figure_5", "variant.discriminator_steps", "2", "variant: expected nothing with a figure"),
            ("figure_2", "figure.studies", "line1_ns", "figure.studies: expected names, or none for 'gradients' alone"),
            ("figure_1", "figure.studies", "", "figure.studies: expected names, or none for 'gradients' alone"),
            ("figure_1", "figure.studies", "line1_ns,line1_minimax", "figure.studies: expected one name for a path"),
            ("figure_5", "figure.studies", "line1_ns,line1_ns", "figure.studies: expected each name once"),
            ("figure_5", "figure.dimensions", "2,02", "figure.dimensions: expected each number once"),
            ("figure_5", "figure.drawing", "path", "figure.studies: expected one name for a path"),
            ("figure_3", "study.players", "false", "study.players: expected True for 'snapshots', received False"),
            ("figure_5", "study", "none", "study: expected one beside figure.studies"),
            ("figure_1", "figure.drawing", "paths", "unknown figure.drawing 'paths'; did you mean 'path'"),
        ],
    )
    def test_what_has_no_meaning_is_refused(self, name, path, text, message):
        with pytest.raises(config.InputError, match=message):
            config.override(experiments.get(name), {path: text})

    @pytest.mark.parametrize(
        ("name", "names", "message"),
        [
            ("figure_5", "line1_nss", "did you mean 'line1_ns'"),
            ("figure_5", "cifar10_ns", "expected experiments on lines, received 'cifar10_ns'"),
            ("figure_3", "line1_ns,line2_ns", "expected variants of one experiment"),
            ("figure_3", "line1_ns,line1_wgan_gp", "as many discriminator updates to a step"),
            ("figure_paths", "line1_ns,line2_ns", "expected variants of one experiment"),
        ],
    )
    def test_studies_are_experiments_on_lines_that_go_together(self, name, names, message, tmp_path):
        with pytest.raises(config.InputError, match=message):
            figures.run(small(name, figure__studies=names), tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestStudies:
    def test_each_study_in_each_dimension_as_the_figure_says(self):
        made = figures.studies(config.override(experiments.get("figure_5"), {"seed": "3", "study.start": "parallel"}))
        names = [f"line{number}_{variant}" for number in (1, 2) for variant in ("ns", "gan_gp", "dragan_ns", "wgan_gp")]
        assert [(one.name, one.study.dimension) for one in made] == list(itertools.product(names, (2, 8, 32)))
        for one in made:
            assert one.study.latents == (1 if one.name.startswith("line1") else 3)
            assert (one.seed, one.study.start, one.study.runs) == (3, "parallel", 1000)
            assert one.variant == experiments.get(one.name).variant

    def test_all_players_get_the_same_number_of_discriminator_updates(self):
        for one in figures.studies(experiments.get("figure_5")):
            assert one.schedule.steps * one.variant.discriminator_steps == 4000
            assert one.schedule.steps / one.schedule.log_every == 20

    def test_the_products_of_a_study_counted_by_hand(self):
        one = config.override(
            experiments.get("line1_wgan_gp"),
            {"study.runs": "1", "schedule.steps": "1", "study.dimension": "3", "study.width": "5"},
        )
        # 3 to 5, 5 to 5, 5 to 1: 45 products and sums for each of 64 examples; 62 passes (5 updates of 10, and 2).
        assert figures._products(one) == 2 * 45 * 64 * 52

    def test_finished_runs_take_no_more_time(self):
        one = config.override(experiments.get("line1_ns"), {"study.runs": "10"})
        assert figures.seconds([one, one], [10, 12]) == 0
        assert figures.seconds([one], [0]) > 0


def ways_rows(distances, climbed, rises):
    return [
        {"run": 0, "step": 10 * index, "squared_distance": d, "climbed": c, "rises": r}
        for index, (d, c, r) in enumerate(zip(distances, climbed, rises, strict=True))
    ]


def test_ways_of_a_run_by_hand():
    rows = ways_rows([4.0, 5.0, 0.2, 0.3], [0.0, 1.5, 0.4, 0.2], [0.0, 0.6, 0.2, 0.7])
    (way,) = study.ways(rows, 1)
    assert way == {
        "run": 0,
        "initial": 4.0,
        "final": 0.3,
        "arrived": 20,
        "near": True,
        "rises": pytest.approx(0.5),
        "climbed": pytest.approx(2.1 / 3.7),
        "rises_arriving": pytest.approx(0.4),
        "climbed_arriving": pytest.approx(1.9 / 3.8),
    }


def test_ways_of_runs_that_fail():
    nothing = {"rises": None, "climbed": None, "rises_arriving": None, "climbed_arriving": None}
    (never,) = study.ways(ways_rows([4.0, 0.41], [0.0, 0.0], [0.0, 0.0]), 1)
    assert (never["near"], never["arrived"], never["rises_arriving"]) == (False, None, None)
    (passed,) = study.ways(ways_rows([4.0, 0.1, 3.0], [0.0, 0.0, 2.9], [0.0, 0.0, 0.9]), 1)
    assert (passed["near"], passed["arrived"], passed["rises"]) == (False, 10, pytest.approx(0.45))
    (lost,) = study.ways(ways_rows([4.0, None], [0.0, None], [0.0, None]), 1)
    assert lost == {"run": 0, "initial": 4.0, "final": None, "arrived": None, "near": False, **nothing}
    found = study.found([{**row, "run": 0} for row in ways_rows([4.0, 0.1, 3.0], [0.0, 0, 2.9], [0.0, 0, 0.9])], 1)
    assert (found["failed_share"], found["never_near_share"]) == (1.0, 0.0)


def test_figure_paths_is_about_runs_that_end_near_equilibrium():
    cells = []
    for name, ends in (("line1_ns", (0.2, 0.1, 3.0)), ("line1_gan_gp", (3.0, 2.0, None))):
        rows = []
        for run, end in enumerate(ends):
            lost = end is None
            rows += [
                {"run": run, "step": 0, "squared_distance": 4.0, "rises": 0.0, "climbed": 0.0},
                {"run": run, "step": 9, "squared_distance": end, "rises": None if lost else 0.1 * (run + 1)}
                | {"climbed": None if lost else 0.38},
            ]
        cells.append(figures.Cell(config.override(experiments.get(name), {"study.runs": "3"}), rows))
    drawing = figures._rises(small("figure_paths"), cells)
    assert [row["near"] for row in drawing.rows] == [True, True, False, False, False, False]
    assert drawing.metrics["ns_near_runs"] == 2
    assert drawing.metrics["ns_rises_50"] == drawing.metrics["ns_rises_arriving_50"] == pytest.approx(0.15)
    assert drawing.metrics["ns_climbed_95"] == pytest.approx(0.1 - 0.05 * (0.1 - 0.38 / 3.9))
    assert "NS-GAN, 10,000 steps: on 15 % (10.5 % to 19.5 %) of the steps up to its arrival" in drawing.finding
    assert "GAN-GP, 10,000 steps: no run ended there" in drawing.finding


class TestRun:
    @pytest.mark.parametrize("name", FIGURES)
    def test_one_command_leaves_a_picture_rows_and_a_sentence(self, name, tmp_path):
        texts = {"figure__dimensions": "2,3", "figure__studies": "line2_wgan_gp"} if name == "figure_5" else {}
        outcome = figures.run(small(name, **texts), tmp_path)
        picture = PIL.Image.open(tmp_path / "figure.png")
        assert picture.width == 1200
        assert len(picture.convert("RGB").getcolors(maxcolors=2**20)) > 20
        rows = results.read_rows(tmp_path / "metrics.jsonl")
        assert rows
        known = json.loads((tmp_path / "results.json").read_text())
        assert known["finding"] == outcome.finding
        assert all(math.isfinite(value) for value in known["metrics"].values())
        assert outcome.finding in figures.farewell(outcome, "command")

    def test_finished_studies_are_not_made_again_and_more_runs_are_added(self, tmp_path, monkeypatch):
        once = small("figure_5")
        figures.run(once, tmp_path)
        rows = {path: path.read_text() for path in tmp_path.glob("studies/*/metrics.jsonl")}
        assert {path.parent.name for path in rows} == {"line1_ns_d2", "line2_gan_gp_d2"}
        with monkeypatch.context() as patch:
            patch.setattr(study, "build", None)  # Would have to be called to train.
            figures.run(once, tmp_path)
        figures.run(small("figure_5", study__runs="4"), tmp_path)
        for path, text in rows.items():
            assert path.read_text().startswith(text)
            assert len(results.read_rows(path)) == 4 * 6

    def test_a_stop_between_studies_draws_nothing_and_goes_on(self, tmp_path, monkeypatch):
        # A signal in the last moment of a study ends the figure too.
        stopped = study.Outcome(results.RunDirectory(tmp_path), 3, True, signal.SIGINT)
        with monkeypatch.context() as patch:
            patch.setattr(study, "run", lambda *args, **options: stopped)
            outcome = figures.run(small("figure_3"), tmp_path)
        assert (outcome.finding, outcome.stopped_by) == (None, signal.SIGINT)
        assert not (tmp_path / "figure.png").exists()
        assert "the command" in figures.farewell(outcome, "the command")
        assert figures.run(small("figure_3"), tmp_path).finding

    def test_another_figure_is_refused(self, tmp_path):
        figures.run(small("figure_1"), tmp_path)
        with pytest.raises(config.InputError, match="holds another experiment: study.start"):
            figures.run(small("figure_1", study__start="random"), tmp_path)
        before = (tmp_path / "config.json").read_text()
        with pytest.raises(config.InputError, match="schedule.steps=10 .* received 12"):
            figures.run(small("figure_1", schedule__steps="12"), tmp_path)
        assert (tmp_path / "config.json").read_text() == before

    @pytest.mark.parametrize(
        ("name", "lost"), [("figure_1", [1]), ("figure_1", [0, 1, 2]), ("figure_3", [0]), ("figure_4", [0])]
    )
    def test_a_run_that_is_not_finite_does_not_spoil_a_figure(self, name, lost, tmp_path, monkeypatch):
        reset = ensemble.Ensemble.reset

        def planted(block, first):
            reset(block, first)
            offset = block._linear.offset.numpy()
            for run in lost:
                if first <= run < first + block.runs:
                    offset[run - first] = np.nan
            block._linear.offset.assign(offset)

        monkeypatch.setattr(ensemble.Ensemble, "reset", planted)
        if len(lost) == 3:
            with pytest.raises(config.RunError, match="no run is finite"):
                figures.run(small(name), tmp_path)
            return
        figures.run(small(name), tmp_path)
        known = json.loads((tmp_path / "results.json").read_text())["metrics"]
        assert next(value for key, value in known.items() if key.endswith("runs_not_finite")) == len(lost)
        shown = {row["run"] for row in results.read_rows(tmp_path / "metrics.jsonl") if "run" in row}
        # Figure 3 shows run 0 whatever becomes of it.
        assert shown == set(lost) if name == "figure_3" else not shown & set(lost)

    def test_figure_4_shows_the_run_that_the_first_study_leaves_furthest(self, tmp_path):
        figures.run(small("figure_4", study__runs="5"), tmp_path)
        rows = results.read_rows(tmp_path / "studies" / "line2_ns_d2" / "metrics.jsonl")
        ends = {row["run"]: row["squared_distance"] for row in rows if row["step"] == 10}
        shown = {row["run"] for row in results.read_rows(tmp_path / "metrics.jsonl")}
        assert shown == {max(ends, key=ends.get)}
        assert [(row["variant"], row["step"]) for row in results.read_rows(tmp_path / "metrics.jsonl")] == list(
            itertools.product(("ns", "dragan_ns"), (0, 4, 10))
        )

    def test_the_distance_in_the_rows_is_that_of_the_players_in_them(self, tmp_path):
        figures.run(small("figure_3"), tmp_path)
        for row in results.read_rows(tmp_path / "metrics.jsonl"):
            m, s, c = (np.array(row[name]) for name in ("mean", "direction", "offset"))
            (column,) = np.array(row["directions"]).T
            expected = ((m - c) ** 2).sum() + (s**2).sum() + (column**2).sum() - 2 * abs(column @ s)
            assert row["squared_distance"] == pytest.approx(expected, rel=1e-4)


def test_figure_2_is_what_the_formulas_say(tmp_path):
    figures.run(experiments.get("figure_2"), tmp_path)
    rows = results.read_rows(tmp_path / "metrics.jsonl")
    places, outputs = [row for row in rows if "x" in row], [row for row in rows if "x" not in row]
    for row in places:
        # The best discriminator between N(0, 1) and N(4, 1), from the densities themselves.
        p, q = scipy.stats.norm.pdf(row["x"]), scipy.stats.norm.pdf(row["x"], 4.0)
        d = p / (p + q)
        assert row["probability"] == pytest.approx(d, rel=1e-4)
        assert row["minimax"] == pytest.approx(4 * d, rel=1e-4)
        assert row["non_saturating"] == pytest.approx(4 * (1 - d), rel=1e-4, abs=1e-5)
    for row in outputs:
        assert row["minimax"] == pytest.approx(math.log1p(-row["probability"]), rel=1e-4)
        assert row["non_saturating"] == pytest.approx(-math.log(row["probability"]), rel=1e-4)


def drawn(name, tmp_path, monkeypatch):
    """The matplotlib figures that a figure's picture is made of."""
    kept = []
    png = plots.png

    def keep(draw, *args, **kwargs):
        kept.append(draw(*args))
        return png(draw, *args, **kwargs)

    monkeypatch.setattr(plots, "png", keep)
    figures.run(small(name), tmp_path)
    return kept


@pytest.mark.parametrize("name", ["figure_1", "figure_2", "figure_3", "figure_paths"])
def test_every_picture_names_its_axes_and_its_lines(name, tmp_path, monkeypatch):
    (picture,) = drawn(name, tmp_path, monkeypatch)
    axes = picture.axes
    assert any(one.get_xlabel() for one in axes)
    assert any(one.get_ylabel() for one in axes)
    named = {text for one in axes for text in (one.get_xlabel(), one.get_ylabel(), one.get_title()) if text}
    expected = {
        "figure_1": {"step", "d²", "nats", "first coordinate"},
        "figure_2": {"x", "D(G(z))", "loss, nats"},
        "figure_3": {"first coordinate", "NS-GAN\nsecond coordinate", "GAN-GP\nsecond coordinate", "step 10"},
        "figure_paths": {"share of steps on which d² rose", "all rises together / net descent of d²"},
    }
    assert expected[name] <= named


def test_rises_and_dimensions_are_drawn_where_their_rows_say():
    rows = [
        {"variant": variant}
        | dict.fromkeys(("rises", "rises_arriving"), share)
        | dict.fromkeys(("climbed", "climbed_arriving"), 10 * share)
        for variant, shares in {"ns": (0.3, 0.1, 0.2), "gan_gp": (0.5,)}.items()
        for share in shares
    ]
    often, far, *_ = plots.rises(rows).axes
    lines = {line.get_label(): line for line in often.lines}
    assert set(lines) == {"NS-GAN (3 runs)", "GAN-GP (1 runs)"}
    np.testing.assert_allclose(lines["NS-GAN (3 runs)"].get_xydata(), [(0.1, 1 / 3), (0.2, 2 / 3), (0.3, 1)])
    assert far.get_xscale() == "log"
    cell = {"experiment": "one", "variant": "ns", "failed_share": 0.25, "initial_distance_mean": 9.0}
    cell |= {"distance_mean": 2.0, "distance_mean_low": 1.5, "distance_mean_high": 2.5, "distance_median": 1.0}
    above, below = plots.dimensions([{**cell, "dimension": d} for d in (8, 2)]).axes
    np.testing.assert_allclose(below.lines[0].get_xydata(), [(2, 0.25), (8, 0.25)])
    np.testing.assert_allclose([ends[:, 1] for ends in above.collections[0].get_segments()], [(1.5, 2.5)] * 2)


def test_variants_differ_in_more_than_colour():
    looks = [(str(dash), marker) for _, _, dash, marker in plots._VARIANTS.values()]
    assert len({dash for dash, _ in looks}) == len({marker for _, marker in looks}) == len(looks) == 7


def test_a_picture_is_small_and_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    made = plots.png(plots.rises, [])
    assert dict(matplotlib.rcParams) == before
    assert PIL.Image.open(io.BytesIO(made)).width == 1200
    assert len(made) < 60_000
