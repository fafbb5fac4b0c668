"""Contenders that take turns, each in its own process, which sleeps while another is measured."""

import concurrent.futures
import importlib
import multiprocessing
import os
import pathlib
import time

from tfpaths import startup

CORES = len(os.sched_getaffinity(0))


def _serve(library, make, arguments, connection):
    """Makes a contender in this process, then measures it whenever the other process asks for it."""
    try:
        if library == "tensorflow":
            startup.import_tensorflow()
        importlib.import_module(library)
    except ImportError:
        connection.send(None)
        return
    imported = _memory("VmRSS")
    advance = make(*arguments)
    start = time.perf_counter()
    advance(1)
    first = time.perf_counter() - start
    steps, duration = 1, 0.0
    # Until it takes long enough to estimate how many steps the requested time needs.
    while duration < 0.2:
        if steps > 1:
            advance(steps)  # Compiles: JAX does so for each number of steps.
        start = time.perf_counter()
        advance(steps)
        duration = time.perf_counter() - start
        steps *= 4
    steps //= 4
    connection.send(first)
    count = max(round(connection.recv() / duration * steps), 1)
    if count > steps:
        advance(count)  # Compiles for this number; a slower contender has been warmed up already.
    # Resets the peak of the memory, VmHWM.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    connection.send(True)
    while connection.recv():
        start, used = time.perf_counter(), time.process_time()
        advance(count)
        seconds = (time.perf_counter() - start) / count, (time.process_time() - used) / count
        connection.send((*seconds, _memory("VmHWM") - imported, _memory("VmHWM")))


def _memory(field):
    """Returns the memory of this process in bytes, as Linux reports it: VmRSS is the current one, VmHWM the peak."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


class Contender:
    """A contender in its own process, which sleeps until `measure` is called.

    Args:
      library: The module that the contender needs; if it is missing, `first` is None.
      make: A module's function; `make(*arguments)` returns a function `advance(steps)`.
      arguments: The arguments of `make`.
      seconds: Approximate length of a measurement.

    Attributes:
      first: Seconds of the first step, with compiling; None if the library is missing.
      processor: Processor time of a step of the last measurement in seconds, over all cores.
      memory: Peak memory of the measurements so far in bytes, without what the process used after its imports.
      process_memory: Peak memory of the measurements so far in bytes.
    """

    def __init__(self, library, make, arguments, seconds):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(library, make, arguments, other), daemon=True)
        self._process.start()
        other.close()  # Otherwise `recv` would wait forever if the process ended.
        self.first = self.connection.recv()
        if self.first is not None:
            self.connection.send(seconds)
            self.connection.recv()

    def measure(self):
        """Measures once; returns the seconds of a step."""
        self.connection.send(True)
        seconds, self.processor, self.memory, self.process_memory = self.connection.recv()
        return seconds

    def close(self):
        """Ends the process."""
        self._process.terminate()
        self._process.join()


def compete(contenders, count, clock="wall"):
    """Returns key -> seconds of a step in each of `count` turns; contenders without their library are left out.

    Args:
      contenders: Key -> contender.
      count: The number of turns.
      clock: `wall`, or `processor`: the processor time over all cores, which depends little on other work.
    """
    available = {key: contender for key, contender in contenders.items() if contender.first is not None}
    seconds = {key: [] for key in available}
    for _ in range(count):
        for key, contender in available.items():
            measured = contender.measure()
            seconds[key].append(measured if clock == "wall" else contender.processor)
    return seconds


CLOCKS = ("wall", "processor")


def side_by_side(functions):
    """Calls all functions at the same time, each in its own thread."""
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        list(pool.map(lambda function: function(), functions))


def torch_product(size, precision="float32"):
    """Returns a contender whose step is one matrix product of `size` rows, by PyTorch."""
    import torch

    torch.set_num_threads(CORES)
    square = torch.ones(size, size, dtype=getattr(torch, precision))
    return lambda steps: [square @ square for _ in range(steps)] and None


def tensorflow_product(size, precision="float32"):
    """Returns the same by TensorFlow."""
    import tensorflow as tf

    square = tf.ones([size, size], precision)
    return lambda steps: [tf.matmul(square, square).numpy() for _ in range(steps)] and None
