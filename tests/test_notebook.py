"""The notebook, run from top to bottom in a kernel of its own, at toy size."""

import base64
import io
import json
import os
import pathlib
import re
import sys

import numpy as np
import PIL.Image
import pytest
from helpers import ROOT, TOY

NEAREST = PIL.Image.Resampling.NEAREST
NOTEBOOK = ROOT / "notebooks" / "tfpaths.ipynb"
# One variant in one dimension, with one run: each study compiles its step once for each core, which is what costs time.
PARAMETERS = f"""
STEPS, STUDY_RUNS, STUDY_STEPS, LEAD = 4, 1, 20, 1
COMPARED, DIMENSIONS = ["ns"], [2]
MORE = {TOY!r}
"""
# The runs of the notebook -> the steps of each.
RUNS = {
    "figure_1": 20,
    "ahead_minimax": 20,
    "ahead_ns": 20,
    "figure_paths": 20,
    "figure_3": 20,
    "figure_5": 20,
    "color_mnist_dragan_ns": 4,
    "color_mnist_ns": 4,
    "around_samples": 4,
}
SECTIONS = [
    "1. A GAN is a game",
    "2. Where divergence minimisation stalls",
    "3. The path is not a descent",
    "4. Gradient penalties outside their theory",
    "5. Images",
    "6. A penalty of your own",
]

# Of the kernel's clients, on newer Pythons.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter_client|nbclient|nbformat|zmq|tornado).*")


def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def test_it_is_kept_without_outputs():
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert sum("parameters" in cell["metadata"].get("tags", ()) for cell in code) == 1


def test_its_sections_and_links():
    text = "\n".join("".join(cell["source"]) for cell in cells() if cell["cell_type"] == "markdown")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == SECTIONS
    links = re.findall(r"\]\((\.\./[^)]*)\)", text)
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = NOTEBOOK.parent / path
        assert target.exists(), link
        if anchor:
            headings = re.findall("^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in anchors, link


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The directory in which the notebook ran, and the outputs of each code cell."""
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    directory = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = PARAMETERS
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("IPYTHONDIR", str(directory / ".ipython"))
        nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(directory)}}).execute()
    return directory, [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def of_type(executed, mime):
    return [output.data[mime] for outputs in executed[1] for output in outputs if mime in output.get("data", {})]


def printed(executed):
    return "".join(output.text for outputs in executed[1] for output in outputs if output.get("name") == "stdout")


def test_every_run_ends_at_its_last_step(executed):
    directory, outputs = executed
    assert not [output for cell in outputs for output in cell if output.output_type == "error"]
    assert {path.name for path in (directory / "runs").iterdir()} == set(RUNS)
    for name, steps in RUNS.items():
        assert json.loads((directory / "runs" / name / "results.json").read_text())["step"] == steps, name
    config = json.loads((directory / "runs" / "around_samples" / "config.json").read_text())
    assert config["variant"]["penalty"]["name"] == "around_samples"
    assert config["variant"]["penalty"]["noise_scale"] == 0.25


def test_its_pictures(executed):
    directory, _ = executed
    shown = [PIL.Image.open(io.BytesIO(base64.b64decode(text))) for text in of_type(executed, "image/png")]
    # The losses, four figures, minimax beside NS-GAN, a sample grid and the interpolations.
    assert len(shown) == 8
    files = [directory / "runs" / name / "figure.png" for name in ("figure_1", "figure_paths", "figure_3", "figure_5")]
    files += [directory / "runs/color_mnist_dragan_ns/samples/step_00000004.png", directory / "rows.png"]
    drawn = [picture for index, picture in enumerate(shown) if index not in (0, 2)]
    # Grids of small images are shown at twice their size: every second pixel is the file's.
    drawn = drawn[:4] + [picture.resize((picture.width // 2, picture.height // 2), NEAREST) for picture in drawn[4:]]
    for picture, file in zip(drawn, files, strict=True):
        np.testing.assert_array_equal(
            np.asarray(picture.convert("RGB")), np.asarray(PIL.Image.open(file).convert("RGB"))
        )
    assert all(len(np.unique(np.asarray(shown[index].convert("L")))) > 50 for index in (0, 2))


def test_its_numbers(executed):
    text = printed(executed)
    # At x = 4 the logit is -8, and the gradients are 4 sigmoid(-8) and 4 sigmoid(8).
    assert re.search(r"^minimax +0\.0013$", text, re.MULTILINE)
    assert re.search(r"^non_saturating +3\.9987$", text, re.MULTILINE)
    assert re.findall(r"^distance (\S+) +JS (\S+)$", text, re.MULTILINE) == [
        ("1.0", "0.693"),
        ("0.1", "0.693"),
        ("0.001", "0.693"),
        ("0.0", "0.000"),
    ]


def test_its_findings(executed):
    directory, _ = executed
    for figure in ("figure_1", "figure_paths", "figure_3", "figure_5"):
        finding = json.loads((directory / "runs" / figure / "results.json").read_text())["finding"]
        assert "NS-GAN" in finding
        assert finding in printed(executed)


def test_the_export_gives_the_same_images(executed):
    directory, _ = executed
    texts = of_type(executed, "text/plain")
    assert "((64, 28, 28, 3), dtype('float32')," in " ".join(texts)
    assert (directory / "runs/color_mnist_dragan_ns/export/saved_model.pb").exists()
    (difference,) = [float(text) for text in texts if re.fullmatch(r"[\d.]+(e-\d+)?", text)]
    assert difference < 1e-5


def test_its_reports(executed):
    pages = of_type(executed, "text/html")
    assert len(pages) == 2
    assert ["color_mnist_ns" in page for page in pages] == [True, True]
    assert ["around_samples" in page for page in pages] == [False, True]
    assert pathlib.Path(executed[0] / "report.html").exists()
