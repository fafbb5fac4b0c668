"""A process for each test file under pytest-xdist, so that what XLA compiles for a file is freed with the file.

XLA keeps its programs until a process ends: a worker that ran all its files itself reached 5.4 GB. So a worker imports
TensorFlow, without finding devices, and collects the tests; for each file it copies itself (`os.fork`), and the copy
runs the file's tests one after the other and sends their reports. If a copy is killed, its test fails, and another copy
runs the rest of the file.

Without pytest-xdist, and on other systems than Linux, pytest runs all tests itself, and a debugger stops in them.
"""

import gc
import multiprocessing
import os
import signal
import sys
import traceback
import warnings

import pytest
import ready
from _pytest.runner import runtestprotocol

from tfpaths import startup


def applies(config):
    """Whether pytest copies this process for each file: it is a worker of pytest-xdist, on Linux."""
    return hasattr(config, "workerinput") and sys.platform == "linux"


def is_copy(config):
    """Whether this process is a copy, which ends with its file."""
    return config.pluginmanager.has_plugin(_Copy.__name__)


class Plugin:
    """Runs the tests of each file in a copy of this process."""

    def __init__(self, config):
        self._config = config
        self._started_by = None  # the file whose import has started TensorFlow
        self._connection = None  # to the copy; in the copy, to this process
        self._pid = None  # of the copy; None in the copy

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        from tensorflow.python.eager import context

        report = yield
        if self._started_by is None and context.context()._initialized:
            self._started_by = collector.nodeid
            text = f"{collector.nodeid} starts TensorFlow when it is imported, so no file has a process of its own."
            message = warnings.WarningMessage(pytest.PytestWarning(text), pytest.PytestWarning, collector.nodeid, 0)
            arguments = {"warning_message": message, "when": "collect", "nodeid": collector.nodeid, "location": None}
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=arguments)
        return report

    def pytest_collection_finish(self):
        if self._started_by is None:
            # The copies share what this process has: its objects, its directory, and the process that waits.
            gc.collect()
            gc.freeze()
            self._config._tmp_path_factory.getbasetemp()
            ready.server()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        if self._started_by is not None:
            return None  # A copy would lack TensorFlow's threads and wait for them for ever.
        last = nextitem is None or nextitem.path != item.path
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, None if last else nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if last:
            self._end()
        return True

    def _reports(self, item, nextitem):
        """The reports of a test, which a copy runs."""
        items, hook = item.session.items, self._config.hook
        if self._pid is None:
            self._start(items)
        try:
            self._connection.send((items.index(item), None if nextitem is None else items.index(nextitem)))
            reports = self._connection.recv()
        except (EOFError, ConnectionError):
            text = f"The process of this file {_ended(self._end())}. Another one runs the rest of the file."
            return [pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")]
        return [hook.pytest_report_from_serializable(config=self._config, data=report) for report in reports]

    def _start(self, items):
        ours, theirs = multiprocessing.Pipe()
        self._pid = ready.fork()
        self._connection = ours
        if self._pid:
            theirs.close()
            return
        status = 1
        try:
            ours.close()
            self._config.pluginmanager.unregister(self)
            self._config.pluginmanager.register(_Copy(self._config, theirs), _Copy.__name__)
            _serve(items, theirs)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            # Without what this process does at its end, such as removing directories.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _end(self):
        """Waits for the end of the copy; returns its exit status."""
        if self._pid is None:
            return None
        self._connection.close()
        pid, self._pid = self._pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class _Copy:
    """In a copy: runs one test at a time and sends its reports."""

    def __init__(self, config, connection):
        self._config, self._connection = config, connection

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        hook = self._config.hook
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        data = [hook.pytest_report_to_serializable(config=self._config, report=report) for report in reports]
        self._connection.send(data)
        return True


def _serve(items, connection):
    """Runs the tests that are asked for, until the other end of the connection is closed."""
    import tensorflow as tf

    # Finds the devices without the messages of TensorFlow's start.
    with startup.filtered_stderr():
        tf.config.list_logical_devices()
    while True:
        try:
            index, following = connection.recv()
        except EOFError:
            return
        nextitem = None if following is None else items[following]
        # The whole hook: other plugins set up warnings and more around each test.
        items[index].ihook.pytest_runtest_protocol(item=items[index], nextitem=nextitem)


def _ended(status):
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
