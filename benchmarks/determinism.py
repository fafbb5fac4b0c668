"""Whether a run ends bit for bit the same: many runs in separate processes, some of them killed and resumed.

    python -m benchmarks.determinism [--scale=1]
    python -m benchmarks.determinism --cost=15

Trains one small experiment again and again under several conditions, compares the last checkpoint of each run with that
of the first, and writes `benchmarks/results/determinism.json`. With `--cost`, prints instead what TensorFlow's
`enable_op_determinism()` costs in a step of dragan_ns with batches of 64 images of 28×28: two processes, with it and
without it, take turns.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

from benchmarks import spread, store, turns
from tfpaths import startup

_SCALE = flags.DEFINE_float("scale", 1.0, "The number of runs of each condition, relative to the table's.")
_COST = flags.DEFINE_integer("cost", 0, "Measures the cost of determinism in so many turns, at least 2.", lower_bound=0)

_STEPS = 40
_FLAGS = {
    "data.source": "embedded",
    "schedule.steps": _STEPS,
    "schedule.batch_size": 8,
    "schedule.log_every": 1,
    "schedule.sample_every": 20,
    "schedule.checkpoint_every": 4,
    "networks.latent_dim": 5,
    "networks.generator_filters": 8,
    "networks.discriminator_filters": 8,
    "evaluation.metrics": "none",
}
# Splits the CPU into logical devices before the command line finds them.
_CODE = """
import sys
from tfpaths import launch, startup
if int(sys.argv[1]) > 1:
    startup.import_tensorflow(logical_cpus=int(sys.argv[1]))
sys.exit(launch.main(launch.parse_flags(["tfpaths.launch", *sys.argv[2:]])))
"""
# Condition -> the number of runs, threads, logical devices, whether runs are killed, and busy processes beside them.
# Each is compared with the first run of the condition named last.
CONDITIONS = {
    "2 threads": (80, 2, 1, False, 0, "2 threads"),
    "2 threads, killed and resumed": (50, 2, 1, True, 0, "2 threads"),
    "2 threads, 4 busy processes beside": (40, 2, 1, False, 4, "2 threads"),
    "2 threads, 2 replicas": (20, 2, 2, False, 0, "2 threads, 2 replicas"),
    "1 thread": (5, 1, 1, False, 0, "2 threads"),
    "4 threads": (5, 4, 1, False, 0, "2 threads"),
}


def ended(directory: pathlib.Path, threads: int, devices: int, killed: bool, seed: int) -> dict[str, np.ndarray]:
    """Trains one run to its end; returns every number of its last checkpoint by name."""
    import tensorflow as tf

    arguments = [f"--set={name}={value}" for name, value in _FLAGS.items()]
    arguments += ["--exp=color_mnist_dragan_ns", f"--workdir={directory}"]
    arguments += ["--strategy=mirrored"] if devices > 1 else []
    command = [sys.executable, "-c", _CODE, str(devices), *arguments]
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": str(threads)}
    options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if killed:
        with subprocess.Popen(command, **options) as process:
            while not list(directory.glob("checkpoints/step-*.index")) and process.poll() is None:
                time.sleep(0.01)
            time.sleep(random.Random(seed).uniform(0.0, 0.5))
            process.send_signal(signal.SIGKILL)
    subprocess.run(command, check=True, **options)
    reader = tf.train.load_checkpoint(str(directory / "checkpoints" / f"step-{_STEPS}"))
    texts = ("_CHECKPOINTABLE", "save_counter", "rows/", "config/")
    names = sorted(name for name in reader.get_variable_to_shape_map() if not name.startswith(texts))
    return {name: reader.get_tensor(name) for name in names}


@contextlib.contextmanager
def busy(count: int):
    """Keeps `count` processes busy within a `with` block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def step(deterministic: bool):
    """Returns a contender whose step is one of `fit`; see `turns.Contender`."""
    import tensorflow as tf

    from benchmarks import steps

    if deterministic:
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(0)  # Without it, an operation that draws by TensorFlow's own seeds is an error.
    return steps.tfpaths("dragan_ns", 28, "float32")


def cost(count: int) -> None:
    """Prints the time of a step with and without TensorFlow's determinism, and the ratio of each turn."""
    from tfpaths.runs import results

    contenders = {name: turns.Contender("tensorflow", step, (name,), 2.0) for name in (True, False)}
    seconds = turns.compete(contenders, count)
    for contender in contenders.values():
        contender.close()
    ratios = [deterministic / usual for deterministic, usual in zip(seconds[True], seconds[False], strict=True)]
    print(f"{results.made()['processor']}, {turns.CORES} cores, {count} turns")
    for name, values in (("without", seconds[False]), ("with", seconds[True])):
        print(f"{name:8} {spread([1000 * value for value in values])} ms a step")
    print(f"ratio    {spread(ratios)}")


def main(argv):
    del argv
    if _COST.value:
        cost(_COST.value)
        return
    startup.import_tensorflow()
    first, rows = {}, []
    for name, (count, threads, devices, killed, load, compared_with) in CONDITIONS.items():
        count = max(2, round(count * _SCALE.value))
        with busy(load), tempfile.TemporaryDirectory() as path, concurrent.futures.ThreadPoolExecutor(2) as pool:
            calls = [(pathlib.Path(path) / str(run), threads, devices, killed, run) for run in range(count)]
            ends = list(pool.map(lambda call: ended(*call), calls))
        reference = first.setdefault(compared_with, ends[0])
        digests = {hashlib.sha256(b"".join(value.tobytes() for value in end.values())).hexdigest() for end in ends}
        equal = [all(np.array_equal(end[key], reference[key]) for key in reference) for end in ends]
        furthest = max(float(np.abs(end[key] - reference[key]).max()) for end in ends for key in reference)
        rows.append(
            {
                "condition": name,
                "runs": count,
                "equal": sum(equal),
                "different_ends": len(digests),
                "furthest": furthest,
                "compared_with": compared_with,
            }
        )
        print(rows[-1], flush=True)
        store("determinism", {"steps": _STEPS, "rows": rows})


if __name__ == "__main__":
    app.run(main)
