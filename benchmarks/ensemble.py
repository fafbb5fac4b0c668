"""Many small GANs at once: microseconds per run and step of tfpaths, JAX and PyTorch.

    pip install torch "jax[cpu]" && python -m benchmarks.ensemble [--turns=5]

The task is `line1_gan_gp` in ten dimensions: a linear generator with one latent number, a discriminator with two hidden
layers of 64 units, batches of 64, non-saturating losses, the penalty between data and samples, Adam for both players.
Every contender draws new data, latents and points in each step and uses all cores in float32. Each has its own process,
which sleeps while another is measured. They take turns; a ratio is of one turn, and the median is over turns. Prints a
table and writes `benchmarks/results/ensemble.json`. Libraries that are not installed are left out.

"A setting for each run" has other learning rates, betas and penalty weights in every run, as a sweep has.

The peers are written as their users would write them: JAX with vmap over runs and scan over steps in one compiled
program, and the same with the runs divided among one thread for each core, as in tfpaths; PyTorch with batched products
of one matrix for each run; and PyTorch with a loop over the steps of one run. Each is measured with the number of runs
from `_SIZES` that is best for it.
"""

import functools
import itertools
import statistics

from absl import app, flags

from benchmarks import machine, spread, store, turns

_TURNS = flags.DEFINE_integer("turns", 5, "Turns, at least 2: each measures every contender once.", lower_bound=2)
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Approximate length of a measurement, in seconds.")

DIMENSION, WIDTH, BATCH, RATE, BETAS = 10, 64, 64, 3e-3, (0.5, 0.9)
CORES = turns.CORES
# Runs at once: multiples of the number of cores, for the contenders that divide the runs among the cores.
_SIZES = tuple(CORES * each for each in (16, 32, 128))


def tfpaths(runs, settings=None):
    """Returns the contender of tfpaths: a block of runs for each core, as in a study.

    Args:
      runs: The number of runs.
      settings: Path -> the hyper-parameter of each run; None for the same in all runs.
    """
    from tfpaths import config, experiments, schema, startup

    startup.import_tensorflow()
    from tfpaths.lines import study

    changes = {"study.dimension": str(DIMENSION), "study.runs": str(runs)}
    experiment = schema.override(experiments.get("line1_gan_gp"), changes)
    columns = tuple(config.Setting(path=path, values=values) for path, values in (settings or {}).items())
    experiment = experiment.replace(settings=columns)
    blocks = [study.build(experiment, runs // CORES) for _ in range(CORES)]
    for index, block in enumerate(blocks):
        block.reset(index * block.runs)
    return lambda steps: turns.side_by_side([lambda block=block: block.advance(steps) for block in blocks])


def drawn(runs):
    """Returns hyper-parameters of each run around those of the experiment, by name."""
    import numpy as np

    random = np.random.default_rng(0)
    ranges = {"rate_g": (1e-3, 1e-2), "rate_d": (1e-3, 1e-2), "beta_1": (0.3, 0.7), "beta_2": (0.85, 0.95)}
    return {name: random.uniform(*ends, runs) for name, ends in {**ranges, "weight": (1.0, 20.0)}.items()}


def tfpaths_settings(runs):
    """Returns the contender of tfpaths with rates, betas and weight of each run."""
    paths = {"variant.penalty.weight": "weight"}
    for player in ("generator", "discriminator"):
        paths[f"variant.{player}_optimizer.learning_rate"] = f"rate_{player[0]}"
        paths |= {f"variant.{player}_optimizer.{beta}": beta for beta in ("beta_1", "beta_2")}
    values = drawn(runs)
    return tfpaths(runs, {path: tuple(values[name].tolist()) for path, name in paths.items()})


def jax_program(runs, settings=None):
    """Returns JAX's ensemble: (the program of a number of steps, its state, the keys of the runs).

    Args:
      runs: The number of runs.
      settings: The hyper-parameters of each run, by name; None for the same, written into the program, in all runs.
    """
    import jax
    import jax.numpy as jnp

    def discriminate(weights, x):
        for matrix, bias in weights[:-1]:
            x = jax.nn.leaky_relu(x @ matrix + bias, 0.2)
        matrix, bias = weights[-1]
        return (x @ matrix + bias)[:, 0]

    def generate(weights, z):
        return z @ weights[1] + weights[0]

    def adam(weights, gradients, state, rate, betas):
        first, second, count = state
        count = count + 1
        first = jax.tree.map(lambda m, g: betas[0] * m + (1 - betas[0]) * g, first, gradients)
        second = jax.tree.map(lambda v, g: betas[1] * v + (1 - betas[1]) * g * g, second, gradients)
        rate = rate * jnp.sqrt(1 - betas[1] ** count) / (1 - betas[0] ** count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return weights, (first, second, count)

    def step(hyper, state, key):
        betas = (hyper["beta_1"], hyper["beta_2"])
        generator, discriminator, g_state, d_state, mean, direction = state
        keys = jax.random.split(key, 4)
        real = mean + direction * jax.random.normal(keys[0], (BATCH, 1))
        fake = generate(generator, jax.random.normal(keys[1], (BATCH, 1)))
        share = jax.random.uniform(keys[2], (BATCH, 1))
        points = share * real + (1 - share) * fake

        def discriminator_loss(weights):
            losses = jax.nn.softplus(-discriminate(weights, real)) + jax.nn.softplus(discriminate(weights, fake))
            slopes = jax.grad(lambda x: discriminate(weights, x).sum())(points)
            norms = jnp.sqrt((slopes**2).sum(axis=1) + 1e-12)
            return losses.mean() + hyper["weight"] * ((norms - 1) ** 2).mean()

        gradients = jax.grad(discriminator_loss)(discriminator)
        discriminator, d_state = adam(discriminator, gradients, d_state, hyper["rate_d"], betas)
        z = jax.random.normal(keys[3], (BATCH, 1))

        def generator_loss(weights):
            return jax.nn.softplus(-discriminate(discriminator, generate(weights, z))).mean()

        gradients = jax.grad(generator_loss)(generator)
        generator, g_state = adam(generator, gradients, g_state, hyper["rate_g"], betas)
        return (generator, discriminator, g_state, d_state, mean, direction), None

    def begin(key):
        keys = jax.random.split(key, 7)
        sizes = (DIMENSION, WIDTH, WIDTH, 1)
        discriminator = [
            (jax.random.normal(k, (a, b)) / a**0.5, jnp.zeros(b))
            for k, a, b in zip(keys, sizes, sizes[1:], strict=False)
        ]
        generator = (jax.random.normal(keys[3], (DIMENSION,)), jax.random.normal(keys[4], (1, DIMENSION)))
        zeros = lambda tree: (jax.tree.map(jnp.zeros_like, tree), jax.tree.map(jnp.zeros_like, tree), jnp.zeros(()))  # noqa: E731
        line = (jax.random.normal(keys[5], (DIMENSION,)), jax.random.normal(keys[6], (DIMENSION,)))
        return (generator, discriminator, zeros(generator), zeros(discriminator), *line)

    def one_run(state, key, steps, hyper):
        return jax.lax.scan(functools.partial(step, hyper), state, jax.random.split(key, steps))[0]

    same = {"rate_g": RATE, "rate_d": RATE, "beta_1": BETAS[0], "beta_2": BETAS[1], "weight": 10.0}
    if settings is None:
        every = jax.vmap(lambda state, key, steps: one_run(state, key, steps, same), (0, 0, None))
        program = jax.jit(every, static_argnums=2, donate_argnums=0)
    else:
        every = jax.vmap(one_run, (0, 0, None, 0))
        values = {name: jnp.asarray(value, jnp.float32) for name, value in settings.items()}
        compiled = jax.jit(every, static_argnums=2, donate_argnums=0)

        def program(state, keys, steps):
            return compiled(state, keys, steps, values)

    state = jax.jit(jax.vmap(begin))(jax.random.split(jax.random.key(0), runs))
    return program, state, jax.random.split(jax.random.key(1), runs)


def jax_blocks(runs, blocks, settings=None):
    """Returns JAX's contender, with the runs divided into blocks, each in its own thread."""
    import jax

    ensembles = [list(jax_program(runs // blocks, settings and settings(runs // blocks))) for _ in range(blocks)]

    def advance(ensemble, steps):
        program, state, keys = ensemble
        ensemble[1] = jax.block_until_ready(program(state, keys, steps))

    return lambda steps: turns.side_by_side(
        [lambda ensemble=ensemble: advance(ensemble, steps) for ensemble in ensembles]
    )


def jax_ensemble(runs):
    """Returns the contender of JAX with vmap and scan in one program."""
    return jax_blocks(runs, 1)


def jax_in_threads(runs):
    """Returns the same with a program for each core."""
    return jax_blocks(runs, CORES)


def jax_settings(runs):
    """Returns the same with rates, betas and weight of each run, as arguments of vmap."""
    return jax_blocks(runs, CORES, drawn)


def torch_stacked(runs):
    """Returns the contender of PyTorch with the matrices of all runs in one tensor."""
    import torch

    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    sizes = (DIMENSION, WIDTH, WIDTH, 1)
    # [runs, inputs, outputs] and [runs, 1, outputs], for each layer.
    matrices = [torch.randn(runs, a, b).div_(a**0.5).requires_grad_() for a, b in itertools.pairwise(sizes)]
    biases = [torch.zeros(runs, 1, b, requires_grad=True) for b in sizes[1:]]
    generator = [torch.randn(runs, 1, DIMENSION, requires_grad=True) for _ in range(2)]
    mean, direction = (torch.randn(runs, 1, DIMENSION) for _ in range(2))
    d_adam, g_adam = (
        torch.optim.Adam(weights, RATE, BETAS, fused=True) for weights in ([*matrices, *biases], generator)
    )
    softplus = torch.nn.functional.softplus

    def discriminate(x):
        for index, (matrix, bias) in enumerate(zip(matrices, biases, strict=True)):
            x = torch.baddbmm(bias, x, matrix)
            if index < 2:
                x = torch.nn.functional.leaky_relu(x, 0.2)
        return x

    def generate():
        return torch.baddbmm(generator[0], torch.randn(runs, BATCH, 1), generator[1])

    def step():
        real = mean + direction * torch.randn(runs, BATCH, 1)
        with torch.no_grad():
            fake = generate()
        share = torch.rand(runs, BATCH, 1)
        points = (share * real + (1 - share) * fake).requires_grad_()
        (slopes,) = torch.autograd.grad(discriminate(points).sum(), points, create_graph=True)
        norms = (slopes.square().sum(dim=2) + 1e-12).sqrt()
        loss = (softplus(-discriminate(real)) + softplus(discriminate(fake))).mean()
        loss = runs * (loss + 10 * (norms - 1).square().mean())
        d_adam.zero_grad()
        loss.backward(inputs=[*matrices, *biases])
        d_adam.step()
        loss = runs * softplus(-discriminate(generate())).mean()
        g_adam.zero_grad()
        loss.backward(inputs=generator)
        g_adam.step()

    return lambda steps: [step() for _ in range(steps)] and None


def torch_alone(runs):
    """Returns the contender of PyTorch with one run: modules as in PyTorch's examples."""
    import torch

    assert runs == 1
    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    nn = torch.nn
    discriminator = nn.Sequential(
        nn.Linear(DIMENSION, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, 1)
    )
    generator = nn.Linear(1, DIMENSION)
    mean, direction = (torch.randn(DIMENSION) for _ in range(2))
    players = (discriminator, generator)
    d_adam, g_adam = (torch.optim.Adam(player.parameters(), RATE, BETAS, fused=True) for player in players)
    softplus = nn.functional.softplus

    def step():
        real = mean + direction * torch.randn(BATCH, 1)
        fake = generator(torch.randn(BATCH, 1)).detach()
        share = torch.rand(BATCH, 1)
        points = (share * real + (1 - share) * fake).requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        norms = (slopes.square().sum(dim=1) + 1e-12).sqrt()
        loss = (softplus(-discriminator(real)) + softplus(discriminator(fake))).mean()
        d_adam.zero_grad()
        (loss + 10 * (norms - 1).square().mean()).backward()
        d_adam.step()
        g_adam.zero_grad()
        softplus(-discriminator(generator(torch.randn(BATCH, 1)))).mean().backward(inputs=list(generator.parameters()))
        g_adam.step()

    return lambda steps: [step() for _ in range(steps)] and None


# Name -> (library, the function that makes the contender, the numbers of runs at once to try).
CONTENDERS = {
    "tfpaths": ("tensorflow", tfpaths, _SIZES),
    "tfpaths, a setting for each run": ("tensorflow", tfpaths_settings, _SIZES),
    "JAX, vmap and scan": ("jax", jax_ensemble, _SIZES),
    "JAX, the same in a thread for each core": ("jax", jax_in_threads, _SIZES),
    "JAX, a setting for each run, in threads": ("jax", jax_settings, _SIZES),
    "PyTorch, stacked matrices": ("torch", torch_stacked, _SIZES),
    "PyTorch, one run at a time": ("torch", torch_alone, (1,)),
}
# The machine's best float32 matrix product, of either library: (library, function, the numbers of rows to try).
PRODUCTS = {
    "product by PyTorch": ("torch", turns.torch_product, (1024, 2048)),
    "product by TensorFlow": ("tensorflow", turns.tensorflow_product, (1024, 2048)),
}


def best(library, make, sizes, work):
    """Returns (the contender at its best size, that size), or None if its library is missing.

    Args:
      library: As in `turns.Contender`.
      make: As in `turns.Contender`; its argument is a size.
      sizes: The sizes to try.
      work: Size -> the work of a step; the best size takes the least time for each unit of work.
    """
    fastest = None
    for size in sizes:
        contender = turns.Contender(library, make, (size,), 1.0 if len(sizes) > 1 else _SECONDS.value)
        if contender.first is None:
            return None
        cost = statistics.median(contender.measure() for _ in range(3)) / work(size)
        contender.close()
        if fastest is None or cost < fastest[0]:
            fastest = (cost, size)
    return turns.Contender(library, make, (fastest[1],), _SECONDS.value), fastest[1]


def main(argv):
    del argv
    contenders = {name: best(*entry, lambda size: size) for name, entry in CONTENDERS.items()}
    contenders |= {name: best(*entry, lambda size: size**3) for name, entry in PRODUCTS.items()}
    contenders = {name: pair for name, pair in contenders.items() if pair is not None}
    sizes = {name: size for name, (_, size) in contenders.items()}
    measured = turns.compete({name: contender for name, (contender, _) in contenders.items()}, _TURNS.value)
    for contender, _ in contenders.values():
        contender.close()
    seconds = {name: [value / sizes[name] for value in measured[name]] for name in measured if name in CONTENDERS}
    product_rates = [[2 * sizes[name] ** 3 / s for s in measured[name]] for name in measured if name in PRODUCTS]
    # The better library's rate in each turn.
    rates = [max(turn) for turn in zip(*product_rates, strict=True)]
    from tfpaths import experiments, schema, startup

    startup.import_tensorflow()
    from tfpaths.lines import cost

    changes = {"study.dimension": str(DIMENSION), "study.runs": "1", "schedule.steps": "1"}
    operations = cost.operations(schema.override(experiments.get("line1_gan_gp"), changes))
    print(f"{'':<42}{'runs at once':>14}{'µs / run, step':>20}{'over tfpaths':>18}{'of peak':>10}")
    for name, values in seconds.items():
        ratio = spread([theirs / ours for theirs, ours in zip(values, seconds["tfpaths"], strict=True)])
        share = statistics.median(operations / value / rate for value, rate in zip(values, rates, strict=True))
        micro = spread([1e6 * value for value in values])
        print(f"{name:<42}{sizes[name]:>14}{micro:>20}{ratio:>18}{share:>10.0%}")
    print(f"matrix product: {statistics.median(rates) / 1e9:.0f} GFLOP/s")
    about = {**machine("tensorflow", "jax", "torch"), "operations_per_run_and_step": operations}
    store("ensemble", {**about, "runs_at_once": sizes, "seconds_per_run_and_step": seconds, "product_flops": rates})


if __name__ == "__main__":
    app.run(main)
