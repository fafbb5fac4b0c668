"""Two workers with one core each, compared with one worker with one core; the work for each core is the same.

    python -m benchmarks.scaling [--turns=5] [--steps=30]

Prints a table and writes `benchmarks/results/scaling.json`. Three kinds of jobs take turns: one worker; two independent
workers, which shows how much two cores of one machine slow each other; a cluster of two workers, which adds their
communication. The efficiency is the first time divided by the third. Each worker is a process on its own core. A step
is one of `color_mnist_dragan_ns` at full width with 32 images for each worker.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

from absl import app, flags

from benchmarks import machine, spread, store
from tfpaths import experiments, schema, startup

_TURNS = flags.DEFINE_integer("turns", 5, "How many times each kind of job is run.")
_STEPS = flags.DEFINE_integer("steps", 30, "Steps in each measurement.")
_EXP = flags.DEFINE_string("exp", "color_mnist_dragan_ns", "The experiment.")
_BATCH = flags.DEFINE_integer("batch", 32, "Images for each worker.")
_CORE = flags.DEFINE_integer("core", None, "For the workers: the core on which to run.")


def step_seconds():
    """Runs a worker; returns the seconds of a step without the first three, the parameters and the replicas."""
    os.sched_setaffinity(0, {_CORE.value})
    startup.import_tensorflow(devices=False)
    import tensorflow as tf

    from tfpaths import data
    from tfpaths.runs import build, distribution

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    strategy = distribution.get("auto")
    batch_size = _BATCH.value * strategy.num_replicas_in_sync
    experiment = schema.override(experiments.get(_EXP.value), {"schedule.batch_size": str(batch_size)})
    images = data.load(experiment.data.name)
    with strategy.scope():
        gan = build.build(experiment, images.shape)
    iterator = iter(strategy.experimental_distribute_dataset(images.batches(batch_size)))
    step = gan.make_train_function()
    for _ in range(3):
        values = step(iterator)
    float(values["penalty"])
    start = time.perf_counter()
    for _ in range(_STEPS.value):
        values = step(iterator)
    float(values["penalty"])
    seconds = (time.perf_counter() - start) / _STEPS.value
    parameters = sum(int(tf.size(v)) for v in gan.trainable_variables)
    return {"seconds": seconds, "parameters": parameters, "replicas": strategy.num_replicas_in_sync}


def job(workers, cluster):
    """Runs workers at the same time, each on its own core; returns what each of them prints.

    Args:
      workers: The number of workers.
      cluster: Whether they are a cluster.
    """
    # Free ports for the workers.
    sockets = [socket.socket() for _ in range(workers)]
    for listener in sockets:
        listener.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    cores = sorted(os.sched_getaffinity(0))
    processes = []
    for index in range(workers):
        tf_config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(tf_config) if cluster else ""}
        texts = [f"--exp={_EXP.value}", f"--batch={_BATCH.value}", f"--steps={_STEPS.value}", f"--core={cores[index]}"]
        command = [sys.executable, "-m", "benchmarks.scaling", *texts]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a worker failed; its output is above.")
    return [json.loads(text.splitlines()[-1]) for text in outputs]


def main(argv):
    del argv
    if _CORE.value is not None:
        print(json.dumps(step_seconds()))
        return
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("benchmarks.scaling: expected at least two cores, received one.")
    kinds = {"one worker": (1, False), "two independent workers": (2, False), "a cluster of two": (2, True)}
    times = {name: [] for name in kinds}
    for _ in range(_TURNS.value):
        for name, (workers, cluster) in kinds.items():
            outputs = job(workers, cluster)
            assert all(output["replicas"] == (2 if cluster else 1) for output in outputs)
            times[name].append(statistics.mean(output["seconds"] for output in outputs))
    alone, apart, together = times.values()
    ratios = {
        "efficiency: one worker / a cluster of two": [a / t for a, t in zip(alone, together, strict=True)],
        "sharing the machine: one worker / two independent workers": [a / b for a, b in zip(alone, apart, strict=True)],
        "communication: two independent workers / a cluster of two": [
            b / t for b, t in zip(apart, together, strict=True)
        ],
    }
    for name, values in times.items():
        print(f"{name:<54} {spread([1000 * value for value in values])} ms a step")
    for name, values in ratios.items():
        print(f"{name:<54} {spread(values)}")
    parameters = outputs[0]["parameters"]
    print(f"all-reduced in a step: {4 * parameters / 1e6:.1f} MB of gradients")
    store(
        "scaling",
        {
            **machine("tensorflow", "keras"),
            "experiment": _EXP.value,
            "images_per_worker": _BATCH.value,
            "parameters": parameters,
            "seconds_per_step": times,
            "ratios": ratios,
        },
    )


if __name__ == "__main__":
    app.run(main)
