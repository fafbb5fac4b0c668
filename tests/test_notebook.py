"""The notebook, run from top to bottom in a kernel of its own, at toy size."""

import json
import os
import sys

import pytest
from helpers import ROOT, TOY

NOTEBOOK = ROOT / "notebooks" / "tfpaths.ipynb"
PARAMETERS = f"STEPS, STUDY_RUNS, STUDY_STEPS = 4, 3, 20\nMORE = {TOY!r}"


# Of the kernel's clients, on newer Pythons.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter_client|nbclient|nbformat|zmq|tornado).*")


def test_it_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert sum("parameters" in cell["metadata"].get("tags", ()) for cell in code) == 1


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = PARAMETERS
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    texts = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
    assert "((64, 28, 28, 3), dtype('float32')," in " ".join(texts)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert ["color_mnist_ns" in page for page in pages] == [True, False]
    assert (tmp_path / "runs" / "color_mnist_dragan_ns" / "export" / "saved_model.pb").exists()
    difference = next(float(text) for text in texts if text.replace(".", "").replace("e-", "").isdigit())
    assert difference < 1e-5
