"""Imports TensorFlow for the command line: without its start-up messages, but with its warnings and errors."""

import contextlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

# Lines that every start prints and that nobody can act on. absl's logger writes them before any level is set, so the
# environment variable alone does not stop them.
_CHATTER = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    r"|I\d{4} .*"
    r"|\d{4}-\d\d-\d\d .*: I .*"
    r"|To enable the following instructions: .*, in other operations, rebuild TensorFlow.*)$"
)
# On a machine without an NVIDIA device the CUDA library reports, as an error, that there is none.
_NO_GPU = re.compile(r"^[EW]\d{4} .*(cuda_platform|cuda_diagnostics|gpu_device)\.cc.*$")


def is_chatter(line: str, *, has_gpu: bool) -> bool:
    """Returns whether a line of TensorFlow's start-up is one that nobody can act on."""
    return bool(_CHATTER.match(line)) or (not has_gpu and bool(_NO_GPU.match(line)))


@contextlib.contextmanager
def filtered_stderr(stream_fd: int = 2) -> Iterator[None]:
    """Removes start-up messages from what native code writes to standard error, and lets everything else through.

    The filter is a separate process: if native code aborts this one, its last message is still shown.
    """
    sys.stderr.flush()
    saved = os.dup(stream_fd)
    # This file as a program: see its end. -S and -E, because it needs only the standard library.
    filter_process = subprocess.Popen([sys.executable, "-SE", __file__], stdin=subprocess.PIPE, stdout=saved)
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


def joins_cluster(strategy: str) -> bool:
    """Returns whether a strategy has several workers, which must connect before TensorFlow does anything else."""
    return strategy == "multi_worker" or (strategy == "auto" and bool(os.environ.get("TF_CONFIG")))


def prepare() -> None:
    """Sets what a command-line program wants before TensorFlow is imported: its log, and Keras' backend."""
    import absl.logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TFDS and TensorFlow report through absl what they read and how long it took.
    absl.logging.set_verbosity(absl.logging.WARNING)
    absl.logging.get_absl_handler().setFormatter(logging.Formatter("tfpaths: %(levelname)s: %(message)s"))


def import_module(name: str) -> None:
    """Imports a user's module, which may import TensorFlow, quietly; see `registry.import_module`."""
    from tfpaths import registry

    prepare()
    with filtered_stderr():
        registry.import_module(name)


def import_tensorflow(logical_cpus: int | None = None, *, devices: bool = True) -> None:
    """Imports TensorFlow and finds its devices, quietly. Warnings and errors that are meant for a person are kept.

    Args:
      logical_cpus: Shows the CPU as this many devices, for a strategy of several replicas without a GPU.
      devices: Whether they are looked for already; a worker of a cluster must join it before that.
    """
    prepare()
    with filtered_stderr():
        import keras
        import tensorflow as tf

        # In a notebook it would report each file that it writes, under the name that the file has on the way.
        tf.get_logger().setLevel(logging.WARNING)
        if logical_cpus is not None:
            (cpu,) = tf.config.list_physical_devices("CPU")
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * logical_cpus)
        if devices:
            tf.config.list_logical_devices()
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")


if __name__ == "__main__":
    _has_gpu = os.path.exists("/dev/nvidiactl")
    for _line in sys.stdin.buffer:
        if not is_chatter(_line.decode(errors="replace").rstrip("\n"), has_gpu=_has_gpu):
            sys.stdout.buffer.write(_line)
            sys.stdout.buffer.flush()
