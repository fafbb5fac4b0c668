"""A step of MIX+GAN beside the arithmetic that it needs, and players with and without an axis.

    python -m benchmarks.mix [--turns=5] [--side=32] [--variant=ns]

Contenders on noise images, with the networks and batches of 64 of `cifar10_<variant>`: the step without mix, and the
mix of three generators and three discriminators. The first ratio is the time of the mix over that of its
floating-point operations at the rate of the step without mix. Then dense layers, 100 and 512 wide: three pairs of
players in one graph, as `networks.mixture` has them, beside layers with an axis of players, as ensembles have.

Writes `benchmarks/results/mix.json`. With `--clock=processor` (the default), other work on the machine matters little.
"""

import argparse
import statistics

from benchmarks import machine, noise, operations, spread, store, turns

PLAYERS, WIDTHS = 3, (100, 512)


def _repeated(function, *arguments):
    """Returns a function that calls a compiled step some times, and waits for the last."""

    def advance(steps):
        for _ in range(steps):
            last = function(*arguments)
        for value in last.values():
            value.numpy()

    return advance


def images(variant, side):
    """Returns the contender of a variant."""
    import tensorflow as tf

    from tfpaths.runs import build

    data = noise.images(side)
    gan = build.build(noise.experiment(variant), data.shape)
    return _repeated(tf.function(gan.train_step, autograph=False), data.take(tf.range(64)))


def dense(width, stacked):
    """Returns the contender of three pairs of dense networks: one update of each side on batches of 256."""
    import tensorflow as tf

    from tfpaths import networks, streams
    from tfpaths.networks import ensembles, fast

    if stacked:
        pair = [ensembles.mlp(PLAYERS, 2, width=width, depth=2, outputs=outputs) for outputs in (2, 1)]
        for index, model in enumerate(pair):
            ensembles.reset(model, streams.root(index, first_run=0))
        variables = [model.trainable_variables for model in pair]
    else:
        family = networks.get("mlp")(latent_dim=2, width=width, depth=2, negative_slope=0.2)
        members = [[make((2,), seed=k) for k in range(PLAYERS)] for make in (family.generator, family.discriminator)]
        pair = [
            lambda x, side=side: tf.stack([one(part) for one, part in zip(side, tf.unstack(x), strict=True)])
            for side in members
        ]
        variables = [[v for one in side for v in one.trainable_variables] for side in members]
    optimizers = [fast.FusedAdam(1e-3) for _ in pair]
    for optimizer, own in zip(optimizers, variables, strict=True):
        optimizer.build(own)

    def step(z, real):
        values = {}
        for index in (1, 0):
            with tf.GradientTape() as tape:
                fake = tf.reshape(pair[0](z), [1, -1, 2])
                logits = pair[1](tf.repeat(fake, PLAYERS, axis=0))
                loss = tf.reduce_mean(tf.nn.softplus(logits if index else -logits))
                if index:
                    loss += tf.reduce_mean(tf.nn.softplus(-pair[1](real)))
            optimizers[index].apply(tape.gradient(loss, variables[index]), variables[index])
            values[str(index)] = loss
        return values

    batches = [tf.random.stateless_normal([PLAYERS, 256, 2], [seed, 0]) for seed in (0, 1)]
    return _repeated(tf.function(step, autograph=False), *batches)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--variant", default="ns")
    parser.add_argument("--clock", choices=turns.CLOCKS, default="processor")
    arguments = parser.parse_args()
    variant, mixed = arguments.variant, f"mix_{arguments.variant}"
    made = {
        "base": (images, (variant, arguments.side)),
        "mix": (images, (mixed, arguments.side)),
        **{f"{form}_{width}": (dense, (width, form == "stacked")) for width in WIDTHS for form in ("graph", "stacked")},
    }
    contenders = {
        key: turns.Contender("tensorflow", make, values, arguments.seconds) for key, (make, values) in made.items()
    }
    seconds = turns.compete(contenders, arguments.turns, arguments.clock)
    for contender in contenders.values():
        contender.close()
    counts = [sum(operations.count(name, arguments.side).values()) for name in (variant, mixed)]
    work = counts[1] / counts[0]
    ratios = {
        "mix / arithmetic": [mix / (work * base) for mix, base in zip(seconds["mix"], seconds["base"], strict=True)],
        **{
            f"stacked / graph, {width} wide": [
                one / other for one, other in zip(seconds[f"stacked_{width}"], seconds[f"graph_{width}"], strict=True)
            ]
            for width in WIDTHS
        },
    }
    print(f"operations: {work:.2f} times those of {variant}")
    for name, values in seconds.items():
        print(f"{name:<24}{1e3 * statistics.median(values):10.1f} ms")
    for name, values in ratios.items():
        print(f"{name:<24}{spread(values):>16}")
    row = {"variant": variant, "side": arguments.side, "players": PLAYERS, "clock": arguments.clock, "work": work}
    store("mix", {**machine("tensorflow", "keras"), **row, "seconds": seconds, "ratios": ratios})


if __name__ == "__main__":
    main()
