"""Imports TensorFlow for the command line without its start-up messages; its warnings and errors are shown."""

import contextlib
import gc
import importlib.util
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

# Lines that every start prints and that a user cannot act on. absl's logger writes some of them before its level is
# set, so that the environment variable alone does not suppress them.
_CHATTER = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    r"|I\d{4} .*"
    r"|\d{4}-\d\d-\d\d .*: I .*"
    r"|To enable the following instructions: .*, in other operations, rebuild TensorFlow.*)$"
)
# Where nobody expects an NVIDIA device, the CUDA library reports the missing device as an error. The warning of
# gpu_device.cc about libraries that cannot be loaded is another one: it is always shown.
_NO_GPU = re.compile(r"^[EW]\d{4} .*(cuda_platform|cuda_diagnostics)\.cc.*$")


def expects_gpu() -> bool:
    """Returns whether this machine has an NVIDIA device, or is set up for one: what CUDA reports is shown there.

    Set up means: NVIDIA's driver for Linux or for WSL 2, a container that asks for devices, or CUDA's Python packages.

    Example:
      >>> from unittest import mock
      >>> with mock.patch.dict(os.environ, NVIDIA_VISIBLE_DEVICES="all"):
      ...     expects_gpu()
      True
    """
    asked = os.environ.get("NVIDIA_VISIBLE_DEVICES", "void")
    has_driver = any(os.path.exists(path) for path in ("/dev/nvidiactl", "/dev/dxg"))
    return has_driver or asked not in ("", "void", "none") or _has_cuda_packages()


def _has_cuda_packages() -> bool:
    """Whether `pip install tensorflow[and-cuda]` has installed CUDA."""
    spec = importlib.util.find_spec("nvidia")  # Not "nvidia.cuda_runtime", which would import `nvidia`.
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return any(os.path.isdir(os.path.join(place, "cuda_runtime")) for place in places)


def is_chatter(line: str, *, expects_gpu: bool) -> bool:
    """Returns whether a line that TensorFlow prints at its start is one that a user cannot act on.

    Args:
      line: The line, without its line break.
      expects_gpu: Whether the machine is set up for an NVIDIA device; if so, errors about it are shown.

    Example:
      >>> line = "E0000 00:00:1700000000.000000 123 cuda_platform.cc:51] failed call to cuInit"
      >>> is_chatter(line, expects_gpu=False), is_chatter(line, expects_gpu=True)
      (True, False)
    """
    return bool(_CHATTER.match(line)) or (not expects_gpu and bool(_NO_GPU.match(line)))


_shows_everything = False


def show_everything() -> None:
    """From now on, shows TensorFlow's start-up messages, and every frame of a traceback; for `--debug`."""
    global _shows_everything
    _shows_everything = True
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"


@contextlib.contextmanager
def filtered_stderr(stream_fd: int = 2) -> Iterator[None]:
    """Removes start-up messages from standard error, those of native code too, and shows all other lines.

    The filter is a separate process: if native code aborts this process, its last message is still shown.

    Args:
      stream_fd: The file descriptor that is filtered.
    """
    if _shows_everything:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(stream_fd)
    # Runs this file as a program (see its end). -S and -E make it start faster; it needs only the standard library.
    command = [sys.executable, "-SE", __file__, *(["--expects-gpu"] if expects_gpu() else [])]
    filter_process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=saved)
    assert filter_process.stdin is not None
    os.dup2(filter_process.stdin.fileno(), stream_fd)
    filter_process.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, stream_fd)
        os.close(saved)
        filter_process.wait()


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Delays Ctrl-C until the end of the `with` block; a second Ctrl-C acts at once.

    An interrupt while Python imports a module written in C++ can abort the process, with a long dump instead of a line.

    Example:
      >>> reached = False
      >>> try:
      ...     with interrupts_deferred():
      ...         signal.raise_signal(signal.SIGINT)
      ...         reached = True
      ... except KeyboardInterrupt:
      ...     print(reached)
      True
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or previous is None:
        yield  # Python gives signals to the main thread only, and cannot restore a handler that is not Python's.
        return
    received = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pauses Python's garbage collection, which takes a seventh of the time of importing TensorFlow.

    Example:
      >>> with garbage_collection_paused():
      ...     gc.isenabled()
      False
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def joins_cluster(strategy: str) -> bool:
    """Returns whether a strategy has several workers, which must connect before TensorFlow finds its devices.

    Example:
      >>> joins_cluster("multi_worker"), joins_cluster("mirrored")
      (True, False)
    """
    return strategy == "multi_worker" or (strategy == "auto" and bool(os.environ.get("TF_CONFIG")))


class _Formatter(logging.Formatter):
    """Escapes the control characters in a warning, which can name a stranger's file."""

    def format(self, record: logging.LogRecord) -> str:
        # Not above: the filter runs this file as a program, which sees the standard library only.
        from tfpaths import errors

        return errors.shown(super().format(record))


def prepare() -> None:
    """Sets TensorFlow's log level, Keras' backend and the format of warnings, before TensorFlow is imported."""
    import absl.logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TFDS and TensorFlow log through absl what they read and how long it took.
    absl.logging.set_verbosity(absl.logging.WARNING)
    absl.logging.get_absl_handler().setFormatter(_Formatter("tfpaths: %(levelname)s: %(message)s"))


def import_module(name: str) -> None:
    """Imports a user's module without TensorFlow's start-up messages; see `registry.import_module`.

    Raises:
      InputError: There is no such module.
    """
    from tfpaths import registry

    prepare()
    with filtered_stderr():
        registry.import_module(name)


def import_tensorflow(logical_cpus: int | None = None, *, devices: bool = True) -> None:
    """Imports TensorFlow and finds its devices without start-up messages; sets Keras' image format and float type.

    Args:
      logical_cpus: The number of logical devices into which the CPU is split, for several replicas without a GPU.
      devices: Whether to find the devices; a worker must join its cluster before.
    """
    prepare()
    with interrupts_deferred(), filtered_stderr(), garbage_collection_paused():
        import keras
        import tensorflow as tf

        # In a notebook, TensorFlow would report each file that it writes, by its temporary name.
        tf.get_logger().setLevel(logging.WARNING)
        if logical_cpus is not None:
            (cpu,) = tf.config.list_physical_devices("CPU")
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * logical_cpus)
        if devices:
            tf.config.list_logical_devices()
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        if _shows_everything:
            keras.config.disable_traceback_filtering()
            tf.debugging.disable_traceback_filtering()


if __name__ == "__main__":
    _expects_gpu = "--expects-gpu" in sys.argv
    for _line in sys.stdin.buffer:
        if not is_chatter(_line.decode(errors="replace").rstrip("\n"), expects_gpu=_expects_gpu):
            sys.stdout.buffer.write(_line)
            sys.stdout.buffer.flush()
