"""The two players' losses, computed by TF-GAN, by name.

Notation: x real, G(z) generated, D the discriminator's raw output (a logit, or a critic's score), E the mean over a
batch, softplus(t) = log(1 + exp(t)). Both players minimise.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfpaths.compat.tfgan import tfgan
from tfpaths.registry import Registry

_wargs = tfgan.losses.wargs

# -log(1 - sigmoid(-t)) is exactly 0 in float32 from t = 104 on: at this score a real example costs nothing.
_CERTAINLY_REAL = 1e4


@dataclasses.dataclass(frozen=True)
class Loss:
    """A pair of losses, each a scalar.

    Logits are of any shape and float type; the mean is over all of them, in float32.

    Attributes:
      discriminator: `(real_logits, fake_logits)` -> the discriminator's loss.
      generator: `(fake_logits)` -> the generator's loss; `(real_logits, fake_logits)` where `is_relative`.
      is_relative: Whether the generator's loss compares generated with real logits, paired by position.
      needs_lipschitz: Whether the discriminator must be kept Lipschitz, by a penalty or by clipping.
      name: The name under which it is registered.
      options: The options with which it was made.

    Example:
      >>> pair = get("hinge")
      >>> float(pair.discriminator(tf.constant([2.0]), tf.constant([0.5])))
      1.5
    """

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[..., tf.Tensor]
    is_relative: bool = False
    needs_lipschitz: bool = False
    name: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


# Name -> a Loss, or a function that makes one from options of its own.
LOSSES: Registry[Loss | Callable[..., Loss]] = Registry("loss")


def minimax_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E softplus(-D(x)) + E softplus(D(G(z))): the discriminator of `minimax` and of `non_saturating`.

    Goodfellow et al. 2014 (arXiv 1406.2661), equation 1. TF-GAN smooths real labels to 0.75 unless told not to; no
    paper of this family does.
    """
    real_logits, fake_logits = tf.cast(real_logits, tf.float32), tf.cast(fake_logits, tf.float32)
    return _wargs.minimax_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0, loss_collection=None)


def minimax_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """-E softplus(D(G(z))) = E log(1 - sigmoid(D(G(z)))).

    Goodfellow et al. 2014, equation 1. It is flat where the discriminator is sure that a sample is generated.
    TF-GAN's function of this name gives softplus(-1) = 0.3133 less: the discriminator's loss negated, with a logit of 1
    for the real examples. With a score at which a real example costs nothing, the value is right too.
    """
    certain = tf.fill(tf.shape(fake_logits), _CERTAINLY_REAL)
    return -minimax_discriminator_loss(certain, fake_logits)


def non_saturating_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """E softplus(-D(G(z))) = -E log sigmoid(D(G(z))).

    Goodfellow et al. 2014, section 3. It is steep where the discriminator is sure that a sample is generated.
    """
    fake_logits = tf.cast(fake_logits, tf.float32)
    return _wargs.modified_generator_loss(fake_logits, label_smoothing=0.0, loss_collection=None)


def wasserstein_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E D(G(z)) - E D(x). Arjovsky et al. 2017 (arXiv 1701.07875), equation 3. D must be kept Lipschitz."""
    return _wargs.wasserstein_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def wasserstein_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """-E D(G(z)). Arjovsky et al. 2017; the generator of `hinge` too."""
    return _wargs.wasserstein_generator_loss(fake_logits, loss_collection=None)


def least_squares_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2. Mao et al. 2016 (arXiv 1611.04076), equation 9."""
    return _wargs.least_squares_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def least_squares_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """E (D(G(z)) - 1)^2 / 2. Mao et al. 2016, equation 9."""
    return _wargs.least_squares_generator_loss(fake_logits, loss_collection=None)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Lim and Ye 2017 (arXiv 1705.02894)."""
    return _wargs.wasserstein_hinge_discriminator_loss(real_logits, fake_logits, loss_collection=None)


def relativistic_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E softplus(D(G(z)) - D(x)), examples paired by position. Jolicoeur-Martineau 2019 (arXiv 1807.00734)."""
    return non_saturating_generator_loss(tf.cast(real_logits, tf.float32) - tf.cast(fake_logits, tf.float32))


def relativistic_generator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """E softplus(D(x) - D(G(z))), examples paired by position. Huang et al. 2025 (arXiv 2501.05441)."""
    return relativistic_discriminator_loss(fake_logits, real_logits)


LOSSES.register("minimax")(Loss(minimax_discriminator_loss, minimax_generator_loss))
LOSSES.register("non_saturating")(Loss(minimax_discriminator_loss, non_saturating_generator_loss))
LOSSES.register("wasserstein")(Loss(wasserstein_discriminator_loss, wasserstein_generator_loss, needs_lipschitz=True))
LOSSES.register("least_squares")(Loss(least_squares_discriminator_loss, least_squares_generator_loss))
LOSSES.register("hinge")(Loss(hinge_discriminator_loss, wasserstein_generator_loss))
LOSSES.register("relativistic")(Loss(relativistic_discriminator_loss, relativistic_generator_loss, is_relative=True))


def get(name: str, **options: Any) -> Loss:
    """Returns the pair of that name: `minimax`, `non_saturating`, `wasserstein`, `least_squares`, `hinge`, ….

    Args:
      name: A name in `LOSSES`.
      **options: Options of a loss that has some.

    Raises:
      InputError: There is none; the message has the nearest name.
    """
    found = LOSSES.lookup(name)
    pair = found if isinstance(found, Loss) else found(**options)
    return dataclasses.replace(pair, name=name, options=options)
