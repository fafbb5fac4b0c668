"""`import tfpaths` and its functions: the import is light and does not change the process."""

import json
import subprocess
import sys

import numpy as np
from helpers import ROOT

import tfpaths

_IMPORT = """
import logging, os, signal, sys, warnings

def process():
    return {
        "environment": dict(os.environ),
        "descriptors": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None,
        "loggers": (logging.root.handlers[:], logging.root.level),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "warnings": warnings.filters[:],
        "path": sys.path[:],
        "hooks": (sys.excepthook, sys.meta_path[:]),
    }

before = process()
import tfpaths
after = process()
assert before == after, [name for name in before if before[name] != after[name]]
assert not {"tensorflow", "keras", "numpy", "absl", "pydantic"} & set(sys.modules)
print(tfpaths.__version__, *(name for name in dir(tfpaths) if callable(getattr(tfpaths, name)) and name[0].islower()))
"""


def test_import_does_not_change_the_process():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (run.returncode, run.stderr) == (0, "")
    names = ["evaluate", "export", "load", "report", "sample", "train"]
    assert run.stdout.split() == [tfpaths.__version__, *names]


_LOAD = """
import json, sys
import keras
keras.config.set_floatx("float64")
keras.config.set_image_data_format("channels_first")
keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
import tfpaths
images = tfpaths.load(sys.argv[1]).sample(3, seed=1)
settings = [keras.config.floatx(), keras.config.image_data_format(), keras.mixed_precision.dtype_policy().name]
print(json.dumps([settings, str(images.dtype), images.tolist()]))
"""


def test_load_ignores_and_keeps_the_users_keras_settings(tiny_run):
    run = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tiny_run)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr[-2000:]
    settings, dtype, images = json.loads(run.stdout.splitlines()[-1])
    assert settings == ["float64", "channels_first", "mixed_bfloat16"]
    assert dtype == "float32"
    np.testing.assert_allclose(images, tfpaths.load(tiny_run).sample(3, seed=1), atol=1e-6)


def test_sample_and_report_write_their_files(tiny_run, tmp_path):
    picture = tfpaths.sample(tiny_run, str(tmp_path / "a.png"), num=4)
    page = tfpaths.report(str(tiny_run), str(tmp_path / "a.html"))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "color_mnist_dragan_ns" in page.read_text()
