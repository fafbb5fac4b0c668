"""The section of a report about sweeps: its table, charts and sample grids, and what a stranger may have written."""

import html.parser
import io
import json
import os
import pathlib
import re
import shutil
import urllib.parse

import numpy as np
import PIL.Image
import pytest

from tfpaths import config, errors, experiments, files, plotting, space
from tfpaths.runs import report as page
from tfpaths.runs import results, rows
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import runs as runs_lib
from tfpaths.sweeps import gallery, listing, plan, plots, report, trials
from tfpaths.sweeps.trials import Trials

RATE, OTHER_RATE = (f"variant.{player}_optimizer.learning_rate" for player in ("generator", "discriminator"))
EVIL = """<script>document.title="taken"</script><img src=x onerror=alert(1)>"'&$x_1^$"""


class Page(html.parser.HTMLParser):
    """The elements of a page, and the cells of each table by its id."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.tables, self._table, self._in_cell = [], {}, [], False
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self._table = self.tables.setdefault(dict(attrs).get("id"), [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("th", "td"):
            self._table[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data):
        if self._in_cell:
            self._table[-1][-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module", autouse=True)
def charts_drawn_once():
    """Draws each chart once for this module: the same function of the same values gives the same bytes."""
    draw, made = plotting.svg, {}

    def drawn(function, *args):
        # A nested function also draws what it captured, which the arguments do not say. NumPy abbreviates long arrays.
        with np.printoptions(floatmode="unique"):
            text = repr(args)
        if function.__closure__ or "..." in text:
            return draw(function, *args)
        key = (function, text)
        if key not in made:
            made[key] = draw(function, *args)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotting, "svg", drawn)
        yield


def grid(path, level=90):
    content = io.BytesIO()
    PIL.Image.new("RGB", (400, 300), (level, level, level)).save(content, format="PNG")
    files.write_bytes(path, content.getvalue())


@pytest.fixture
def sweep(tmp_path):
    """Writes a sweep of training runs: both rates at once × the weight, for two variants; every fourth trial fails."""

    def made(name="a", ended=12, change=lambda row: row, finished=True, variants=("ns", "gan_gp")):
        axes = (
            space.Choice(paths=(RATE, OTHER_RATE), values=((1e-4, 1e-4), (1e-3, 1e-3), (1e-2, 1e-2))),
            space.Choice(paths=("variant.penalty.weight",), values=((1.0,), (10.0,))),
        )
        swept = tuple(experiments.get(f"color_mnist_{variant}") for variant in variants)
        value = plan.complete(config.Sweep(name="toy", experiments=swept, space=axes))
        directory = RunDirectory(tmp_path / name)
        directory.path.mkdir()
        directory.write_config(value)
        written = []
        for job in plan.jobs(value):
            for number, fields in zip(job.trials, job.settings, strict=True):
                row = {"step": 9, "trial": number, "experiment": job.experiment, "job": job.name}
                if number % 4 == 3:
                    row |= {"status": "failed", "why": "NaN in step 7.", **fields}
                else:
                    score = 10.0 + number + 100 * (job.experiment == "color_mnist_gan_gp")
                    row |= {"status": "finished", **fields, "frechet_classifier_distance": score, "modes_covered": 7}
                written.append(change(row))
            grid(directory.path / "trials" / job.name / "samples" / "step_00000002.png")
            grid(directory.path / "trials" / job.name / "samples" / "step_00000009.png")
        rows.rewrite_rows(directory.path / "trials.jsonl", written[:ended])
        if finished:
            content = results.summary(value, 9, {"color_mnist_ns_trials": 6}, {"trials": 6}, device="CPU")
            files.write_json(directory.results, {**content, "finding": "Nothing."})
            files.write_bytes(directory.path / "figure.png", plotting.png(plotting.matplotlib.figure.Figure, width=40))
        return directory.path

    return made


@pytest.fixture
def study(tmp_path):
    """Writes a sweep of studies with random rates; the score of a trial is its rate, and every tenth is not finite."""

    def made(count=20, names=("line1_ns", "line1_gan_gp")):
        axis = space.Range(paths=(RATE,), scale="log", low=1e-4, high=1e-1)
        swept = tuple(experiments.get(name) for name in names)
        value = plan.complete(config.Sweep(name="toy", experiments=swept, space=(axis,), trials=count))
        directory = RunDirectory(tmp_path / "study")
        directory.path.mkdir()
        directory.write_config(value)
        written = []
        for job in plan.jobs(value):
            (directory.path / "trials" / job.name).mkdir(parents=True)
            for number, fields in zip(job.trials, job.settings, strict=True):
                final = None if number % 10 == 9 else fields[RATE]
                written.append({"step": 4, "trial": number, "experiment": job.experiment, "job": job.name})
                written[-1] |= {"status": "finished", **fields, "final": final, "best": 0.5, "initial": 2.0}
        rows.rewrite_rows(directory.path / "trials.jsonl", written)
        return directory.path

    return made


def read(path):
    (run,) = runs_lib.read([str(path)])
    return Trials.read(run)


def table(path):
    """(headings, rows) of the table of trials on a sweep's page."""
    headings, *body = Page(page.write([str(path)])).tables["sweep-trials-1-table"]
    return headings, body


def test_table_has_every_trial(sweep):
    headings, body = table(sweep())
    assert headings == [
        *("trial", "experiment", "status", "why", "samples", "learning_rate", "weight"),
        *("Fréchet classifier distance", "modes covered"),
    ]
    assert len(body) == 12
    assert body[:2] == [
        ["0", "color_mnist_ns", "finished", "–", "step 9", "0.0001", "–", "10", "7"],
        ["1", "color_mnist_ns", "finished", "–", "step 9", "0.0001", "–", "11", "7"],
    ]
    assert ["3", "color_mnist_gan_gp", "failed", "NaN in step 7.", "step 9", "0.001", "10", "–", "–"] in body


def test_headings_have_the_paths_as_tooltips(sweep):
    titles = [attrs.get("title") for attrs in Page(page.write([str(sweep())])).all("th")]
    assert {f"{RATE} = {OTHER_RATE}", "variant.penalty.weight"} <= set(titles)


def test_short_names_are_not_those_of_other_columns(study):
    assert list(listing.fields(read(study()))) == ["learning_rate"]
    short = trials.short_names([RATE, OTHER_RATE, "study.width", "seed"], taken=["width"])
    assert list(short.values()) == [
        *("generator_optimizer.learning_rate", "discriminator_optimizer.learning_rate", "study.width", "seed"),
    ]


@pytest.mark.parametrize("out", [None, "elsewhere/deep/page.html"])
def test_links_lead_from_the_page_to_existing_files(out, sweep, tmp_path):
    path = sweep("50 % #1")
    if out is not None:
        (tmp_path / out).parent.mkdir(parents=True)
    written = page.write([str(path)], None if out is None else str(tmp_path / out))
    links = [attrs["href"] for attrs in Page(written).all("a") if not attrs["href"].startswith("#")]
    if out is None:
        assert "trials/color_mnist_gan_gp-00000/samples/step_00000009.png" in links
    else:
        assert "../../50%20%25%20%231/trials/color_mnist_gan_gp-00000" in links
    targets = {os.path.normpath(written.parent / urllib.parse.unquote(link)) for link in links}
    directories = set(map(str, (path / "trials").iterdir()))
    assert targets == directories | {f"{job}/samples/step_00000009.png" for job in directories}
    assert all(map(os.path.exists, targets))


def test_trial_without_a_directory_has_no_link(sweep):
    path = sweep()
    shutil.rmtree(path / "trials")
    parsed = Page(page.write([str(path)]))
    assert all(attrs["href"].startswith("#") for attrs in parsed.all("a"))
    assert "samples" not in parsed.tables["sweep-trials-1-table"][0]


def test_unfinished_sweep_says_how_far_it_is(sweep):
    text = page.write([str(sweep(ended=5, finished=False))]).read_text()
    assert "Run 1 is not finished: 5 of 12 trials have ended." in text
    assert len(read(sweep("b", ended=5)).ended) == 5


def test_results_of_fewer_trials_are_named_so(sweep):
    text = page.write([str(sweep(ended=11))]).read_text()
    assert "11 of 12 trials have ended. Its results and its picture are those of a smaller number of trials." in text
    assert "is not finished" not in page.write([str(sweep("b"))]).read_text()


def test_sweep_without_a_trial_has_no_table(sweep):
    text = page.write([str(sweep(ended=0, finished=False))]).read_text()
    assert "Run 1 is not finished: 0 of 12 trials have ended." in text
    assert 'id="sweep-trials"' not in text


def test_progress_counts_each_trial_of_the_sweep_once(sweep):
    path = sweep(ended=3, finished=False)
    first, *_ = rows.read_rows(path / "trials.jsonl")
    others = [first, {**first, "experiment": "another"}, {**first, "trial": 6}, {**first, "trial": "0"}]
    rows.append_rows(path / "trials.jsonl", others)
    assert read(path).progress == "3 of 12 trials have ended."


def test_summary_by_experiment(sweep):
    rows_of = {row.name: row.cells for row in report.by_experiment(read(sweep())).rows}
    # Trial 3 of 0 to 5 failed; the score is 10 + trial.
    assert rows_of["color_mnist_ns"] == ["6", "1", "10", "12", "15"]
    assert rows_of["color_mnist_gan_gp"] == ["6", "1", "110", "112", "115"]


def test_distance_that_is_not_finite_counts_as_failed(study):
    (row, _) = report.by_experiment(read(study())).rows
    assert row.cells[:2] == ["20", "2"]


def test_long_results_are_folded(sweep):
    path = sweep()
    content = json.loads((path / "results.json").read_text())
    files.write_json(path / "results.json", {**content, "metrics": {f"number_{index}": index for index in range(40)}})
    text = page.write([str(path)]).read_text()
    assert "<summary>The numbers behind the pictures: 40 rows</summary>" in text
    assert "The numbers behind the pictures: 1 rows" not in page.write([str(sweep("b"))]).read_text()


# Charts


def test_box_plots_are_not_shown_twice(sweep, study):
    assert plots.boxes(read(sweep())) is None
    unfinished = plots.boxes(read(sweep("b", finished=False)))
    assert [chart.title for chart in unfinished.charts] == ["Fréchet classifier distance", "modes covered"]
    assert "NS-GAN: 6 trials, 1 failed, median 12, quartiles 11 and 14, from 10 to 15" in unfinished.charts[0].text
    assert [chart.title for chart in plots.boxes(read(study())).charts] == ["final / initial squared distance"]


def test_boxes_are_the_quartiles():
    values = {"NS-GAN": np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])}
    (axes,) = plots._draw_boxes(values, {"NS-GAN": plotting.look("ns")}, "modes").axes
    box, *_ = axes.lines
    assert sorted(set(box.get_ydata().tolist())) == [2.0, 4.0]
    assert [text.get_text() for text in axes.texts] == ["17 % ✕"]  # 1 of 6


def test_scatter_of_every_field(sweep):
    drawn = plots.scatters(read(sweep()))
    assert [chart.title for chart in drawn.charts] == ["learning_rate", "weight"]
    assert [name for _, name in drawn.legend] == ["NS-GAN", "GAN-GP"]
    # Trials 0 and 1 have the first rate, 2 and 3 the second one; trial 3 failed.
    assert "NS-GAN: 6 trials, 1 failed, median 10.5 at 0.0001, 12 at 0.001, 14.5 at 0.01" in drawn.charts[0].text
    # NS-GAN has no penalty.
    assert drawn.charts[1].text.startswith("Fréchet classifier distance by weight. GAN-GP: 6 trials")


def points(places, values):
    return plots._Points("NS-GAN", plotting.look("ns"), np.array(places, float), np.array(values, float))


def test_scatter_draws_failed_trials_above_the_chart():
    places = np.geomspace(1e-4, 1e-1, 60)
    values = np.where(np.arange(60) % 6 == 0, np.nan, places)
    (axes,) = plots._draw_scatter([points(places, values)], "modes", True, "rate").axes
    assert axes.get_xscale() == "log"
    finite, failed, medians = axes.lines
    np.testing.assert_allclose(finite.get_xdata(), places[~np.isnan(values)])
    np.testing.assert_allclose(failed.get_xdata(), places[np.isnan(values)])
    assert (failed.get_ydata() > 1).all()
    assert len(medians.get_xdata()) == 10


def test_median_along_a_field_counts_failed_trials_as_the_worst():
    where = np.zeros(3)
    _, median = plots._medians(points([0, 0, 0], [1.0, 2.0, np.nan]), where, False, True, "final")
    assert median == [2.0]
    _, median = plots._medians(points([0, 0, 0], [1.0, 2.0, np.nan]), where, False, True, "classifier_score")
    assert median == [1.0]
    _, median = plots._medians(points([0, 0, 0], [1.0, np.nan, np.nan]), where, False, True, "final")
    assert np.isnan(median)


def test_fields_that_change_together_are_one_chart(study, tmp_path):
    value = read(study()).config
    axis = space.Choice(paths=("study.width", "schedule.steps"), values=((8, 100), (16, 200)))
    run = runs_lib.Run(1, "a", RunDirectory(tmp_path), value.replace(space=(axis,)), [], None)
    made = [{"study.width": width, "schedule.steps": steps} for width, steps in axis.values]
    ended = [trials.Trial(0, "line1_ns", "", False, "", fields, {"final": 0.5}) for fields in made]
    assert plots._numeric_fields(Trials(run, run.config, ended)) == ({"width": "study.width"}, {"width": ["steps"]})


def test_studies_of_other_dimensions_have_charts_of_their_own(study):
    found = read(study(names=("line1_ns", "line1_gan_gp", "line2_ns")))
    assert [group.title for group in found.groups] == ["line1_…", "line2_ns"]
    assert [chart.title for chart in plots.scatters(found).charts] == [
        "learning_rate, line1_…",
        "learning_rate, line2_ns",
    ]


# Sample grids


def test_gallery_shows_the_last_grids_in_order(sweep):
    # NS-GAN has no penalty, so that its six trials are three runs.
    first, second = gallery.galleries(read(sweep()))
    assert first.title == "Run 1, color_mnist_ns: 3 runs, ordered by Fréchet classifier distance, the best first"
    captions = [small.caption for small in second.grids]
    assert captions[0] == "trial 0, Fréchet classifier distance 110, learning_rate 0.0001, weight 1"
    assert captions[-1] == "trial 3 (failed), learning_rate 0.001, weight 10"
    assert {small.step for small in second.grids} == {9}
    assert PIL.Image.open(io.BytesIO(second.grids[0].jpeg)).size == (240, 180)


def test_gallery_of_many_trials_has_the_best_and_the_worst(sweep, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_GRIDS", 4)
    first, second = gallery.galleries(read(sweep()))
    assert "the 1 best and the 1 worst of 3 runs" in first.title
    assert [small.caption.partition(",")[0] for small in second.grids] == ["trial 0", "trial 3 (failed)"]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff" * 999])
def test_grid_that_is_no_picture_is_left_out(content, sweep):
    path = sweep()
    for file in path.rglob("step_00000009.png"):
        file.write_bytes(content)
    assert [list(one.grids) for one in gallery.galleries(read(path))] == [[], []]
    assert "Sample grids of the trials" in page.write([str(path)]).read_text()


def test_texts_are_shown_as_texts(sweep):
    path = sweep()
    for file in path.rglob("step_00000009.png"):
        file.unlink()
        file.with_suffix(".txt").write_text(EVIL)
    parsed = Page(page.write([str(path)]))
    assert len(parsed.all("pre")) == 9
    assert len(parsed.all("script")) == 1


# What a stranger may have written


def test_hostile_text_is_escaped(sweep):
    def evil(row):
        return {**row, "why": EVIL, "experiment": EVIL, "variant.penalty.weight": EVIL, EVIL: 3.5, "status": "failed"}

    parsed = Page(page.write([str(sweep(change=evil))]))
    assert not [attrs for attrs in parsed.all("img") if attrs["src"] == "x"]
    assert len(parsed.all("script")) == 1
    headings, first, *_ = parsed.tables["sweep-trials-1-table"]
    assert EVIL.replace("_", " ") in headings
    assert first[1:4] == [EVIL, "failed", EVIL]
    assert first[6] == EVIL


@pytest.mark.parametrize("job", ["..", "../../b", "", ".", "/etc", "a/../..", "x" * 5000, "\x00", 7, ["a"], None])
def test_job_that_is_no_name_has_neither_link_nor_picture(job, sweep):
    sweep("b")
    parsed = Page(page.write([str(sweep(change=lambda row: {**row, "job": job}))]))
    assert all(attrs["href"].startswith("#") for attrs in parsed.all("a"))
    assert not parsed.all("h4")


WRONG = [None, True, "text", ["a", 1], -1, 1e300, 1e-300, "\ud800", [[]]]


@pytest.mark.parametrize("kind", ["training", "study"])
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_values_of_a_wrong_type_count_as_missing(kind, wrong, sweep, study):
    path = study() if kind == "study" else sweep(finished=False)
    good, *others = rows.read_rows(path / "trials.jsonl")
    for name in good:
        bad = [{**row, name: wrong} if name != "step" else row for row in others[:3]]
        files.write_bytes(path / "trials.jsonl", "".join(json.dumps(row) + "\n" for row in [good, *bad]).encode())
        assert page.write([str(path)]).stat().st_size > 1000, name
    without = [{"step": 1}, {"step": 1, "trial": 0}]
    files.write_bytes(path / "trials.jsonl", "".join(json.dumps(row) + "\n" for row in without).encode())
    assert table(path)[1][0][0] == "–"


def test_invalid_rows_are_one_line(sweep):
    path = sweep()
    (path / "trials.jsonl").write_text("[1]\n")
    with pytest.raises(errors.InputError, match=r"trials.jsonl: expected a row in line 1, received b'\[1\]'"):
        page.write([str(path)])


# Many trials


def test_large_sweep_shows_the_best_of_each_experiment(study, monkeypatch):
    monkeypatch.setattr(listing, "MOST_ROWS", 6)
    found = listing.listing(read(study()))
    assert found.caption.endswith(
        "6 of 40 trials, 3 of each experiment with the smallest final; all are in trials.jsonl."
    )
    finals = [[cell.value for cell in row][-3] for row in found.rows]
    everything = sorted(row["final"] for row in rows.read_rows(read_path(found)) if row["final"] is not None)
    # Both experiments have the same settings, hence the same scores.
    assert finals == 2 * everything[:6:2]


def read_path(found):
    """The `trials.jsonl` beside the directories to which a table links."""
    return next(cell.link for row in found.rows for cell in row if cell.link).parents[1] / "trials.jsonl"


def test_page_about_18000_trials_is_small(study):
    path = page.write([str(study(9_000))])
    assert path.stat().st_size < 1_500_000
    text = path.read_text()
    assert "500 of 18,000 trials, 250 of each experiment with the smallest final; all are in trials.jsonl." in text
    assert text.count('<th scope="row"><a') == 500


# In a browser


def column(browser, index):
    script = "return [...document.querySelectorAll('.sortable tbody tr')].map(row => row.cells[arguments[0]].innerText)"
    return browser.execute_script(script, index)


def test_click_and_keyboard_sort_the_table(browser, sweep):
    from selenium.webdriver.common.keys import Keys

    # As texts, 9 would come after 100, and 1e-3 after 12.
    numbers = [12.0, 9.0, 100.0, 0.001, None]
    values = iter(numbers)
    path = sweep(ended=5, change=lambda row: {**row, "status": "finished", "distance": next(values, 0.0)})
    browser.get(page.write([str(path)]).as_uri())
    headings = browser.find_elements("css selector", ".sortable thead th")
    names = [heading.text for heading in headings]
    index = names.index("distance")
    assert column(browser, index) == ["12", "9", "100", "0.001", "–"]
    heading = headings[index]
    heading.find_element("tag name", "button").click()
    assert column(browser, index) == ["0.001", "9", "12", "100", "–"]
    assert column(browser, 0) == ["3", "1", "0", "2", "4"]
    assert heading.get_attribute("aria-sort") == "ascending"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert column(browser, index) == ["100", "12", "9", "0.001", "–"]
    assert heading.get_attribute("aria-sort") == "descending"
    browser.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    sorted_headings = browser.find_elements("css selector", ".sortable th[aria-sort]")
    assert [names.index(one.text.strip(" ▲")) for one in sorted_headings] == [index - 1]
    assert browser.get_log("browser") == []


def test_texts_are_sorted_as_texts(browser, sweep):
    browser.get(page.write([str(sweep())]).as_uri())
    browser.find_elements("css selector", ".sortable thead button")[1].click()
    assert column(browser, 1) == ["color_mnist_gan_gp"] * 6 + ["color_mnist_ns"] * 6
    # Rows that are equal keep their order.
    assert column(browser, 0) == list("012345" * 2)


def test_table_without_javascript_is_plain(browser, sweep):
    path = page.write([str(sweep())])
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(path.as_uri())
        assert not browser.find_elements("css selector", ".sortable button")
        assert not browser.find_element("class name", "how").is_displayed()
        shown = [cell.text for cell in browser.find_elements("css selector", ".sortable tbody th")]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert shown == list("012345" * 2)


@pytest.mark.parametrize("width", [400, 1280])
def test_page_fits_the_screen_width(width, browser, sweep):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    why = {"why": "a long reason " * 30}
    browser.get(page.write([str(sweep(change=lambda row: {**row, **why}))]).as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    images = browser.execute_script("return [...document.images].map(i => [i.naturalWidth, i.width])")
    assert len(images) > 12
    assert all(natural > 0 and 0 < wide <= width for natural, wide in images)
    tall = browser.execute_script("return document.querySelector('.high').clientHeight")
    assert tall <= 0.86 * 800


def test_hostile_text_does_not_run(browser, sweep):
    browser.get(page.write([str(sweep(change=lambda row: {**row, "why": EVIL, "status": "failed"}))]).as_uri())
    assert browser.title == "Report on a"
    assert set(column(browser, 3)) == {EVIL}
    assert browser.get_log("browser") == []
    # A link is followed, since the page's policy is about what it loads.
    link = browser.find_element("css selector", ".sortable tbody th a")
    assert pathlib.Path(urllib.parse.unquote(re.sub("^file://", "", link.get_attribute("href")))).is_dir()
