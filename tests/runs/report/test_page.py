"""The page: self-contained, accessible, safe, and usable in a browser with the keyboard."""

import base64
import io
import itertools
import json
import os
import pathlib
import re

import PIL.Image
import pytest
from helpers import ROOT

from tfpaths import config
from tfpaths.runs import report
from tfpaths.runs.report import page

EVIL = """<script>document.title="taken"</script><img src=x onerror=alert(1)>"'&$x_1^$"""


def test_page_loads_nothing_external(mixed, read_page):
    text = mixed.read_text()
    parsed = read_page(text)
    for tag, attrs in parsed.elements:
        for name in ("src", "href", "data", "srcset", "action"):
            assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs[name][:80])
    assert not re.search(r"@import|url\(|https?://", re.sub(r"data:[^\"]*", "", text))
    # The policy allows exactly the page's own script and style, by their hashes.
    (policy,) = [attrs["content"] for attrs in parsed.all("meta") if "http-equiv" in attrs]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert (
        policy == f"default-src 'none'; img-src data:; style-src {page._hash(style)}; script-src {page._hash(script)}"
    )


def test_the_page_is_accessible(mixed, read_page):
    parsed = read_page(mixed.read_text())
    assert parsed.all("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in parsed.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in parsed.elements:
        for name in ("aria-labelledby", "for"):
            assert name not in attrs or attrs[name] in ids, attrs
        assert not attrs.get("href", "").startswith("#") or attrs["href"][1:] in ids
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(parsed.all("th")) == sum(attrs.get("scope") in ("col", "row") for attrs in parsed.all("th"))


def test_pictures_have_alt_texts(mixed, read_page):
    images = read_page(mixed.read_text()).all("img")
    # A swatch is next to its run's name and adds nothing to it.
    assert all(attrs["class"] == "swatch" for attrs in images if not attrs["alt"])
    texts = [attrs["alt"] for attrs in images]
    assert "Samples of run 1, first, at step 2" in texts
    assert (
        "generator loss by step, to step 6. run 1, first: 12 at step 2; 14 at step 4. "
        "run 2, second: 13 at step 3; 16 at step 6."
    ) in texts


def test_the_contents_list_every_part(mixed, read_page):
    links = [attrs["href"] for attrs in read_page(mixed.read_text()).all("a") if attrs.get("class") != "skip"]
    assert links == [
        *("#training", "#training-samples", "#training-results", "#training-curves"),
        *("#training-configs", "#training-protocol"),
        *("#study", "#study-results", "#study-curves", "#study-configs", "#study-protocol"),
    ]


def test_text_of_a_run_is_escaped(tmp_path, read_page, training_run):
    workdir = training_run(tmp_path / "<b>$x", "folder_ns", data=config.Data(name="folder", path=EVIL))
    parsed = read_page(report.write([str(workdir)], str(tmp_path / "page.html")).read_text())
    assert not [attrs for attrs in parsed.all("img") if attrs["src"] == "x"]
    assert len(parsed.all("script")) == 1
    assert not parsed.all("b")
    assert "Samples of run 1, <b>$x, at step 2" in [attrs["alt"] for attrs in parsed.all("img")]
    assert [row[1] for table in parsed.tables for row in table if row[0] == "data.path"] == [EVIL]


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("runs/a/trials/b", "trials/b"),
        ("runs/c", "../c"),
        ("runs/a/javascript:alert(1)", "javascript%3Aalert%281%29"),
        ('runs/a/"><b>?#', "%22%3E%3Cb%3E%3F%23"),
        (os.fsdecode(b"runs/a/\xff"), "%FF"),
    ],
)
def test_links_are_relative_and_encoded(path, link):
    assert page.href(pathlib.Path(path), pathlib.Path("runs/a")) == link


def test_the_page_is_in_the_package_data():
    names = sorted(path.name for path in page._FOLDER.glob("page.*") if path.suffix != ".py")
    assert names == ["page.css", "page.html", "page.js"]
    assert "tfpaths.runs.report = page.*" in (ROOT / "setup.cfg").read_text()


def grids(browser):
    """(level of the grid that each run shows, step under it)."""
    shown = []
    for figure in browser.find_elements("css selector", ".grids figure"):
        (image,) = [image for image in figure.find_elements("tag name", "img") if image.is_displayed()]
        content = base64.b64decode(image.get_attribute("src").partition(",")[2])
        level = PIL.Image.open(io.BytesIO(content)).getpixel((0, 0))[0]
        shown.append((level, figure.find_element("class name", "at").text))
    return shown


def test_the_keyboard_moves_the_slider_and_the_pictures(show, mixed):
    from selenium.webdriver.common.keys import Keys

    browser = show(mixed)
    slider = browser.find_element("css selector", ".samples input")
    output = browser.find_element("css selector", ".samples output")
    assert browser.find_element("css selector", f"label[for={slider.get_attribute('id')}]").text == "Step"
    # The steps of both runs are 0, 2, 3, 4, 6; a grid's level is ten times its step.
    assert grids(browser) == [(40, "4"), (60, "6")]
    slider.send_keys(Keys.ARROW_LEFT)
    assert (slider.get_attribute("aria-valuetext"), output.text) == ("step 4", "4")
    assert grids(browser) == [(40, "4"), (30, "3")]
    slider.send_keys(Keys.ARROW_LEFT)
    slider.send_keys(Keys.ARROW_LEFT)
    assert grids(browser) == [(20, "2"), (0, "0")]
    slider.send_keys(Keys.HOME)
    assert grids(browser) == [(0, "0"), (0, "0")]
    slider.send_keys(Keys.END)
    assert grids(browser) == [(40, "4"), (60, "6")]


def test_the_slider_moves_texts(show, tmp_path, training_run):
    from selenium.webdriver.common.keys import Keys

    samples = training_run(tmp_path / "a", steps=(2, 4)) / "samples"
    for step in (2, 4):
        (samples / f"step_{step:08d}.png").unlink()
        (samples / f"step_{step:08d}.txt").write_text(f"  line {step}\n" + "x" * 500)
    browser = show(report.write([str(tmp_path / "a")]), 375)
    shown = [text for text in browser.find_elements("tag name", "pre") if text.is_displayed()]
    assert [text.get_property("textContent")[:9] for text in shown] == ["  line 4\n"]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 375
    browser.find_element("css selector", ".samples input").send_keys(Keys.ARROW_LEFT)
    shown = [text for text in browser.find_elements("tag name", "pre") if text.is_displayed()]
    assert [text.get_property("textContent")[:9] for text in shown] == ["  line 2\n"]


def test_keyboard_reaches_every_control(show, mixed):
    from selenium.webdriver.common.keys import Keys

    browser = show(mixed)
    reached = []
    for _ in range(80):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.append((element.tag_name, element.get_attribute("id") or element.get_attribute("class")))
        if element.tag_name == "summary":
            element.send_keys(Keys.ENTER)
            assert element.find_element("xpath", "..").get_attribute("open") is not None
            break
    assert reached[0] == ("a", "skip")
    assert {("input", "training-samples-step"), ("div", "scroll")} <= set(reached)
    assert reached[-1][0] == "summary"


def test_browser_shows_the_table(show, mixed):
    browser = show(mixed)
    rows = browser.find_elements("css selector", "#training-results-1-table tbody tr")
    cells = [[cell.text for cell in row.find_elements("css selector", "th, td")] for row in rows]
    assert cells == [["Fréchet classifier distance", "25", "16.67", "1.5", "321"]]
    differing = browser.find_elements("css selector", "tr.differs th")
    assert "seed differs" in [cell.text for cell in differing]


@pytest.mark.parametrize("width", [375, 1280])
def test_page_fits_the_screen_width(show, mixed, width):
    browser = show(mixed, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return getComputedStyle(document.body).fontSize") == "16px"
    # Every picture is loaded, and none is wider than the screen.
    images = browser.execute_script(
        "return [...document.images].filter(i => !i.hidden).map(i => [i.naturalWidth, i.getBoundingClientRect().width])"
    )
    assert len(images) > 10
    assert all(natural > 0 and 0 < wide <= width for natural, wide in images)


def test_dark_mode_applies_on_screen_and_not_in_print(show, mixed):
    browser = show(mixed)
    ground = "return getComputedStyle(document.body).backgroundColor"
    grounds = []
    try:
        for medium in ("screen", "print"):
            dark = {"media": medium, "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
            grounds.append(browser.execute_script(ground))
            chart = "return getComputedStyle(document.querySelector('.charts img')).backgroundColor"
            assert browser.execute_script(chart) == ("rgb(255, 255, 255)" if medium == "screen" else "rgba(0, 0, 0, 0)")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert grounds == ["rgb(22, 23, 27)", "rgb(255, 255, 255)"]
    assert browser.execute_script(ground) == "rgb(255, 255, 255)"


def test_page_without_javascript_shows_the_last_grids(browser, show, mixed):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(mixed)
        assert grids(browser) == [(40, "4"), (60, "6")]
        assert not browser.find_element("css selector", ".samples input").is_displayed()
        assert "JavaScript is off" in browser.find_element("tag name", "noscript").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert show(mixed).find_element("css selector", ".samples input").is_displayed()


def test_browser_fetches_nothing_and_logs_nothing(browser, show, mixed):
    browser.get_log("performance")
    show(mixed)
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {event["params"]["request"]["url"] for event in sent if event["method"] == "Network.requestWillBeSent"}
    assert {url.partition(":")[0] for url in urls} <= {"file", "data"}
    assert [url for url in urls if url.startswith("file:")] == [mixed.as_uri()]
    assert browser.get_log("browser") == []


def test_script_in_a_config_does_not_run(show, tmp_path, training_run):
    data = config.Data(name="folder", path=EVIL)
    browser = show(report.write([str(training_run(tmp_path / "a", "folder_ns", data=data))]))
    assert browser.title == "Report on a"
    assert EVIL in [cell.text for cell in browser.find_elements("css selector", "td.text")]
    assert browser.get_log("browser") == []
