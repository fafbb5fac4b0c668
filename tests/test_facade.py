"""`import tfpaths` and its functions: the import is light and does not change the process."""

import json
import subprocess
import sys

import numpy as np
from helpers import ROOT, TOY, assert_same_run

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


_THREADS = """
import json, os, signal, sys, threading, warnings
import keras
keras.config.set_floatx("float64")
keras.config.set_image_data_format("channels_first")
keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
import tfpaths
from tfpaths import experiments, schema

directory, toy = sys.argv[1], json.loads(sys.argv[2])
line = {"study.runs": "1", "study.width": "4", "study.depth": "1", "schedule.steps": "2", "schedule.log_every": "1"}

def process():
    return {
        "environment": dict(os.environ),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "keras": (keras.config.floatx(), keras.config.image_data_format(), keras.mixed_precision.dtype_policy().name),
        "warnings": warnings.filters[:],
        "hooks": sys.excepthook,
    }

def train(experiment, texts, name):
    tfpaths.train(schema.override(experiments.get(experiment), texts), os.path.join(directory, name))

train("color_mnist_dragan_ns", toy, "alone")
before = process()
runs = [("color_mnist_dragan_ns", toy, "thread"), ("color_mnist_ns", toy, "other"), ("line1_ns", line, "study")]
threads = [threading.Thread(target=train, args=run) for run in runs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
after = process()
sys.exit(str([name for name in before if before[name] != after[name]]) if before != after else 0)
"""


def test_runs_in_threads_equal_a_run_alone_and_leave_the_process_as_it_was(tiny_run, tmp_path):
    # With settings of the user's own, warnings as errors, and without assertions.
    command = [sys.executable, "-W", "error", "-O", "-c", _THREADS, str(tmp_path), json.dumps(TOY)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    for name in ("alone", "thread"):
        assert_same_run(tiny_run, tmp_path / name)
    assert (tmp_path / "other" / "results.json").exists()
    assert (tmp_path / "study" / "results.json").exists()
