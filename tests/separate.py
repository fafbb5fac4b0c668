"""A process for each test file under pytest-xdist, so that what XLA compiles for a file is freed with the file.

XLA keeps its programs until a process ends: a worker that ran all its files itself reached 5.4 GB. So a worker imports
TensorFlow and the package, but finds no devices and imports no test. It copies itself (`os.fork`) once to collect the
tests' names, and then for each file: the copy imports the file, runs its tests one after the other and sends their
reports. If a copy is killed, its test fails, and another copy runs the rest of the file.

Without pytest-xdist, and on other systems than Linux, pytest runs all tests itself, and a debugger stops in them.
"""

import gc
import multiprocessing
import os
import signal
import sys
import traceback

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


class Name(pytest.Item):
    """A test of which the worker knows only the name, the file and the line."""

    def runtest(self):
        raise NotImplementedError("a copy runs it")


class Plugin:
    """Collects tests, and runs the tests of each file, in copies of this process."""

    def __init__(self, config):
        self._config = config
        self._connection = None  # to the copy
        self._pid = None  # of the copy

    def pytest_sessionstart(self, session):
        # What the copies share: imports, the embedded digits, objects that need no garbage collection, the directory
        # for temporary files, and the process that waits for commands.
        ready.import_package()
        ready.enlarge_digits()
        gc.collect()
        gc.freeze()
        self._config._tmp_path_factory.getbasetemp()
        ready.server()
        collect = session.perform_collect
        session.perform_collect = lambda: self._collect(session, collect)

    def _collect(self, session, collect):
        self._start(lambda theirs: theirs.send([(item.nodeid, item.path, item.location) for item in collect()]))
        try:
            names = self._connection.recv()
        except EOFError:
            names = []
        if self._end():
            raise pytest.UsageError("The tests were not collected; the reason is above.")
        for nodeid, path, location in names:
            item = Name.from_parent(session, name=nodeid.split("::", 1)[-1], nodeid=nodeid, path=path)
            item.location = location
            session.items.append(item)
        session.testscollected = len(session.items)
        return session.items

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
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
        if self._pid is None:
            self._start(lambda theirs: _serve(item.session, item.path, theirs))
        try:
            self._connection.send((item.nodeid, None if nextitem is None else nextitem.nodeid))
            reports = self._connection.recv()
        except (EOFError, ConnectionError):
            text = f"The process of this file {_ended(self._end())}. Another one runs the rest of the file."
            return [pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")]
        hook = self._config.hook
        return [hook.pytest_report_from_serializable(config=self._config, data=report) for report in reports]

    def _start(self, run):
        """Copies this process; the copy calls `run` with its end of the connection, and ends."""
        self._connection, theirs = multiprocessing.Pipe()
        self._pid = ready.fork()
        if self._pid:
            theirs.close()
            return
        status = 1
        try:
            self._connection.close()
            self._config.pluginmanager.unregister(self)
            run(theirs)
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
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


def _serve(session, path, connection):
    """Runs the tests of a file that are asked for, until the other end of the connection is closed."""
    import tensorflow as tf

    # Finds the devices without the messages of TensorFlow's start.
    with startup.filtered_stderr():
        tf.config.list_logical_devices()
    plugins = session.config.pluginmanager
    # pytest-xdist's would report a second collection.
    plugins.unregister(next(plugin for plugin in plugins.get_plugins() if type(plugin).__name__ == "WorkerInteractor"))
    plugins.register(_Copy(session.config, connection), _Copy.__name__)
    items = {item.nodeid: item for item in type(session).perform_collect(session, [str(path)])}
    while True:
        try:
            name, following = connection.recv()
        except EOFError:
            return
        # The whole hook: other plugins set up warnings and more around each test.
        item, nextitem = items[name], items.get(following)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)


def _ended(status):
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
