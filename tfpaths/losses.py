"""The two players' losses, computed by TF-GAN, by name.

Notation: x real, G(z) generated, D the discriminator's raw output (a logit, or a critic's score), E the mean over a
batch, softplus(t) = log(1 + exp(t)). Both players minimise.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfpaths import config
from tfpaths.tfgan import tfgan

_wargs = tfgan.losses.wargs

# -log(1 - sigmoid(-t)) is exactly 0 in float32 from t = 104 on: at this score a real example costs nothing.
_CERTAINLY_REAL = 1e4


@dataclasses.dataclass(frozen=True)
class Loss:
    """A pair of losses: `discriminator(real_logits, fake_logits)` and `generator(fake_logits)`, each a scalar.

    Logits are of any shape and float type; the mean is over all of them, in float32.
    """

    name: str
    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]


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


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("minimax", minimax_discriminator_loss, minimax_generator_loss),
        Loss("non_saturating", minimax_discriminator_loss, non_saturating_generator_loss),
        Loss("wasserstein", wasserstein_discriminator_loss, wasserstein_generator_loss),
        Loss("least_squares", least_squares_discriminator_loss, least_squares_generator_loss),
        Loss("hinge", hinge_discriminator_loss, wasserstein_generator_loss),
    )
}


def get(name: str) -> Loss:
    """The pair of that name: `minimax`, `non_saturating`, `wasserstein`, `least_squares` or `hinge`.

    Raises:
      InputError: there is none; the line names the nearest.
    """
    return LOSSES[config.choose("loss", name, LOSSES)]
