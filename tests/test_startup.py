import concurrent.futures
import gc
import os
import signal
import subprocess
import sys

import pytest

from tfpaths import startup


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795393840.277328    2112 port.cc:153] oneDNN custom operations are on.",
        "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the flags.",
        "2025-01-01 00:00:00.000000: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
    ],
)
def test_chatter_is_recognized(line):
    assert startup.is_chatter(line, expects_gpu=True)


@pytest.mark.parametrize(
    "line",
    [
        "W0000 00:00:1795393840.2 2112 gpu_device.cc:2344] Cannot dlopen some GPU libraries.",
        "E0000 00:00:1795394482.279389 2275 cuda_platform.cc:52] failed call to cuInit: INTERNAL",
        "W0000 00:00:1.0 2112 cpu_allocator_impl.cc:83] Allocation exceeds 10% of free system memory.",
        "ImportError: libfoo.so.1",
    ],
)
def test_warnings_are_not_chatter(line):
    assert not startup.is_chatter(line, expects_gpu=True)


def test_missing_gpu_message_is_chatter_without_a_gpu():
    line = "E0000 00:00:1795394482.279389 2275 cuda_platform.cc:52] failed call to cuInit: INTERNAL"
    assert startup.is_chatter(line, expects_gpu=False)
    missing = "W0000 00:00:1795393840.2 2112 gpu_device.cc:2344] Cannot dlopen some GPU libraries."
    assert not startup.is_chatter(missing, expects_gpu=False)


@pytest.mark.parametrize(
    ("path", "visible", "package", "expected"),
    [
        ("", "", "", False),
        ("", "void", "", False),
        ("", "none", "", False),
        ("/dev/nvidiactl", "", "", True),
        # WSL 2 has this one instead.
        ("/dev/dxg", "", "", True),
        # A container that asks for GPUs, started without --gpus.
        ("", "all", "", True),
        # pip install tensorflow[and-cuda].
        ("", "", "nvidia/cuda_runtime", True),
    ],
)
def test_gpu_is_expected_where_something_asks_for_one(path, visible, package, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "exists", lambda name: name == path)
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", visible)
    (tmp_path / package).mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert startup.expects_gpu() is expected


@pytest.mark.parametrize("expects_gpu", [False, True])
def test_filter_knows_whether_a_gpu_is_expected(expects_gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "expects_gpu", lambda: expects_gpu)
    line = "E0000 00:00:1.0 1 cuda_platform.cc:52] failed call to cuInit\n"
    with open(tmp_path / "log", "w+") as log, startup.filtered_stderr(log.fileno()):
        os.write(log.fileno(), line.encode())
    assert (tmp_path / "log").read_text() == (line if expects_gpu else "")


def test_filtered_lines_are_shown_on_error(tmp_path):
    with open(tmp_path / "log", "w+") as log:
        with startup.filtered_stderr(log.fileno()):
            os.write(log.fileno(), b"I0000 00:00:1.0 1 a.cc:1] chatter\nW0000 00:00:1.0 1 b.cc:2] take care\n")
        assert (tmp_path / "log").read_text() == "W0000 00:00:1.0 1 b.cc:2] take care\n"
        with pytest.raises(ImportError), startup.filtered_stderr(log.fileno()):
            os.write(log.fileno(), b"why it failed\n")
            raise ImportError
        assert (tmp_path / "log").read_text().endswith("why it failed\n")


def test_fatal_message_before_an_abort_is_shown():
    code = (
        "import os; from tfpaths import startup\n"
        "with startup.filtered_stderr(): os.write(2, b'I0000 1 a.cc:1] x\\nF0000 1 b.cc:2] needs AVX\\n'); os.abort()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == -6
    assert run.stderr == "F0000 1 b.cc:2] needs AVX\n"


@pytest.fixture(scope="module")
def started():
    """A process that imported TensorFlow, with warnings as errors, and prints Keras' backend."""
    code = "from tfpaths import startup; startup.import_tensorflow(); import tfpaths.runs.training\n"
    code += "import keras; print(keras.backend.backend())"
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_keras_backend_is_set_to_tensorflow(started):
    assert started.stdout.splitlines()[-1:] == ["tensorflow"], started.stderr


def test_tensorflow_starts_without_output(started):
    if startup.expects_gpu():
        pytest.skip("a GPU's driver may have something to say")
    assert (started.returncode, started.stderr, started.stdout) == (0, "", "tensorflow\n")


def test_debug_shows_the_messages_of_the_start(monkeypatch, capfd):
    line = "I0000 00:00:1700000000.000000 1 port.cc:153] oneDNN custom operations are on."
    assert startup.is_chatter(line, expects_gpu=False)
    monkeypatch.setattr(startup, "_shows_everything", True)
    with startup.filtered_stderr():
        os.write(2, f"{line}\n".encode())
    assert capfd.readouterr().err == f"{line}\n"


def test_interrupt_waits_for_the_end_of_an_import_and_a_second_one_does_not():
    steps = []
    with pytest.raises(KeyboardInterrupt), startup.interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        steps.append("after the first")
        signal.raise_signal(signal.SIGINT)
        steps.append("after the second")
    assert steps == ["after the first"]
    with pytest.raises(KeyboardInterrupt), startup.interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        steps.append("to the end")
    assert steps[-1] == "to the end"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handler_of_the_user_gets_the_delayed_interrupt():
    received = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        with startup.interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            assert received == []
        assert received == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, previous)


def test_interrupts_are_left_alone_outside_the_main_thread():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        before = signal.getsignal(signal.SIGINT)

        def handler():
            with startup.interrupts_deferred():
                return signal.getsignal(signal.SIGINT)

        assert pool.submit(handler).result() is before


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_as_before_after_an_import_that_fails(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ImportError), startup.garbage_collection_paused():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
