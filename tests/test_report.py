"""The report: what it reads and says, and how a browser, a keyboard and a small screen meet it."""

import base64
import dataclasses
import html.parser
import io
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from conftest import ROOT

from tfpaths import config, experiments, report, results, study
from tfpaths.report import curves, page, runs, tables

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
LOSSES = ("discriminator_loss", "generator_loss", "penalty")


def picture(level):
    content = io.BytesIO()
    PIL.Image.new("RGB", (40, 40), (level, level, level)).save(content, format="PNG")
    return content.getvalue()


def made(path, name="color_mnist_ns", *, steps=(0, 2, 4), scores=True, floor=1.5, **changes):
    """The directory of a run whose numbers say where they are from: losses 10 + step, grids of grey 10 * step."""
    value = dataclasses.replace(experiments.get(name), **changes)
    directory = results.RunDirectory(path)
    results.write_json(directory.config, config.to_dict(value))
    for step in steps:
        if step:
            results.append_row(directory.metrics, {"step": step, **dict.fromkeys(LOSSES, 10.0 + step)})
            results.append_row(directory.metrics, {"step": step, "frechet_classifier_distance": 100.0 / step})
        results.write_bytes(directory.samples / f"step_{step:08d}.png", picture(10 * step))
    if scores:
        summary = results.summary(value, steps[-1], {"frechet_classifier_distance": 100.0 / steps[-1]}, {"samples": 7})
        references = {"real": {"frechet_classifier_distance": floor}, "noise": {"frechet_classifier_distance": 321.0}}
        results.write_json(directory.results, summary | {"references": references})
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory, tiny_study):
    """(page, its place): two runs and a study."""
    folder = tmp_path_factory.mktemp("report")
    first = made(folder / "first")
    second = made(folder / "second", "color_mnist_wgan_gp", steps=(0, 3, 6), seed=5)
    place = report.write([str(first), str(second), str(tiny_study)], str(folder / "page.html"))
    return place.read_text(), place


class Page(html.parser.HTMLParser):
    """The elements of a page, and the text of each table's cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self._cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.tables[-1][-1][-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def test_the_page_asks_for_nothing_outside_itself(two):
    text, _ = two
    found = Page(text)
    for tag, attrs in found.elements:
        for name in ("src", "href", "data", "srcset", "action"):
            assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs[name][:80])
    assert not re.search(r"@import|url\(|https?://", re.sub(r"data:[^\"]*", "", text))
    # What is allowed to run is what is there, by its hash.
    (policy,) = [attrs["content"] for attrs in found.all("meta") if "http-equiv" in attrs]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert (
        policy == f"default-src 'none'; img-src data:; style-src {page._hash(style)}; script-src {page._hash(script)}"
    )


def test_the_page_can_be_heard_as_well_as_seen(two):
    found = Page(two[0])
    assert found.all("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in found.elements:
        for name in ("aria-labelledby", "for"):
            assert name not in attrs or attrs[name] in ids, attrs
        assert not attrs.get("href", "").startswith("#") or attrs["href"][1:] in ids
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    # A picture of nothing new, a piece of a line beside its name, has an empty text; all others say what they show.
    silent = [attrs for attrs in found.all("img") if not attrs["alt"]]
    assert all(attrs["class"] == "swatch" for attrs in silent)
    texts = [attrs["alt"] for attrs in found.all("img") if attrs["alt"]]
    assert "Samples of run 1, first, at step 2" in texts
    assert (
        "generator loss by step, to step 6. run 1, first: 12 at step 2; 14 at step 4. "
        "run 2, second: 13 at step 3; 16 at step 6."
    ) in texts
    assert len(found.all("th")) == sum(attrs.get("scope") in ("col", "row") for attrs in found.all("th"))


def luminance(colour):
    """Of `#rrggbb`: WCAG 2's relative luminance."""
    values = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_lines_stand_out():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    css = (ROOT / "tfpaths" / "report" / "page.css").read_text()
    of = dict(re.findall(r"--(\w+): (#\w{6})", css))
    for text, ground in (("ink", "#ffffff"), ("quiet", "#ffffff"), ("link", "#ffffff"), ("ink", of["mark"])):
        assert contrast(of[text], ground) >= 4.5, (text, ground)
    for colour in curves.COLOURS:
        assert contrast(colour, "#ffffff") >= 3
    looks = [tuple(map(str, curves.style(number).values())) for number in range(1, 25)]
    assert len(set(looks)) == 24


def test_the_last_table_stands_between_floor_and_ceiling(two):
    (final,) = [table for table in Page(two[0]).tables if table[0][0] == "metric" and "first" in table[0][1]]
    assert final == [
        ["metric", "1 first", "2 second", "real images (floor)", "noise (ceiling)"],
        ["Fréchet classifier distance", "25", "16.67", "1.5", "321"],
    ]


def test_floors_that_differ_are_told_apart(tmp_path):
    places = [made(tmp_path / "a", floor=1.5), made(tmp_path / "b", floor=2.5), made(tmp_path / "c", floor=1.5)]
    _, rows = tables.finals(runs.read([str(place) for place in places]))
    assert rows[0].cells[-2:] == ["1.5 (run 1, 3); 2.5 (run 2)", "321"]


def test_what_differs_is_marked_and_comes_first(tmp_path):
    places = [made(tmp_path / "a"), made(tmp_path / "b", seed=5), made(tmp_path / "c", "color_mnist_wgan")]
    found = tables.configs(runs.read([str(place) for place in places]))
    # The oracle: the difference of each pair, which tells runs in one directory apart.
    values = [results.RunDirectory(place).stored() for place in places]
    expected = set(config.differences(values[0], values[1])) | set(config.differences(values[0], values[2]))
    assert {row.name for row in found if row.differs} == expected
    assert [row.differs for row in found] == sorted([row.differs for row in found], reverse=True)
    cells = {row.name: row.cells for row in found}
    assert cells["seed"] == ["0", "5", "0"]
    assert cells["variant.weight_clip"] == ["none", "none", "0.01"]
    assert set(cells) == set().union(*map(config.flat, values))


def test_a_run_that_is_not_finished_says_so(tmp_path):
    place = report.write([str(made(tmp_path / "a", scores=False))])
    assert place == tmp_path / "a" / "report.html"
    assert "Run 1 is not finished: it has no results yet." in place.read_text()
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(tmp_path / "a" / "config.json", empty)
    text = report.write([str(empty)]).read_text()
    assert 'id="samples"' not in text
    assert 'id="curves"' not in text


def test_curves_have_the_rows_values_and_one_axis(tmp_path):
    places = [made(tmp_path / "a"), made(tmp_path / "b", steps=(0, 3, 6))]
    found = runs.read([str(place) for place in places])
    assert [chart.title for chart in curves.of_images(found)] == [
        *(name.replace("_", " ") for name in LOSSES),
        "Fréchet classifier distance",
    ]
    lines = [curves.Line(run, *run.values("penalty")) for run in found]
    (axes,) = curves._draw(lines, 6, False).axes
    assert axes.get_xlim() == (0, 6)
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn == [[[2, 12], [4, 14]], [[3, 13], [6, 16]]]
    assert [line.get_label() for line in axes.lines] == ["1", "2"]
    # The same drawing, the same bytes: a report made twice is one file.
    assert curves.of_images(found)[0].svg == curves.of_images(found)[0].svg


def test_the_interval_of_a_study_is_that_of_its_results(tiny_study):
    (run,) = runs.read([str(tiny_study)])
    found = study.found(run.rows, 3)
    mean, median = curves.of_studies([run])
    low, high = found["distance_mean_low"], found["distance_mean_high"]
    assert f"{found['distance_mean']:.3g} at step 4, interval {low:.3g} to {high:.3g}" in mean.text
    finals = [row["squared_distance"] for row in run.rows if row["step"] == 4]
    low, high = np.quantile(finals, [0.05, 0.95])
    assert f"{np.median(finals):.3g} at step 4, interval {low:.3g} to {high:.3g}" in median.text


def test_runs_that_ended_without_a_number_are_left_out_of_the_curves():
    rows = [{"step": step, "run": run, "squared_distance": value} for step, run, value in [(0, 0, 1.0), (0, 1, 3.0)]]
    rows += [{"step": 2, "run": 0, "squared_distance": 2.0}, {"step": 2, "run": 1, "squared_distance": None}]
    run = runs.Run(1, "a", experiments.get("line1_ns"), rows, None, {}, 0, None)
    assert [(step, values.tolist()) for step, values in curves._distances(run)] == [(0, [1.0, 3.0]), (2, [2.0])]
    mean, _ = curves.of_studies([run])
    # 1.96 * sqrt(2) / sqrt(2): the standard deviation of 1 and 3 is sqrt(2), and there are two.
    assert "2 at step 0; 2 at step 2, interval 2 to 2" in mean.text
    assert curves._mean(np.array([1.0, 3.0])) == pytest.approx((2.0, 0.04, 3.96))


def test_many_grids_are_thinned_evenly_and_it_says_so(tmp_path):
    assert runs.spread([0, 5, 7], 3) == [0, 5, 7]
    assert runs.spread(list(range(0, 41 * 500, 500)), 5) == [0, 5_000, 10_000, 15_000, 20_000]
    place = report.write([str(made(tmp_path / "a", steps=tuple(range(runs.MOST_GRIDS + 2))))])
    found = Page(place.read_text())
    assert len([attrs for attrs in found.all("img") if "data-step" in attrs]) == runs.MOST_GRIDS
    assert f"({runs.MOST_GRIDS} of {runs.MOST_GRIDS + 2} grids are here)" in place.read_text()


def test_a_figure_is_shown_with_what_it_found(tmp_path):
    directory = results.RunDirectory(tmp_path / "figure_2")
    value = experiments.get("figure_2")
    results.write_json(directory.config, config.to_dict(value))
    results.write_json(directory.results, results.summary(value, 1, {"gradient": 4.0}, {}) | {"finding": "It is <4>."})
    results.write_bytes(directory.path / "figure.png", picture(9))
    text = report.write([str(directory.path)]).read_text()
    assert "<p>It is &lt;4&gt;.</p>" in text
    assert base64.b64encode(picture(9)).decode() in text


EVIL = """<script>document.title="taken"</script><img src=x onerror=alert(1)>"'&$x_1^$"""


def test_text_of_a_run_is_text(tmp_path):
    data = config.Data(name="folder", path=EVIL)
    named = tmp_path / "<b>$x"
    place = report.write([str(made(named, "folder_ns", data=data))], str(tmp_path / "page.html"))
    found = Page(place.read_text())
    assert not [attrs for attrs in found.all("img") if attrs["src"] == "x"]
    assert len(found.all("script")) == 1
    assert not found.all("b")
    assert [row[1] for table in found.tables for row in table if row[0] == "data.path"] == [EVIL]


@pytest.mark.parametrize(
    ("workdirs", "out", "line"),
    [
        (["a", "none"], None, "expected the directory of a run, received 'none': there is none."),
        (["a", "aa"], None, "received 'aa': there is none; did you mean 'a'?"),
        (["a", "../{}/a"], None, "--workdir: expected each directory once, received '../{}/a' twice."),
        (["a", "folder"], None, "received 'folder': it has no config.json."),
        (["a"], "page.pdf", "--out: expected a file that ends in .html, received 'page.pdf'."),
        (["a"], "a/config.json/page.html", "--out: expected a place that can be written, received"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(workdirs, out, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "a")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(config.InputError, match=re.escape(line.format(tmp_path.name))):
        report.write([workdir.format(tmp_path.name) for workdir in workdirs], out)
    assert sorted(tmp_path.rglob("*")) == before


def test_directories_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/run", "b/run", "c"):
        made(tmp_path / name)
    assert [run.name for run in runs.read(["a/run", "b/run", "c"])] == ["a/run", "b/run", "c"]


def test_the_command_line_needs_no_tensorflow(tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "b", seed=1)
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tfpaths.launch", "--mode=report", "--workdir=a", "--workdir=b"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "Written: a/report.html\n", "")
    assert "Report on 2 runs" in (tmp_path / "a" / "report.html").read_text()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium or no chromedriver on this machine")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    quiet = "background-networking component-update sync quic gpu extensions default-apps".split()
    given = [f"--disable-{name}" for name in quiet] + ["--headless", "--no-sandbox", "--no-first-run"]
    for flag in [*given, "--disable-dev-shm-usage", f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def shown(browser, place, width):
    """The page in a window of so many pixels."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(place.as_uri())
    return browser


def grids(browser):
    """(level of the grid that each run shows, step under it)."""
    found = []
    for figure in browser.find_elements("css selector", ".grids figure"):
        (image,) = [image for image in figure.find_elements("tag name", "img") if image.is_displayed()]
        content = base64.b64decode(image.get_attribute("src").partition(",")[2])
        level = PIL.Image.open(io.BytesIO(content)).getpixel((0, 0))[0]
        found.append((level, figure.find_element("class name", "at").text))
    return found


def test_the_keyboard_moves_the_slider_and_the_pictures(browser, two):
    from selenium.webdriver.common.keys import Keys

    shown(browser, two[1], 1280)
    slider = browser.find_element("id", "step")
    assert browser.find_element("css selector", "label[for=step]").text == "Step"
    # The steps of both runs are 0, 2, 3, 4, 6; a grid's level is ten times its step.
    assert grids(browser) == [(40, "4"), (60, "6")]
    slider.send_keys(Keys.ARROW_LEFT)
    assert (slider.get_attribute("aria-valuetext"), browser.find_element("id", "at").text) == ("step 4", "4")
    assert grids(browser) == [(40, "4"), (30, "3")]
    slider.send_keys(Keys.ARROW_LEFT)
    slider.send_keys(Keys.ARROW_LEFT)
    assert grids(browser) == [(20, "2"), (0, "0")]
    slider.send_keys(Keys.HOME)
    assert grids(browser) == [(0, "0"), (0, "0")]
    slider.send_keys(Keys.END)
    assert grids(browser) == [(40, "4"), (60, "6")]


def test_the_keyboard_reaches_everything(browser, two):
    from selenium.webdriver.common.keys import Keys

    shown(browser, two[1], 1280)
    reached = []
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.append((element.tag_name, element.get_attribute("id") or element.get_attribute("class")))
        if element.tag_name == "summary":
            element.send_keys(Keys.ENTER)
            assert element.find_element("xpath", "..").get_attribute("open") is not None
            break
    assert reached[0] == ("a", "skip")
    assert {("input", "step"), ("div", "scroll")} <= set(reached)
    assert reached[-1][0] == "summary"


def test_the_browser_reads_the_table(browser, two):
    shown(browser, two[1], 1280)
    rows = browser.find_elements("css selector", "#table-images tbody tr")
    cells = [[cell.text for cell in row.find_elements("css selector", "th, td")] for row in rows]
    assert cells == [["Fréchet classifier distance", "25", "16.67", "1.5", "321"]]
    differing = browser.find_elements("css selector", "tr.differs th")
    assert "seed differs" in [cell.text for cell in differing]


@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_is_wider_than_its_screen(browser, two, width):
    shown(browser, two[1], width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return getComputedStyle(document.body).fontSize") == "16px"
    # Every picture has come, and none is wider than the screen.
    images = browser.execute_script(
        "return [...document.images].filter(i => !i.hidden).map(i => [i.naturalWidth, i.getBoundingClientRect().width])"
    )
    assert len(images) > 10
    assert all(natural > 0 and 0 < wide <= width for natural, wide in images)


def test_nothing_is_fetched_and_nothing_is_refused(browser, two, tmp_path):
    browser.get_log("performance")
    shown(browser, two[1], 1280)
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in sent if event["method"] == "Network.requestWillBeSent"}
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file:")] == [two[1].as_uri()]
    assert browser.get_log("browser") == []


def test_a_script_in_a_config_does_nothing(browser, tmp_path):
    data = config.Data(name="folder", path=EVIL)
    place = report.write([str(made(tmp_path / "a", "folder_ns", data=data))])
    shown(browser, place, 1280)
    assert browser.title == "Report on a"
    assert EVIL in [cell.text for cell in browser.find_elements("css selector", "td.text")]
    assert browser.get_log("browser") == []


def test_the_page_travels_with_the_package():
    kept = sorted(path.name for path in (pathlib.Path(page.__file__).parent).glob("page.*") if path.suffix != ".py")
    assert kept == ["page.css", "page.html", "page.js"]
    assert "[options.package_data]\ntfpaths.report = page.*" in (ROOT / "setup.cfg").read_text()
