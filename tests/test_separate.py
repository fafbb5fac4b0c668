"""Under pytest-xdist each file has its own process, which ends with it."""

import collections
import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest
from helpers import ROOT

_CONFTEST = """
import ready
import separate

from tfpaths import startup

ready.server = ready.import_package = lambda: None


def pytest_configure(config):
    if separate.applies(config):
        startup.import_tensorflow(devices=False)
        config.pluginmanager.register(separate.Plugin(config))
"""
_FIRST = """
import os
import signal

import pytest
import tensorflow as tf

# An operation, while the file is imported: it starts TensorFlow in this file's processes only.
ONES = tf.ones([3])


@pytest.fixture(scope="session", autouse=True)
def directory(tmp_path_factory):
    yield tmp_path_factory.mktemp("data")
    with open("ended", "a") as file:
        print(os.getpid(), file=file)


def test_before(record_property, directory):
    record_property("process", (os.getpid(), os.getppid(), directory.name))
    assert float(tf.reduce_sum(ONES)) == 3.0


def test_beside(record_property, directory):
    record_property("process", (os.getpid(), os.getppid(), directory.name))
    print("seen")
    assert False, "why"


def test_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_after(record_property, directory):
    record_property("process", (os.getpid(), os.getppid(), directory.name))
"""
_SECOND = """
import os


def test_other(record_property):
    record_property("process", (os.getpid(), os.getppid(), None))


def test_exits():
    os._exit(3)
"""
Case = collections.namedtuple("Case", "outcome text pid parent directory")


def run(tmp_path, **files):
    """Runs pytest with one worker; returns its output, and what it reports for each test."""
    for name, text in {"conftest": _CONFTEST, **files}.items():
        (tmp_path / f"{name}.py").write_text(text)
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n1",
        "--dist=loadfile",
        f"--junitxml={report}",
        f"--rootdir={tmp_path}",
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    out = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False).stdout
    cases = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        values = [eval(one.get("value")) for one in case.iter("property")] or [(None, None, None)]
        text = "".join(case.itertext()) + "".join(one.get("message", "") for one in case)
        cases[case.get("name")] = Case("failed" if case.find("failure") is not None else "passed", text, *values[0])
    return out, cases


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")
class TestWorkers:
    def test_each_file_has_a_process(self, tmp_path):
        out, cases = run(tmp_path, test_first=_FIRST, test_second=_SECOND)
        outcomes = {name: case.outcome for name, case in cases.items()}
        assert outcomes == {
            "test_before": "passed",
            "test_beside": "failed",
            "test_killed": "failed",
            "test_after": "passed",
            "test_other": "passed",
            "test_exits": "failed",
        }, out
        assert "assert False" in cases["test_beside"].text
        assert "The process of this file was killed by SIGKILL." in cases["test_killed"].text
        assert "The process of this file ended with status 3." in cases["test_exits"].text
        before, beside, after, other = (cases[f"test_{name}"] for name in ("before", "beside", "after", "other"))
        assert (before.pid, before.directory) == (beside.pid, beside.directory)
        assert len({before.pid, after.pid, other.pid, before.parent}) == 4
        assert before.parent == after.parent == other.parent
        # A later process does not use the directory of an earlier one.
        assert before.directory != after.directory
        assert "seen" in out
        # The fixtures of a session end with the file.
        assert (tmp_path / "ended").read_text().split() == [str(after.pid)]
