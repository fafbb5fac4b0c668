"""Run directories with known numbers, and a parser of report pages."""

import html.parser
import io

import PIL.Image
import pytest

from tfpaths import experiments, files, schema
from tfpaths.runs import report, results, rows
from tfpaths.runs.directory import RunDirectory

REPORTED = ("discriminator_loss", "generator_loss", "penalty")


class Page(html.parser.HTMLParser):
    """The elements of a page, and the text of each table's cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.tables, self._in_cell = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data):
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="session")
def read_page():
    return Page


@pytest.fixture(scope="session")
def picture():
    """level -> a PNG of 40×40 in that grey."""

    def make(level):
        content = io.BytesIO()
        PIL.Image.new("RGB", (40, 40), (level, level, level)).save(content, format="PNG")
        return content.getvalue()

    return make


@pytest.fixture(scope="session")
def training_run(picture):
    """Makes the directory of a training run: values 10 + step, grids of grey 10 * step, a distance of 100 / step."""

    def make(path, name="color_mnist_ns", *, steps=(0, 2, 4), finished=True, floor=1.5, reported=REPORTED, **changes):
        config = experiments.get(name).replace(**changes)
        directory = RunDirectory(path)
        files.write_json(directory.config, schema.to_dict(config))
        for step in steps:
            if step:
                values = dict.fromkeys(reported, 10.0 + step)
                rows.append_row(directory.metrics, {"step": step, **values, "examples_per_second": 9.0})
                scores = {"frechet_classifier_distance": 100.0 / step, "frechet_classifier_distance_error": 1.0}
                rows.append_row(directory.metrics, {"step": step, **scores, "ms_ssim_real": 0.25})
            files.write_bytes(directory.samples / f"step_{step:08d}.png", picture(10 * step))
        if finished:
            summary = results.summary(
                config,
                steps[-1],
                {"frechet_classifier_distance": 100.0 / steps[-1]},
                {"samples": 7},
                device="CPU",
            )
            floor_and_ceiling = {
                name: {"frechet_classifier_distance": value} for name, value in (("real", floor), ("noise", 321.0))
            }
            files.write_json(directory.results, summary | {"references": floor_and_ceiling})
        return path

    return make


@pytest.fixture(scope="session")
def study_run():
    """Makes the directory of a study of two runs, whose distances are 3 and 1 at step 0 and half of that at step 2."""

    def make(path, name="line1_ns"):
        config = schema.override(experiments.get(name), {"study.runs": "2", "schedule.steps": "2"})
        directory = RunDirectory(path)
        files.write_json(directory.config, schema.to_dict(config))
        distances = [(0, 0, 3.0), (0, 1, 1.0), (2, 0, 1.5), (2, 1, 0.5)]
        rows.append_rows(
            directory.metrics, [{"step": step, "run": run, "squared_distance": value} for step, run, value in distances]
        )
        summary = results.summary(config, 2, {"distance_mean": 1.0}, {"dimension": 2}, device="CPU")
        files.write_json(directory.results, summary)
        return path

    return make


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, training_run, study_run):
    """The path of a page about two training runs and a study."""
    folder = tmp_path_factory.mktemp("report")
    first = training_run(folder / "first")
    second = training_run(folder / "second", "color_mnist_wgan_gp", steps=(0, 3, 6), seed=5)
    study = study_run(folder / "study")
    return report.write([str(first), str(second), str(study)], str(folder / "page.html"))


@pytest.fixture
def show(browser):
    """Opens a page in a window of `width` pixels."""

    def open_page(path, width=1280):
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(path.as_uri())
        return browser

    return open_page
