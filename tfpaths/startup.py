"""Imports TensorFlow without its start-up chatter, and without losing what it has to say."""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

import absl.logging

# Lines that every start prints and that ask nothing of anybody. absl's logger writes them before any level is set, so
# the environment variable alone does not stop them.
_CHATTER = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    r"|I\d{4} .*"
    r"|\d{4}-\d\d-\d\d .*: I .*"
    r"|To enable the following instructions: .*, in other operations, rebuild TensorFlow.*)$"
)
# On a machine without an NVIDIA device the CUDA library reports, as an error, that there is none.
_NO_GPU = re.compile(r"^[EW]\d{4} .*(cuda_platform|cuda_diagnostics|gpu_device)\.cc.*$")


def is_chatter(line: str, *, has_gpu: bool) -> bool:
    """Whether a line of TensorFlow's start-up says nothing that a person could act on."""
    return bool(_CHATTER.match(line)) or (not has_gpu and bool(_NO_GPU.match(line)))


@contextlib.contextmanager
def filtered_stderr(stream_fd: int = 2) -> Iterator[None]:
    """Holds back what native code writes to standard error, then repeats all of it but the chatter."""
    has_gpu = os.path.exists("/dev/nvidiactl")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, contextlib.ExitStack() as stack:
        saved = os.dup(stream_fd)
        stack.callback(os.close, saved)
        os.dup2(held.fileno(), stream_fd)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, stream_fd)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines()
            kept = [line for line in lines if not is_chatter(line, has_gpu=has_gpu)]
            if kept:
                os.write(stream_fd, ("\n".join(kept) + "\n").encode())


def import_tensorflow(logical_cpus: int | None = None) -> None:
    """Imports TensorFlow and finds its devices, quietly. Warnings and errors that are meant for a person are kept.

    Args:
      logical_cpus: shows the processor as this many devices, for a strategy of several replicas without a GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TFDS and TensorFlow tell through absl what they read and how long it took.
    absl.logging.set_verbosity(absl.logging.WARNING)
    absl.logging.get_absl_handler().setFormatter(logging.Formatter("tfpaths: %(levelname)s: %(message)s"))
    with filtered_stderr():
        import tensorflow as tf

        if logical_cpus is not None:
            (cpu,) = tf.config.list_physical_devices("CPU")
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * logical_cpus)
        tf.config.list_logical_devices()
