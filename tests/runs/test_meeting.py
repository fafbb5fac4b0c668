"""The meeting of a cluster's tasks, on ports of this machine. No test needs TensorFlow's cluster."""

import concurrent.futures
import contextlib
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import tensorflow as tf
from helpers import ROOT

from tfpaths import errors
from tfpaths.runs import cluster, meeting


def of(ports, index):
    """A cluster of workers on this machine, as worker `index` sees it."""
    jobs = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return cluster.read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": index}}))


def free_ports(count):
    """Free ports, found by binding all of them at once."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def meet(clusters, timeout=60.0, **seconds):
    """Holds a meeting of some tasks, each in a thread; returns the message of each, None for one that has met all."""
    with concurrent.futures.ThreadPoolExecutor(len(clusters)) as pool:
        calls = [pool.submit(meeting.meet, one, timeout, ask_every=0.02, **seconds) for one in clusters]
    return [None if call.exception() is None else str(call.exception()) for call in calls]


@pytest.fixture
def said(monkeypatch):
    """The lines of all tasks."""
    lines = []
    monkeypatch.setattr(meeting.progress, "say", lines.append)
    return lines


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tasks_meet_and_leave_their_ports_free(count, said):
    ports = free_ports(count)
    assert meet([of(ports, index) for index in range(count)]) == [None] * count
    # As TensorFlow's server binds it: connections in TIME_WAIT remain on the port.
    for port in ports:
        socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True).close()
    starts = [f"worker {index} waits for all {count} workers of the cluster" for index in range(count)]
    ends = [f"all {count} workers are there; TensorFlow connects them"] * count
    assert sorted(said) == sorted(starts + ends if count > 1 else [])


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1"])
def test_occupied_port_is_one_line(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    (other,) = free_ports(1)
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(errors.RunError) as caught:
            meeting.meet(of([other, port], 1), 1.0)
    assert type(caught.value).status == 1
    assert str(caught.value).startswith(
        f"worker 1 cannot listen on port {port}: another process on this machine uses it."
    )


def test_other_fault_of_the_port_has_its_reason(monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied (while attempting to bind on address ('', 80))")

    monkeypatch.setattr(socket, "create_server", refused)
    with pytest.raises(errors.RunError, match=r"^worker 0 cannot listen on port 80: Permission denied\.$"):
        meeting.meet(of([80, 81], 0), 1.0)


def test_missing_task_is_named_at_the_deadline(said):
    ports = free_ports(3)
    missing = f"worker 2 (127.0.0.1:{ports[2]}: Connection refused)"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        longer = pool.submit(meeting.meet, of(ports, 1), 2.5, say_every=0.1, ask_every=0.02)
        (message,) = meet([of(ports, 0)], 1.5, say_every=0.1)
    assert message == (
        f"worker 0 waited 1.5 s for {missing}; 2 of 3 are there. To fix this: start what is missing, check the "
        "addresses in TF_CONFIG and the firewall, or raise --cluster_timeout."
    )
    # By then worker 0 is gone again.
    assert f"worker 0 (127.0.0.1:{ports[0]}: Connection refused), {missing}; 1 of 3 is there" in str(longer.exception())
    assert {f"worker {index} waits for {missing}; 2 of 3 are there" for index in range(2)} <= set(said)


def test_late_task_is_waited_for(said):
    ports = free_ports(2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(meeting.meet, of(ports, 0), 60.0, say_every=0.01, ask_every=0.02)
        while not any("1 of 2 is there" in line for line in said):
            assert not first.done()
        pool.submit(meeting.meet, of(ports, 1), 60.0, ask_every=0.02).result()
        first.result()


def test_no_task_goes_on_while_one_cannot_reach_another():
    *ports, closed = free_ports(4)
    wrong = of([ports[0], ports[1], closed], 1)
    first, second, third = meet([of(ports, 0), wrong, of(ports, 2)], 1.5)
    assert f"worker 2 (127.0.0.1:{closed}: Connection refused); 2 of 3 are there" in second
    # Whether worker 1 has left by then or not, it is the one that they wait for.
    waited = (
        rf"waited 1\.5 s for worker 1 \(127\.0\.0\.1:{ports[1]}: (it waits for others|Connection refused)\); [23] of 3"
    )
    assert re.search(waited, first), first
    assert re.search(waited, third), third


def test_long_list_of_missing_tasks_is_cut():
    ports = free_ports(12)
    (message,) = meet([of(ports, 0)], 0.5)
    # Eleven are missing, and eight are named.
    assert [int(index) for index in re.findall(r"worker (\d+) \(", message)] == list(range(1, 9))
    assert "Connection refused), 3 more; 1 of 12 is there" in message


@contextlib.contextmanager
def answering(text):
    """A port on which a fake of another program answers every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "another program answers there"),
        (b"", "the connection was closed"),
        (b"tfpaths: worker 0 of 2 waits\n", "worker 0 of 2 answers there"),  # Both were started as number 0.
        (b"tfpaths: worker 1 of 3 is ready\n", "worker 1 of 3 answers there"),  # The lists differ.
    ],
)
def test_other_programs_are_not_the_task(text, problem):
    with answering(text) as port:
        (message,) = meet([of([*free_ports(1), port], 0)], 0.5)
    assert f"worker 1 (127.0.0.1:{port}: {problem}); 1 of 2 is there" in message


def test_task_that_waits_for_others_is_there_but_not_ready():
    with answering(b"tfpaths: worker 1 of 2 waits\n") as port:
        (message,) = meet([of([*free_ports(1), port], 0)], 0.5)
    assert f"worker 1 (127.0.0.1:{port}: it waits for others); 2 of 2 are there" in message


def test_task_that_has_gone_on_to_tensorflow_is_ready():
    own, port = free_ports(2)
    server = tf.distribute.Server({"worker": [f"127.0.0.1:{port}"]}, "worker", 0, protocol="grpc")
    assert server.target == f"grpc://127.0.0.1:{port}"
    assert meet([of([own, port], 0)]) == [None]


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label empty or too long")]
)
def test_name_that_is_not_known_yet_is_asked_again(error, monkeypatch, said):
    ports, calls, found = free_ports(2), itertools.count(), socket.getaddrinfo

    def known_later(host, *args, **kwargs):
        if next(calls) < 20:
            raise error
        return found(host, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", known_later)
        assert meet([of(ports, 0), of(ports, 1)], say_every=0.01) == [None, None]
    assert next(calls) > 20
    assert any(f": {error.args[-1]}); 1 of 2 is there" in line for line in said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_wait(number):
    ports = free_ports(2)
    config = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}, "task": {"type": "worker", "index": 0}}
    code = "from tfpaths.runs import cluster, meeting\n"
    code += f"meeting.meet(cluster.read({json.dumps(config)!r}), 3600, say_every=0.01)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "worker 0 waits for all 2 workers of the cluster\n"
        assert process.stdout.readline().endswith("; 1 of 2 is there\n")
        time.sleep(0.2)  # It has printed, and waits.
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -number, err
