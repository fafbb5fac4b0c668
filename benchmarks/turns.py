"""Contenders that take turns, each in a process of its own that sleeps while another is measured."""

import importlib
import multiprocessing
import os
import pathlib
import time

from tfpaths import startup

CORES = len(os.sched_getaffinity(0))


def _serve(library, make, arguments, connection):
    """In a process of its own: makes a contender, then measures as often as it is asked, for as many steps."""
    try:
        if library == "tensorflow":
            startup.import_tensorflow()
        importlib.import_module(library)
    except ImportError:
        connection.send(None)
        return
    imported = _memory("VmRSS")
    advance = make(*arguments)
    steps, duration = 1, 0.0
    start = time.perf_counter()
    advance(1)
    first = time.perf_counter() - start
    # Long enough to know how many steps the wanted time takes.
    while duration < 0.2:
        advance(steps)  # Compiles; JAX' programs of many steps do so for each number of them.
        start = time.perf_counter()
        advance(steps)
        duration = time.perf_counter() - start
        steps *= 4
    steps //= 4
    connection.send(first)
    count = max(round(connection.recv() / duration * steps), 1)
    if count > steps:
        advance(count)  # As often as it will be measured; what is too slow for that has run warm.
    # From here on the system counts the peak anew.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    connection.send(True)
    while connection.recv():
        start = time.perf_counter()
        advance(count)
        connection.send(((time.perf_counter() - start) / count, _memory("VmHWM") - imported, _memory("VmHWM")))


def _memory(field):
    """Bytes, from what Linux says of this process: VmRSS for what it holds, VmHWM for the most that it has held."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


class Contender:
    """`make(*arguments)` gives `advance(steps)`, in a process that sleeps until it is asked.

    Args:
      library: the module without which there is no such contender: `first` is none then.
      make: a function of a module.
      arguments: its arguments.
      seconds: about how long a measurement takes.

    Attributes:
      first: seconds of the first step, compiling included; none where the library is missing.
      memory: after a measurement, the most bytes that the process held over those that it held after its import.
      process_memory: the most bytes that it held altogether.
    """

    def __init__(self, library, make, arguments, seconds):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(library, make, arguments, other), daemon=True)
        self._process.start()
        other.close()  # Or the end of the process would go unnoticed.
        self.first = self.connection.recv()
        if self.first is not None:
            self.connection.send(seconds)
            self.connection.recv()

    def measure(self):
        """Seconds of a step."""
        self.connection.send(True)
        seconds, self.memory, self.process_memory = self.connection.recv()
        return seconds

    def close(self):
        self._process.terminate()
        self._process.join()


def compete(contenders, count):
    """Key -> seconds of a step, one for each turn; those without their library are left out."""
    alive = {key: one for key, one in contenders.items() if one.first is not None}
    found = {key: [] for key in alive}
    for _ in range(count):
        for key, one in alive.items():
            found[key].append(one.measure())
    return found


def torch_product(size, precision="float32"):
    """A "step" is one matrix product of `size` rows."""
    import torch

    torch.set_num_threads(CORES)
    square = torch.ones(size, size, dtype=getattr(torch, precision))
    return lambda steps: [square @ square for _ in range(steps)] and None


def tensorflow_product(size, precision="float32"):
    """The same by TensorFlow."""
    import tensorflow as tf

    square = tf.ones([size, size], precision)
    return lambda steps: [tf.matmul(square, square).numpy() for _ in range(steps)] and None
