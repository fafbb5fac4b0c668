"""Pairs of losses by name, one for each player, computed by TF-GAN.

Notation: x real, G(z) generated, D the discriminator's raw output (a logit, or a critic's score), E the mean over a
batch, softplus(t) = log(1 + exp(t)). Both players minimise.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfpaths.compat.tfgan import tfgan
from tfpaths.registry import Registry
from tfpaths.schema import Positive

_wargs = tfgan.losses.wargs

# softplus(-t) is exactly 0 in float32 for t >= 104: with this logit, a real example contributes nothing to the loss.
_CERTAINLY_REAL = 1e4


@dataclasses.dataclass(frozen=True)
class Loss:
    """A pair of losses, one for each player; each returns a scalar.

    Logits may have any shape and float type; the mean is over all of them, in float32.

    Attributes:
      discriminator: `(real_logits, fake_logits)` -> the discriminator's loss.
      generator: `(fake_logits)` -> the generator's loss; `(real_logits, fake_logits)` if `is_relative`.
      is_relative: Whether the generator's loss compares generated with real logits, paired by position.
      is_linear: Whether the losses are means over examples, or pairs of them, so that the loss of a mixture of
        generators is the mean of their losses. A loss that compares the examples of a batch with each other is not.
      needs_lipschitz: Whether the discriminator must be Lipschitz, which needs a penalty, weight clipping or spectral
        normalisation.
      name: The name in `LOSSES`; empty if `get` did not create the pair.
      options: The options that were passed to `get`.

    Example:
      >>> pair = get("hinge")
      >>> float(pair.discriminator(tf.constant([2.0]), tf.constant([0.5])))
      1.5
    """

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[..., tf.Tensor]
    is_relative: bool = False
    is_linear: bool = True
    needs_lipschitz: bool = False
    name: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


# Name -> a Loss, or a function that returns one; its keyword-only parameters are the options.
LOSSES: Registry[Loss | Callable[..., Loss]] = Registry("loss")


def minimax_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E softplus(-D(x)) + E softplus(D(G(z))), the discriminator's loss of `minimax` and `non_saturating`.

    Goodfellow et al. 2014 (arXiv 1406.2661), equation 1. TF-GAN smooths real labels to 0.75 by default, which no paper
    of this family does; here they are not smoothed.

    Example:
      >>> round(float(minimax_discriminator_loss(tf.zeros([4]), tf.zeros([4]))), 4)  # 2 log 2
      1.3863
    """
    real_logits, fake_logits = tf.cast(real_logits, tf.float32), tf.cast(fake_logits, tf.float32)
    return _wargs.minimax_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0, loss_collection=None)


def minimax_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -E softplus(D(G(z))) = E log(1 - sigmoid(D(G(z)))).

    Goodfellow et al. 2014, equation 1. Its gradient vanishes where the discriminator is sure that a sample is
    generated. TF-GAN's function of this name negates the discriminator's loss with a logit of 1 for the real examples,
    so its value is softplus(-1) = 0.3133 too low; its gradient is correct. Here the real logits are so high that they
    contribute nothing, and the value is correct too.

    Example:
      >>> round(float(minimax_generator_loss(tf.zeros([4]))), 4)  # -log 2
      -0.6931
    """
    certain = tf.fill(tf.shape(fake_logits), _CERTAINLY_REAL)
    return -minimax_discriminator_loss(certain, fake_logits)


def non_saturating_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E softplus(-D(G(z))) = -E log sigmoid(D(G(z))).

    Goodfellow et al. 2014, section 3. Its gradient is large where the discriminator is sure that a sample is generated.

    Example:
      >>> round(float(non_saturating_generator_loss(tf.zeros([4]))), 4)  # log 2
      0.6931
    """
    fake_logits = tf.cast(fake_logits, tf.float32)
    return _wargs.modified_generator_loss(fake_logits, label_smoothing=0.0, loss_collection=None)


def wasserstein_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E D(G(z)) - E D(x). D must be Lipschitz, which needs weight clipping or a penalty.

    Arjovsky et al. 2017 (arXiv 1701.07875), equation 3.

    Example:
      >>> float(wasserstein_discriminator_loss(tf.constant([2.0]), tf.constant([0.5])))
      -1.5
    """
    return _wargs.wasserstein_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def wasserstein_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -E D(G(z)), the generator's loss of `wasserstein` and `hinge`. Arjovsky et al. 2017.

    Example:
      >>> float(wasserstein_generator_loss(tf.constant([1.0, 3.0])))
      -2.0
    """
    return _wargs.wasserstein_generator_loss(fake_logits, loss_collection=None)


def least_squares_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2. Mao et al. 2016 (arXiv 1611.04076), equation 9.

    Example:
      >>> float(least_squares_discriminator_loss(tf.constant([3.0]), tf.constant([1.0])))  # 2^2 / 2 + 1^2 / 2
      2.5
    """
    return _wargs.least_squares_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def least_squares_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E (D(G(z)) - 1)^2 / 2. Mao et al. 2016, equation 9.

    Example:
      >>> float(least_squares_generator_loss(tf.constant([3.0])))  # 2^2 / 2
      2.0
    """
    return _wargs.least_squares_generator_loss(fake_logits, loss_collection=None)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Lim and Ye 2017 (arXiv 1705.02894).

    Example:
      >>> float(hinge_discriminator_loss(tf.constant([0.5]), tf.constant([-2.0])))  # 0.5 + 0
      0.5
    """
    return _wargs.wasserstein_hinge_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def relativistic_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E softplus(D(G(z)) - D(x)), with real and generated examples paired by position.

    Jolicoeur-Martineau 2019 (arXiv 1807.00734).

    Example:
      >>> round(float(relativistic_discriminator_loss(tf.constant([7.0]), tf.constant([7.0]))), 4)  # log 2
      0.6931
    """
    # softplus(-(D(x) - D(G(z)))): the non-saturating loss of the difference.
    return non_saturating_generator_loss(tf.cast(real_logits, tf.float32) - tf.cast(fake_logits, tf.float32))


def relativistic_generator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns E softplus(D(x) - D(G(z))), with real and generated examples paired by position.

    Huang et al. 2025 (arXiv 2501.05441).

    Example:
      >>> round(float(relativistic_generator_loss(tf.constant([7.0]), tf.constant([7.0]))), 4)  # log 2
      0.6931
    """
    return relativistic_discriminator_loss(fake_logits, real_logits)


def density_ratio(fake_logits: tf.Tensor, *, temperature: float = 1.0, per_replica: bool = False) -> tf.Tensor:
    """Returns r = exp(D(G(z)) / temperature) / E exp(D(G(z)) / temperature), whose mean over the batch is 1.

    With temperature 1 and the best D for the KL divergence, r is the data's density over the generator's (Donsker and
    Varadhan 1975). A constant that is added to D changes nothing.

    Args:
      fake_logits: D(G(z)), `[batch]` or `[batch, 1]`; in an ensemble `[runs, batch, 1]`, with a mean for each run.
      temperature: Above zero. The larger, the nearer r is to 1; near zero, the highest logit has all the weight.
      per_replica: Whether the mean is over each replica's batch, under a strategy with several replicas; otherwise it
        is over the global batch.

    Returns:
      r, float32, with the shape of `fake_logits`.

    Example:
      >>> density_ratio(tf.math.log([1.0, 3.0])).numpy().round(4)  # 1 / 2, 3 / 2
      array([0.5, 1.5], dtype=float32)
    """
    scaled = tf.cast(fake_logits, tf.float32) / temperature
    axis = -2 if scaled.shape.rank > 1 and scaled.shape[-1] == 1 else -1  # of the batch
    log_sum = tf.reduce_logsumexp(scaled, axis=axis, keepdims=True)
    count = tf.cast(tf.shape(scaled)[axis], tf.float32)
    context = tf.distribute.get_replica_context()
    if not per_replica and context.num_replicas_in_sync > 1:
        # One number from each replica, [replicas, ...]. All replicas have the same batch size.
        log_sum = tf.reduce_logsumexp(context.all_gather(log_sum[tf.newaxis], axis=0), axis=0)
        count *= context.num_replicas_in_sync
    return count * tf.exp(scaled - log_sum)


def kl_wasserstein(
    *, temperature: Positive = 1.0, hinge: bool = False, detach: bool = True, per_replica: bool = False
) -> Loss:
    """Returns the pair of KL-WGAN, with r = `density_ratio(D(G(z)))`: generated examples count by their density ratio.

        discriminator: E r D(G(z)) - E D(x)        with hinge: E max(0, 1 + r D(G(z))) + E max(0, 1 - D(x))
        generator:     -E r D(G(z))

    Song and Ermon 2020 (arXiv 1910.09779), f-WGAN with the KL divergence. D must be Lipschitz.

    The objective holds r fixed in the gradient. The authors' code for samples (`f-wgan`, `losses.py`) does not, so that
    the generator's gradient of an example is -r (1 + (D - E r D) / temperature) times that of D: its sign flips for the
    examples with D < E r D - temperature. `hinge=True, detach=False` is their code, with temperature 5 for images and 1
    for points.

    Args:
      temperature: That of `density_ratio`.
      hinge: Whether the discriminator's terms are hinged.
      detach: Whether r is held fixed.
      per_replica: As in `density_ratio`.

    Example:
      >>> logits = tf.math.log([1.0, 3.0])  # r = 1/2 and 3/2
      >>> round(float(kl_wasserstein().generator(logits)), 4)  # -(3/2 log 3) / 2
      -0.824
    """

    def weighted(fake_logits: tf.Tensor) -> tf.Tensor:
        ratio = density_ratio(fake_logits, temperature=temperature, per_replica=per_replica)
        return (tf.stop_gradient(ratio) if detach else ratio) * tf.cast(fake_logits, tf.float32)

    critic = hinge_discriminator_loss if hinge else wasserstein_discriminator_loss
    return Loss(
        lambda real_logits, fake_logits: critic(tf.cast(real_logits, tf.float32), weighted(fake_logits)),
        lambda fake_logits: wasserstein_generator_loss(weighted(fake_logits)),
        # The density ratio is that of the batch.
        is_linear=False,
        needs_lipschitz=True,
    )


LOSSES.register("minimax")(Loss(minimax_discriminator_loss, minimax_generator_loss))
LOSSES.register("non_saturating")(Loss(minimax_discriminator_loss, non_saturating_generator_loss))
LOSSES.register("wasserstein")(Loss(wasserstein_discriminator_loss, wasserstein_generator_loss, needs_lipschitz=True))
LOSSES.register("least_squares")(Loss(least_squares_discriminator_loss, least_squares_generator_loss))
LOSSES.register("hinge")(Loss(hinge_discriminator_loss, wasserstein_generator_loss))
LOSSES.register("relativistic")(Loss(relativistic_discriminator_loss, relativistic_generator_loss, is_relative=True))
LOSSES.register("kl_wasserstein")(kl_wasserstein)


def get(name: str, **options: Any) -> Loss:
    """Returns the pair of losses registered as `name`: `minimax`, `non_saturating`, `wasserstein`, `hinge`, ….

    Args:
      name: A name in `LOSSES`.
      **options: The options of the loss, if it has any.

    Raises:
      InputError: No loss has this name; the message suggests the nearest one.

    Example:
      >>> get("wasserstein").needs_lipschitz
      True
    """
    registered = LOSSES.lookup(name)
    pair = registered if isinstance(registered, Loss) else registered(**options)
    return dataclasses.replace(pair, name=name, options=options)
