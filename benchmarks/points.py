"""Studies on points beside studies on lines: microseconds per run and step, at the same widths.

    python -m benchmarks.points [--turns=7] [--seconds=2]

Both have two latent numbers, data in the plane, hidden layers of 64 and batches of 64, and train a block of runs on
each core, as a study of 1,000 runs does. A line's generator is linear, and that of points has the discriminator's
hidden layers. The operations of the networks' products are counted: their ratio is what the larger generator costs at
the same rate. Before each row, a study on points compares samples with real points; a contender of its own includes
that, once in `schedule.log_every` steps. A step on a line has the exact distance of each step in it.

Contenders take turns, each in its own process; a ratio is of one turn. Prints a table and writes
`benchmarks/results/points.json`.
"""

import os

from absl import app, flags

from benchmarks import machine, spread, store, turns

_TURNS = flags.DEFINE_integer("turns", 7, "Turns, at least 2: each measures every contender once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Approximate length of a measurement, in seconds.")
_CLOCK = flags.DEFINE_enum("clock", "wall", turns.CLOCKS, "What is measured; `processor` on a machine with other work.")

GOAL = 1.3
VARIANTS = ("ns", "gan_gp")
SHARED = {"study.latents": "2", "study.width": "64", "study.depth": "2", "schedule.batch_size": "64"}
# Name -> (the study, its other fields).
STUDIES = {"line": ("line1_{}", {"study.dimension": "2"}), "points": ("study_mog_{}", {})}


def study_of(name, variant):
    """Returns the config of a study of 1,000 runs."""
    from tfpaths import experiments, schema

    pattern, fields = STUDIES[name]
    return schema.override(experiments.get(pattern.format(variant)), {**SHARED, "study.runs": "1000", **fields})


def contender(name, variant, with_rows):
    """Returns a function that trains a block of runs on each core: some steps, or some parts that end with a row."""
    import tensorflow as tf

    from tfpaths.lines import study

    config = study_of(name, variant)
    blocks = [study.build(config, config.study.block) for _ in range(turns.CORES)]
    for index, block in enumerate(blocks):
        block.reset(index * block.runs)

    def advance(block, count):
        if with_rows:
            for _ in range(count):
                block.advance(config.schedule.log_every)
        else:
            for value in tf.nest.flatten(block._advance(tf.constant(count))):
                value.numpy()

    return lambda count: turns.side_by_side([lambda block=block: advance(block, count) for block in blocks])


def measure(variant):
    """Returns the seconds of a run and step of each contender, in each turn."""
    from tfpaths import startup

    startup.import_tensorflow()
    names = {"line": ("line", False), "points": ("points", False), "points, with rows": ("points", True)}
    contenders = {
        label: turns.Contender("tensorflow", contender, (name, variant, with_rows), _SECONDS.value)
        for label, (name, with_rows) in names.items()
    }
    seconds = turns.compete(contenders, _TURNS.value, _CLOCK.value)
    for each in contenders.values():
        each.close()
    steps = {label: study_of("points", variant).schedule.log_every if rows else 1 for label, (_, rows) in names.items()}
    runs = turns.CORES * study_of("points", variant).study.block
    return {label: [value / runs / steps[label] for value in values] for label, values in seconds.items()}


def operations(name, variant):
    """Returns the floating-point operations of the networks' products in a step of one run."""
    from tfpaths import schema
    from tfpaths.lines import cost

    return cost.operations(schema.override(study_of(name, variant), {"study.runs": "1", "schedule.steps": "1"}))


def main(argv):
    del argv
    cases = []
    for variant in VARIANTS:
        seconds = measure(variant)
        counted = {name: operations(name, variant) for name in STUDIES}
        for label, values in seconds.items():
            ratio = spread([value / line for value, line in zip(values, seconds["line"], strict=True)])
            print(f"{variant:<8}{label:<20}{spread([1e6 * value for value in values]):>18} µs{ratio:>18}", flush=True)
        print(f"{variant:<8}operations: {counted['points'] / counted['line']:.3g}", flush=True)
        cases.append({"variant": variant, "operations": counted, "seconds_per_run_and_step": seconds})
    about = {**machine("tensorflow", "keras"), "load": os.getloadavg()[2], "clock": _CLOCK.value}
    every = study_of("points", VARIANTS[0]).schedule.log_every
    store("points", {**about, "goal": GOAL, "log_every": every, "cases": cases})


if __name__ == "__main__":
    app.run(main)
