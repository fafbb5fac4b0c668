"""The time of the game's Jacobian: 1,000 runs on the line with 305 parameters each.

    python -m benchmarks.jacobian

One program for each core, as in a study; the runs are divided into blocks. The limit of the project is ten minutes on
two cores. It measures a variant without and one with a penalty, and says how busy the machine was. Writes
`benchmarks/results/jacobian.json`.
"""

import argparse
import concurrent.futures
import os
import time

import tensorflow as tf

from benchmarks import machine, store
from tfpaths import experiments
from tfpaths.lines import jacobian, study
from tfpaths.runs import results


def program(block, batch_size):
    """Returns a compiled function that returns the Jacobian of every run of a block."""

    def measured():
        stream = block.gan.stream.fold(-9)
        return jacobian.jacobian(block.gan, block.batch(stream.fold(0), batch_size), stream.fold(1))

    return tf.function(measured, jit_compile=True, autograph=False).get_concrete_function()


def measure(variant, arguments):
    """Returns the time of the Jacobian of all runs of a variant."""
    base = experiments.get(f"line1_{variant}")
    base = base.replace(study=base.study.replace(width=15, depth=2, activation="smooth_leaky_relu"))
    load = os.getloadavg()[0]
    blocks = [study.build(base, arguments.block) for _ in range(results.cores())]
    functions = [program(block, arguments.batch_size) for block in blocks]
    start = time.perf_counter()
    for block, function in zip(blocks, functions, strict=True):
        block.reset(0)
        shape = function().shape
    first = time.perf_counter() - start
    rounds = -(-arguments.runs // (arguments.block * len(blocks)))
    start, processor = time.perf_counter(), time.process_time()
    with concurrent.futures.ThreadPoolExecutor(len(blocks)) as pool:
        for index in range(rounds):
            for place, block in enumerate(blocks):
                block.reset((index * len(blocks) + place) * arguments.block)
            list(pool.map(lambda function: function().numpy(), functions))
    return {
        "variant": variant,
        "runs": rounds * arguments.block * len(blocks),
        "parameters": int(shape[-1]),
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - processor,
        "seconds_of_first_call": first,
        # Processes that wanted a core in the minute before, this one's included: above 2, others used the cores too.
        "load": load,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--block", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--variants", nargs="+", default=["ns", "gan_gp"])
    arguments = parser.parse_args()
    measured = []
    for variant in arguments.variants:
        measured.append(measure(variant, arguments))
        print(measured[-1], flush=True)
    content = {"batch_size": arguments.batch_size, "variants": measured}
    store("jacobian", {**machine("tensorflow", "keras"), **content})


if __name__ == "__main__":
    main()
