"""Refinement: the time of k Langevin steps over that of k passes through the networks.

    python -m benchmarks.refinement [--turns=5] [--steps=20] [--batch=64]

Prints a table and writes `benchmarks/results/refinement.json`. The passes are the same loop without noise and without
keys: forward and backward through D, in the space of latents through G too, and G once more, for the first or the last
examples. Both are compiled, of untrained networks, and take turns, each in its own process; a ratio is of one turn.
"""

import os

from absl import app, flags

from benchmarks import machine, spread, store, turns

_TURNS = flags.DEFINE_integer("turns", 5, "Turns, at least 2: each measures both once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Approximate length of a measurement, in seconds.")
_CLOCK = flags.DEFINE_enum("clock", "wall", turns.CLOCKS, "What is measured; `processor` on a machine with other work.")
_STEPS = flags.DEFINE_integer("steps", 20, "Langevin steps.")
_BATCH = flags.DEFINE_integer("batch", 64, "Samples in a batch.")

GOAL = 1.1
# Name -> (the experiment whose networks are used, the shape of an example).
NETWORKS = {"points, mlp": ("twenty_five_gaussians_ns", (2,)), "28×28, dcgan": ("color_mnist_ns", (28, 28, 3))}
DYNAMICS = ("langevin", "ddls")


def contender(networks, dynamics, steps, batch, with_noise):
    """Returns a function that refines batches, or makes the passes alone."""
    import tensorflow as tf

    from tfpaths import experiments, refinement, streams
    from tfpaths.runs import build

    name, shape = NETWORKS[networks]
    gan, form = build.build(experiments.get(name), shape), refinement.get(dynamics)
    is_latent = form.space == "latent"

    def passes(latents):
        def score(y):
            return tf.reduce_sum(gan.discriminator(gan.generate(y) if is_latent else y, training=False))

        def step(index, y):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(y)
                total = score(y)
            return index + 1, y + 0.5 * form.step_size * tape.gradient(total, y)

        start = latents if is_latent else gan.generate(latents)
        y = tf.while_loop(lambda index, _: index < steps, step, (tf.constant(0), start), parallel_iterations=1)[1]
        return gan.generate(y) if is_latent else y

    def refine(latents):
        return refinement.refine(gan.generate, gan.discriminator, latents, form, steps=steps)

    function = tf.function(refine if with_noise else passes, autograph=False)
    latents = gan.latents(batch, streams.root(0))

    def advance(calls):
        for _ in range(calls):
            function(latents).numpy()

    return advance


def main(argv):
    del argv
    cases = []
    for networks in NETWORKS:
        for dynamics in DYNAMICS:
            contenders = {
                name: turns.Contender(
                    "tensorflow",
                    contender,
                    (networks, dynamics, _STEPS.value, _BATCH.value, name == "refinement"),
                    _SECONDS.value,
                )
                for name in ("refinement", "passes")
            }
            seconds = turns.compete(contenders, _TURNS.value, _CLOCK.value)
            for each in contenders.values():
                each.close()
            ratio = spread([ours / passes for ours, passes in zip(*seconds.values(), strict=True)])
            milliseconds = (spread([1e3 * value for value in values]) for values in seconds.values())
            print(
                f"{networks:<14}{dynamics:<10}",
                *(f"{text:>18} ms" for text in milliseconds),
                f"{ratio:>18}",
                flush=True,
            )
            cases.append({"networks": networks, "dynamics": dynamics, "seconds": seconds})
    about = {
        **machine("tensorflow", "keras"),
        "load": os.getloadavg()[2],
        "clock": _CLOCK.value,
        "steps": _STEPS.value,
        "batch": _BATCH.value,
    }
    store("refinement", {**about, "goal": GOAL, "cases": cases})


if __name__ == "__main__":
    app.run(main)
