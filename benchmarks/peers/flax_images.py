"""JAX: Flax networks and Optax optimisers, the whole step in one compiled program."""

import functools

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from benchmarks.peers import BATCH, BATCHES, CHANNELS, EPSILON, FILTERS, LATENTS, SIZES


class Generator(nn.Module):
    side: int
    training: bool = True

    @nn.compact
    def __call__(self, z):
        smallest, doublings = SIZES[self.side]
        width = FILTERS * 2 ** (doublings - 1)
        norm = functools.partial(nn.BatchNorm, use_running_average=not self.training, momentum=0.9)
        x = nn.Dense(width * smallest**2, use_bias=False)(z).reshape(-1, smallest, smallest, width)
        for _ in range(doublings - 1):
            x = nn.relu(norm()(x))
            width //= 2
            x = nn.ConvTranspose(width, (4, 4), (2, 2), "SAME", use_bias=False)(x)
        x = nn.relu(norm()(x))
        return nn.tanh(nn.ConvTranspose(CHANNELS, (4, 4), (2, 2), "SAME")(x))


class Discriminator(nn.Module):
    side: int

    @nn.compact
    def __call__(self, x):
        for level in range(SIZES[self.side][1]):
            x = nn.leaky_relu(nn.Conv(FILTERS * 2**level, (4, 4), (2, 2), "SAME")(x), 0.2)
        return nn.Dense(1)(x.reshape(len(x), -1))


def optimizer(config):
    if config.name == "rmsprop":
        return optax.rmsprop(config.learning_rate, decay=0.9, eps=1e-7)
    return optax.adam(config.learning_rate, config.beta_1, config.beta_2, eps=1e-7)


def losses(name):
    """(discriminator's of real and fake logits, generator's of fake logits)."""
    if name == "wasserstein":
        return (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean())
    both = lambda real, fake: nn.softplus(-real).mean() + nn.softplus(fake).mean()  # noqa: E731
    if name == "minimax":
        return both, lambda fake: -nn.softplus(fake).mean()
    return both, lambda fake: nn.softplus(-fake).mean()


def build(variant, side):
    g, d = Generator(side), Discriminator(side)
    g_optimizer, d_optimizer = optimizer(variant.generator_optimizer), optimizer(variant.discriminator_optimizer)
    d_loss, g_loss = losses(variant.loss.name)
    keys = jax.random.split(jax.random.key(0), 4)
    images = list(jax.random.uniform(keys[0], (BATCHES, BATCH, side, side, CHANNELS), minval=-1, maxval=1))

    def generate(weights, statistics, key):
        variables = {"params": weights, "batch_stats": statistics}
        made, new = g.apply(variables, jax.random.normal(key, (BATCH, LATENTS)), mutable=["batch_stats"])
        return made, new["batch_stats"]

    def penalty(weights, real, fake, key):
        a_key, u_key = jax.random.split(key)
        a = jax.random.uniform(a_key, (BATCH, 1, 1, 1))
        if variant.penalty.name == "interpolation":
            points = a * real + (1 - a) * fake
        else:
            points = real + a * variant.penalty.noise_scale * real.std() * jax.random.uniform(u_key, real.shape)
        slopes = jax.grad(lambda x: d.apply(weights, x).sum())(points)
        norms = jnp.sqrt((slopes**2).sum(axis=(1, 2, 3)) + EPSILON)
        return variant.penalty.weight * ((norms - 1) ** 2).mean()

    def update_discriminator(state, real, key):
        latents_key, penalty_key = jax.random.split(key)
        fake, statistics = generate(state["g"], state["statistics"], latents_key)

        def objective(weights):
            loss = d_loss(d.apply(weights, real), d.apply(weights, fake))
            return loss if variant.penalty is None else loss + penalty(weights, real, fake, penalty_key)

        change, memory = d_optimizer.update(jax.grad(objective)(state["d"]), state["d_memory"], state["d"])
        weights = optax.apply_updates(state["d"], change)
        if variant.weight_clip is not None:
            weights = jax.tree.map(lambda w: jnp.clip(w, -variant.weight_clip, variant.weight_clip), weights)
        return {**state, "d": weights, "d_memory": memory, "statistics": statistics}

    def update_generator(state, key):
        def objective(weights):
            fake, statistics = generate(weights, state["statistics"], key)
            return g_loss(d.apply(state["d"], fake)), statistics

        gradients, statistics = jax.grad(objective, has_aux=True)(state["g"])
        change, memory = g_optimizer.update(gradients, state["g_memory"], state["g"])
        weights = optax.apply_updates(state["g"], change)
        return {**state, "g": weights, "g_memory": memory, "statistics": statistics}

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, reals):
        key, *keys = jax.random.split(state["key"], variant.discriminator_steps + 2)
        for real, one in zip(reals, keys[:-1], strict=True):
            state = update_discriminator(state, real, one)
        return {**update_generator(state, keys[-1]), "key": key}

    variables = g.init(keys[1], jnp.zeros((BATCH, LATENTS)))
    weights = d.init(keys[2], images[0])
    state = {
        "g": variables["params"],
        "statistics": variables["batch_stats"],
        "d": weights,
        "g_memory": g_optimizer.init(variables["params"]),
        "d_memory": d_optimizer.init(weights),
        "key": keys[3],
    }

    def advance(steps):
        nonlocal state
        for index in range(steps):
            state = step(state, [images[(index + n) % BATCHES] for n in range(variant.discriminator_steps)])
        assert jnp.isfinite(jax.tree.leaves(state["g"])[0]).all()

    return advance
