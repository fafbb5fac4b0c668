"""Shared fixtures, and two logical CPUs so that a strategy of two replicas can run anywhere."""

import atexit
import contextlib
import ctypes
import functools
import gc
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import filelock
import pytest
import ready
import separate

from tfpaths import schema, startup

if "TFPATHS_CACHE_DIR" not in os.environ:
    # The classifiers are trained once for all tests; the user's cache is neither read nor written.
    os.environ["TFPATHS_CACHE_DIR"] = tempfile.mkdtemp(prefix="tfpaths-tests-")
    atexit.register(shutil.rmtree, os.environ["TFPATHS_CACHE_DIR"], ignore_errors=True)

# A shell's background job ignores Ctrl-C, and so would the processes that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Two processes test side by side: with a thread each they do not wait for each other's.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# The tests' processes share a GPU, where there is one.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# Processes that run the same program one after the other compile it once.
_compiled = tempfile.mkdtemp(prefix="tfpaths-tests-xla-")
atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
os.environ.setdefault("TF_XLA_FLAGS", f"--tf_xla_persistent_cache_directory={_compiled}")
# Compiling takes longer than running here: without the compiler's optimisations, the tests of lines take a third less.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
startup.prepare()


def pytest_configure(config):
    """Imports TensorFlow where tests run: the process that distributes them to pytest-xdist's workers runs none."""
    if config.getoption("dist", "no") == "no":
        startup.import_tensorflow(logical_cpus=2, devices=not separate.applies(config))
        # The operations of a graph are many short-lived objects: Python looks for cycles among them less often.
        gc.set_threshold(100_000, 10, 10)
        if separate.applies(config):
            config.pluginmanager.register(separate.Plugin(config))


@pytest.fixture(scope="module")
def own_registries():
    """Removes what a module's tests register by importing examples."""
    from tfpaths import data, experiments, losses, networks, optimizers, penalties
    from tfpaths.figures.registry import FIGURES
    from tfpaths.games import GAMES
    from tfpaths.metrics import METRICS

    tables = [data.DATA, experiments.EXPERIMENTS, losses.LOSSES, networks.NETWORKS, optimizers.OPTIMIZERS]
    tables += [penalties.PENALTIES, FIGURES, GAMES, METRICS]
    before = [dict(table) for table in tables]
    yield
    for table, items in zip(tables, before, strict=True):
        table._items = items
    for name in [name for name in sys.modules if name.split(".")[0] == "examples"]:
        del sys.modules[name]


@pytest.fixture
def tfds_dir():
    """The directory of prepared TFDS data; skips the test if it has no MNIST."""
    folder = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not list(folder.glob("mnist/*/dataset_info.json")):
        pytest.skip(f"MNIST is not prepared in {folder}; set TFDS_DATA_DIR")
    return folder


@pytest.fixture(scope="session", autouse=True)
def digits_enlarged_once():
    """Enlarges the embedded digits once for a process: each of hundreds of runs takes a quarter second less."""
    ready.enlarge_digits()


@pytest.fixture(scope="session")
def made_once(request, tmp_path_factory):
    """Returns a directory that all processes of these tests share: `made_once(name, make)` calls `make(path)` once.

    The directory is read-only: a test that writes there makes a copy.
    """
    root = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        root = root.parent

    def directory(name, make):
        path = root / "shared" / name
        path.parent.mkdir(exist_ok=True)
        complete = path.with_name(f"{name}.complete")
        with filelock.FileLock(path.with_name(f"{name}.lock")):
            if not complete.exists():
                shutil.rmtree(path, ignore_errors=True)
                make(path)
                complete.touch()
        return path

    return directory


@pytest.fixture(scope="session")
def lm1b_dir(made_once):
    """A data set of TFDS's name, features and splits, with lines of our own."""
    import tensorflow_datasets as tfds
    from helpers import LM1B_LINES

    def make(path):
        with tfds.core.registered.skip_registration():

            class LM1B(tfds.core.GeneratorBasedBuilder):
                name = "lm1b"
                VERSION = tfds.core.Version("1.1.0")
                RELEASE_NOTES = {"1.1.0": "ours"}  # noqa: RUF012
                # TFDS looks for the description beside the module of the class.
                pkg_dir_path = path

                def _info(self):
                    return tfds.core.DatasetInfo(
                        builder=self, features=tfds.features.FeaturesDict({"text": tfds.features.Text()})
                    )

                def _split_generators(self, dl_manager):
                    return {split: self._generate_examples(split) for split in LM1B_LINES}

                def _generate_examples(self, split):
                    for number, line in enumerate(LM1B_LINES[split]):
                        yield number, {"text": line}

            LM1B(data_dir=str(path)).download_and_prepare()

    return made_once("lm1b", make)


@pytest.fixture(scope="session")
def celeba_dir(made_once):
    """CelebA prepared by TFDS's own builder (name, version, features, JPEG) from synthetic portraits."""
    import tensorflow_datasets as tfds
    from helpers import CELEBA_SIZES, portrait
    from tensorflow_datasets.datasets.celeb_a import celeb_a_dataset_builder as published

    with tfds.core.registered.skip_registration():

        class CelebA(published.Builder):
            name = "celeb_a"
            # TFDS looks for the description beside the module of the class.
            __module__ = published.__name__
            pkg_dir_path = published.Builder.pkg_dir_path

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in CELEBA_SIZES}

            def _generate_examples(self, split):
                for index in range(CELEBA_SIZES[split]):
                    yield (
                        index,
                        {
                            "image": portrait(index),
                            "landmarks": dict.fromkeys(published.LANDMARK_HEADINGS, index),
                            "attributes": dict.fromkeys(published.ATTR_HEADINGS, True),
                            "identity": dict.fromkeys(published.IDENTITY_HEADINGS, index),
                        },
                    )

    return made_once("celeba", lambda path: CelebA(data_dir=str(path)).download_and_prepare())


@pytest.fixture(scope="session")
def tiny_run(made_once):
    """The directory of a run of four steps; see `made_once`."""
    from helpers import toy

    from tfpaths.runs import training

    return made_once("tiny_run", lambda path: training.train(toy("color_mnist_dragan_ns"), path))


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory):
    """The directory of a study of three runs of four steps, written directly to avoid compiling one."""
    import numpy as np

    from tfpaths import experiments, files
    from tfpaths.lines import statistics
    from tfpaths.runs import results, rows
    from tfpaths.runs.build import complete_variant
    from tfpaths.runs.directory import RunDirectory

    texts = {"study.runs": "3", "schedule.steps": "4", "schedule.log_every": "2"}
    value = schema.override(experiments.get("line1_ns"), texts)
    value = value.replace(variant=complete_variant(value.variant))
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "tiny_study")
    files.write_json(directory.config, schema.to_dict(value))
    distances = np.random.default_rng(0).uniform(0.1, 10.0, (3, 3))
    made = [
        {"step": step, "run": run, "squared_distance": distance, "rises": 0.25, "climbed": 0.5}
        for run, of_run in enumerate(distances.tolist())
        for step, distance in zip((0, 2, 4), of_run, strict=True)
    ]
    rows.append_rows(directory.metrics, made)
    summary = results.summary(value, 4, statistics.summary(made, 3), {"dimension": 2}, device="CPU")
    files.write_json(directory.results, summary)
    return directory.path


@pytest.fixture(scope="module", autouse=True)
def memory_given_back(request):
    """Gives back what a module's compilations have freed: 100 MB for each block of runs, which the C library keeps."""
    yield
    if separate.is_copy(request.config):
        return  # The process ends with the module.
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="module", autouse=True)
def blocks_compiled_once():
    """Studies use one core, and equal studies of a module share a block: a study starts its block again by `reset`.

    Compiling a block takes seconds. `lines/test_ensemble.py` tests `reset`, and `lines/test_study.py` several cores.
    """
    import tensorflow as tf

    from tfpaths.lines import study

    build, blocks = study.build, {}

    @functools.wraps(build)
    def built(config, runs):
        schedule = config.schedule.replace(steps=1, log_every=1)
        same = {"runs": runs, "block": 1} | ({"players": False} if config.study.problem == "line" else {})
        of_block = config.replace(schedule=schedule, study=config.study.replace(**same))
        key = json.dumps([schema.to_dict(of_block), tf.zeros([]).device], sort_keys=True)
        if key not in blocks:
            blocks[key] = build(config, runs)
        return blocks[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "build", built)
        patch.setattr(study, "cores", lambda: 1)
        yield


@pytest.fixture(scope="session")
def two_replicas():
    """Two logical CPUs. One for all tests: TensorFlow gives the collectives of every such strategy the same keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium."""
    chromium, driver_path = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if chromium is None or driver_path is None:
        pytest.skip("no chromium or no chromedriver on this machine")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    disabled = "background-networking component-update sync quic gpu extensions default-apps".split()
    flags = [f"--disable-{name}" for name in disabled] + ["--headless", "--no-sandbox", "--no-first-run"]
    for flag in [*flags, "--disable-dev-shm-usage", f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    yield driver
    driver.quit()
