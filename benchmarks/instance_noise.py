"""Instance noise: the time of an image step with it over that without.

    python -m benchmarks.instance_noise [--turns=200] [--clock=processor]

`color_mnist_ns` at full width, batch 64, 28×28×3, with random images as data. The difference is a few per cent, which
is less than two processes differ by themselves: both games are in one process and take turns of three steps. A ratio
is of one turn; the result is their median with its 95 % interval, from order statistics. Writes
`benchmarks/results/instance_noise.json`.
"""

import os
import statistics
import time

import scipy.stats
from absl import app, flags

from benchmarks import machine, spread, store, turns

_TURNS = flags.DEFINE_integer("turns", 200, "Turns, at least 10: each measures both once.", lower_bound=10)
_CLOCK = flags.DEFINE_enum("clock", "wall", turns.CLOCKS, "What is measured; `processor` on a machine with other work.")

GOAL = 1.02
BATCH, SHAPE, STEPS = 64, (28, 28, 3), 3
VARIANTS = ("ns", "ns_noise")


def game(variant):
    """Returns a function that makes training steps of a variant."""
    import tensorflow as tf

    from tfpaths import experiments
    from tfpaths.runs import build

    gan = build.build(experiments.get(f"color_mnist_{variant}"), SHAPE)
    images = tf.random.stateless_uniform((BATCH, *SHAPE), [0, 1], -1.0, 1.0)
    batches = iter(tf.data.Dataset.from_tensors(images).repeat())
    step = gan.make_train_function()

    def advance(steps):
        for _ in range(steps):
            values = step(batches)
        values["generator_loss"].numpy()

    return advance


def interval(values):
    """Returns the 95 % interval of the median of some values: two of them, by the binomial distribution."""
    low, high = scipy.stats.binom.ppf([0.025, 0.975], len(values), 0.5).astype(int)
    ordered = sorted(values)
    return [ordered[max(low - 1, 0)], ordered[min(high, len(values) - 1)]]


def main(argv):
    del argv
    clock = time.perf_counter if _CLOCK.value == "wall" else time.process_time
    games = {variant: game(variant) for variant in VARIANTS}
    seconds = {variant: [] for variant in VARIANTS}
    for advance in games.values():
        advance(STEPS)
    for turn in range(_TURNS.value):
        # Each begins every second turn.
        for variant in VARIANTS if turn % 2 else reversed(VARIANTS):
            start = clock()
            games[variant](STEPS)
            seconds[variant].append((clock() - start) / STEPS)
    ratios = [noisy / plain for plain, noisy in zip(*(seconds[variant] for variant in VARIANTS), strict=True)]
    content = {
        "batch_size": BATCH,
        "clock": _CLOCK.value,
        "load": os.getloadavg()[2],
        "turns": _TURNS.value,
        "milliseconds": {name: spread([1e3 * value for value in values]) for name, values in seconds.items()},
        "ratio": statistics.median(ratios),
        "interval": interval(ratios),
        "goal": GOAL,
    }
    print(content)
    store("instance_noise", {**machine("tensorflow", "keras"), **content})


if __name__ == "__main__":
    app.run(main)
