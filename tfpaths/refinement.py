"""Refinement of samples: Langevin dynamics that follow the discriminator, in the space of examples or of latents.

    y_{k+1} = y_k + (e / 2) grad log p(y_k) + sqrt(e T) n_k,        n_k ~ N(0, I)

is a Langevin chain with step size e at temperature T. For small e its law tends to p^(1/T). `DYNAMICS` has the forms:

| name | y | log p(y) | e, T | source |
| --- | --- | --- | --- | --- |
| `langevin` | an example x, from G(z) | D(x) | 0.01, 1 | Song, Ye, Xu and Liu 2020, their abstract |
| `ddls` | a latent z | log N(z; 0, I) + D(G(z)) | 0.01, 1 | Che et al. 2020 |
| `code_example` | an example x, from G(z) | D(x), see `Dynamics` | 2, 1.25e-5 | Song et al.'s released code |
| `code_latent` | a latent z | D(G(z)), without the prior | 1, 2.5e-5 | the same |

Only `ddls` is exact for a GAN's logit: at its optimum D = log p_data / p_g, so that p_data is proportional to p_g e^D,
which is the law of G(z) with z ~ p_0(z) e^(D(G(z))). `langevin` tends to e^D, which is the data's law only if D was
trained as an energy. The temperatures of the released code are nearly zero: it climbs D, with a little noise.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import tensorflow as tf

from tfpaths import errors, streams


@dataclasses.dataclass(frozen=True)
class Dynamics:
    """A form of the dynamics.

    Attributes:
      space: The space of the chain: `example`, or `latent`.
      step_size: e, above zero.
      temperature: T, above zero.
      has_prior: Whether log N(z; 0, I) is a part of log p(z), for latents.
      noise_first: Whether the noise is added before the gradient is computed.
      limit: Each element of the gradient is clipped to [-limit, limit]; None for no clipping.
      bounds: Examples are clipped to this interval after each step; None for no clipping.

    Example:
      >>> DYNAMICS["ddls"].has_prior
      True
    """

    space: Literal["example", "latent"]
    step_size: float
    temperature: float
    has_prior: bool = False
    noise_first: bool = False
    limit: float | None = None
    bounds: tuple[float, float] | None = None


# Che et al. 2020, arXiv 2003.06060; Song, Ye, Xu and Liu 2020, arXiv 2004.01704. The released code's steps in pixels
# are x <- x + 0.005 n, then x <- x + clip(grad D(x), -1, 1), clipped to [-1, 1]; in latents they are
# z <- z + grad / 2 + 0.005 n. Its annealing of the noise is left out. The step sizes at temperature 1 are ours.
DYNAMICS = {
    "langevin": Dynamics("example", 0.01, 1.0),
    "ddls": Dynamics("latent", 0.01, 1.0, has_prior=True),
    "code_example": Dynamics("example", 2.0, 1.25e-5, noise_first=True, limit=1.0, bounds=(-1.0, 1.0)),
    "code_latent": Dynamics("latent", 1.0, 2.5e-5),
}
# That of `--refine`, for a run of any variant.
DEFAULT = "ddls"

Names = Literal["langevin", "ddls", "code_example", "code_latent"]


def get(name: str, *, step_size: float | None = None, temperature: float | None = None) -> Dynamics:
    """Returns the form with that name, with another step size or temperature if they are given.

    Raises:
      InputError: No form has this name, or a number is not above zero.

    Example:
      >>> get("ddls", step_size=0.1).step_size
      0.1
    """
    errors.choose("dynamics", name, DYNAMICS)
    for field, value in {"step_size": step_size, "temperature": temperature}.items():
        if value is not None and not value > 0:
            raise errors.InputError(f"{field}: expected a number above zero, received {value}.")
    form = DYNAMICS[name]
    return dataclasses.replace(form, step_size=step_size or form.step_size, temperature=temperature or form.temperature)


# The noise that is drawn at once, at most: so many numbers for an example, 64 kB, and so many steps. Drawing is a
# hundred small operations, which for each step would cost more than the networks of points.
_AT_ONCE = 16384
_STEPS_AT_ONCE = 512


def chain(
    start: tf.Tensor,
    gradient: Callable[[tf.Tensor], tf.Tensor],
    dynamics: Dynamics,
    *,
    steps: int | tf.Tensor,
    keys: tf.Tensor,
    step_size: float | tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns y after some steps of the dynamics, as a `tf.while_loop`.

    Args:
      start: y_0, `[num, ...]`, float32.
      gradient: y -> grad log p(y), of the same shape.
      dynamics: The form.
      steps: The number of steps, at least 0.
      keys: A key for the noise of each row, `[num, 2]`; see `streams.keys_of`.
      step_size: e; by default that of the form.

    Example:
      >>> keys = streams.keys_of(tf.random.stateless_normal([1000, 2], [0, 0]))
      >>> y = chain(tf.zeros([1000, 1]), lambda y: 3.0 - y, get("langevin", step_size=0.5), steps=50, keys=keys)
      >>> abs(float(tf.reduce_mean(y)) - 3.0) < 0.1  # N(3, 1), nearly
      True
    """
    e = tf.cast(dynamics.step_size if step_size is None else step_size, tf.float32)
    size = int(start.shape[1:].num_elements())
    ahead = min(max(_AT_ONCE // size, 1), _STEPS_AT_ONCE)
    if isinstance(steps, int) and steps:
        # Parts of one size, nearly equal: XLA compiles for each size, and needs it before it runs.
        ahead = -(-steps // -(-steps // ahead))

    def step(noise: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        noise = tf.sqrt(e * dynamics.temperature) * tf.reshape(noise, tf.shape(y))
        if dynamics.noise_first:
            y = y + noise
        slope = gradient(y)
        if dynamics.limit is not None:
            slope = tf.clip_by_value(slope, -dynamics.limit, dynamics.limit)
        y = tf.add_n([y, 0.5 * e * slope] if dynamics.noise_first else [y, 0.5 * e * slope, noise])
        if dynamics.bounds is not None:
            y = tf.clip_by_value(y, *dynamics.bounds)
        return tf.ensure_shape(y, start.shape)

    def some_steps(index: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.minimum(ahead, steps - index)
        drawn = ahead if isinstance(steps, int) else count
        noise = streams.normal_of_keys(keys, size, index + tf.range(drawn))  # [num, drawn, size]
        return index + ahead, _loop(count, lambda draw, y: step(noise[:, draw], y), y)

    first = tf.constant(0)
    return tf.while_loop(lambda index, _: index < steps, some_steps, (first, start), parallel_iterations=1)[1]


def _loop(count: tf.Tensor, body: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], y: tf.Tensor) -> tf.Tensor:
    """Returns y after `y = body(index, y)` for each index below a count."""
    return tf.while_loop(
        lambda index, _: index < count,
        lambda index, y: (index + 1, body(index, y)),
        (tf.constant(0), y),
        parallel_iterations=1,
    )[1]


def refine(
    generate: Callable[[tf.Tensor], tf.Tensor],
    discriminator: Callable[..., tf.Tensor],
    latents: tf.Tensor,
    dynamics: Dynamics,
    *,
    steps: int | tf.Tensor,
    step_size: float | tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns samples G(z), refined by some steps of the dynamics; with none, exactly `generate(latents)`.

    A refined sample is a function of its latent: its noise is drawn with a key of the latent's bits. Latents that are
    near each other have independent noise, so that an interpolation is not smooth.

    Args:
      generate: G: latents -> examples.
      discriminator: D: `(examples, training)` -> logits, one for each example.
      latents: z, `[num, latent_dim]`.
      dynamics: The form.
      steps: The number of steps, k.
      step_size: e; by default that of the form.

    Returns:
      Examples `[num, ...]`, float32.

    Example:
      >>> critic = lambda x, training: 2.0 * x[:, :1]
      >>> z = tf.zeros([4, 3])
      >>> refined = refine(lambda z: z, critic, z, get("code_latent"), steps=2)
      >>> round(float(refined[0, 0]), 1)  # z_1 + 2 · 2 / 2
      2.0
    """
    if isinstance(steps, int) and steps == 0:
        return generate(latents)
    is_latent, latents = dynamics.space == "latent", tf.convert_to_tensor(latents)

    def gradient(y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(y)
            # The sum has the gradient of each example's own logit, because no logit depends on other examples.
            score = tf.reduce_sum(tf.cast(discriminator(generate(y) if is_latent else y, training=False), tf.float32))
        slope = tape.gradient(score, y)
        return slope - y if dynamics.has_prior else slope

    start = latents if is_latent else generate(latents)
    keys = streams.keys_of(latents)
    y = chain(start, gradient, dynamics, steps=steps, keys=keys, step_size=step_size)
    return generate(y) if is_latent else y
