"""The parts of a step: the operations of each, and its share of the time.

    python -m benchmarks.parts [--variant=dragan_ns] [--side=32] [--precision=float32]

Counts two operations for each multiplication of a convolution or a matrix product in the traced step, if an output
depends on it; all other operations are few in comparison. Times are from TensorFlow's profiler, added up over all
operations of a part. Two operations may run at the same time, so that the table has shares, not durations. Prints a
table and writes `benchmarks/results/parts.json`.
"""

import collections
import glob
import tempfile

from absl import app, flags

from benchmarks import machine, operations, store

_VARIANT = flags.DEFINE_string("variant", "dragan_ns", "The variant.")
_SIDE = flags.DEFINE_integer("side", 32, "Pixels.")
_PRECISION = flags.DEFINE_string("precision", "float32", "The precision.")
_STEPS = flags.DEFINE_integer("steps", 10, "Steps in the measurement.")


def shares(variant, side, precision, steps):
    """Returns part -> its share of the time of all operations, from the profiler."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    function, batch = operations.traced(variant, side, precision)
    for _ in range(3):
        function(batch)
    with tempfile.TemporaryDirectory() as directory:
        with tf.profiler.experimental.Profile(directory):
            for _ in range(steps):
                values = function(batch)
            float(values["penalty"])
        space = xplane_pb2.XSpace()
        (path,) = glob.glob(f"{directory}/**/*.xplane.pb", recursive=True)
        with open(path, "rb") as file:
            space.ParseFromString(file.read())
    spent = collections.Counter()
    names = {operation.name for operation in function.get_concrete_function(batch).graph.get_operations()}
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name.partition(":")[0]
                if name in names or "update_" in name:
                    spent[operations.part(name)] += event.duration_ps
    return {name: time / sum(spent.values()) for name, time in spent.items()}


def main(argv):
    del argv
    counted = operations.count(_VARIANT.value, _SIDE.value)
    spent = shares(_VARIANT.value, _SIDE.value, _PRECISION.value, _STEPS.value)
    print(f"{_VARIANT.value}, {_SIDE.value}×{_SIDE.value}, {_PRECISION.value}")
    print(f"{'':<20}{'GFLOP':>10}{'of all':>10}{'of the time':>14}")
    total = sum(counted.values())
    for name in operations.PARTS:
        print(f"{name:<20}{counted[name] / 1e9:>10.2f}{counted[name] / total:>10.1%}{spent.get(name, 0.0):>14.1%}")
    print(f"{'all':<20}{total / 1e9:>10.2f}")
    settings = {"variant": _VARIANT.value, "side": _SIDE.value, "precision": _PRECISION.value}
    parts = {name: {"operations": counted[name], "share_of_time": spent.get(name, 0.0)} for name in operations.PARTS}
    store("parts", {**machine("tensorflow", "keras"), **settings, "parts": parts})


if __name__ == "__main__":
    app.run(main)
