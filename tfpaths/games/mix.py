"""MIX+GAN: several generators and several discriminators, each side with learned weights."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfpaths import errors, numerics
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.games.registry import GAMES
from tfpaths.gan import FAKE_NOISE, GAN, LATENTS, REAL_NOISE, Gradients
from tfpaths.networks import mixture
from tfpaths.numerics import watching
from tfpaths.schema import NonNegative, PositiveInt
from tfpaths.streams import Stream

# The stream below that of an update for the generators of the penalty's examples.
_MEMBERS = -3


def alpha_gradient(weights: tf.Tensor, losses: tf.Tensor, entropy_weight: float) -> tf.Tensor:
    """Returns the gradient by alpha of sum_k w_k l_k + h R(w): w_k (l_k - sum_i w_i l_i) + h (w_k - 1/T).

    w = softmax(alpha) and R(w) = -(1/T) sum_k log w_k, which is least where all weights are equal. Arora et al. 2017
    (arXiv 1703.00573), section 5.

    Args:
      weights: w, `[T]`.
      losses: l, `[T]`: each member's loss against the mixture of the other side.
      entropy_weight: h.

    Example:
      >>> alpha_gradient(tf.constant([0.5, 0.5]), tf.constant([3.0, 1.0]), 0.1).numpy()  # 0.5 (3 - 2)
      array([ 0.5, -0.5], dtype=float32)
    """
    mean = tf.reduce_sum(weights * losses)
    return weights * (losses - mean) + entropy_weight * (weights - 1.0 / weights.shape[0])


@GAMES.register("mix")
@keras.saving.register_keras_serializable("tfpaths")
class Mix(GAN):
    """T generators and T discriminators of one architecture, and the weights of each side.

        w = softmax(alpha), v = softmax(beta)         of the generators, of the discriminators
        discriminators: minimise sum_ij w_i v_j loss.discriminator(D_j(x), D_j(G_i(z))) + sum_j v_j penalty_j + h R(v)
        generators:     minimise sum_ij w_i v_j loss.generator(D_j(G_i(z))) + h R(w)
        a sample:       G_i(z) with i drawn from w

    Arora et al. 2017 (arXiv 1703.00573), section 5, "MIX+GAN", with R of `alpha_gradient`. Each generator makes a whole
    batch in each update. The examples of a penalty come from the mixture: each from a generator that is drawn from w. A
    discriminator's weight depends on its penalty too: otherwise the steepest one would get the most weight. Each side's
    alpha has its own optimiser, a copy of the player's.

    The authors' code has h = 0.1, as here, and the saturating loss for the generators; the paper's text has no h.
    DeepChem has h = 1 in the loss of the discriminators only, whose optimiser also updates the generators' alpha, so
    that these weights follow the loss of the discriminators too.

    With T = 1, it is `GAN`, bit for bit. The weights and their entropies, before the step, are reported.

    Args:
      *args: Arguments of `GAN`; the networks are those of `networks.mixture`, as `of_family` makes them.
      size: T; 3 in the paper on MNIST and CelebA, 5 on CIFAR-10.
      entropy_weight: h.
      alpha_rate: The learning rate of both alphas; None for those of the players (in the paper, 1e-4 for everything).
        With 0 all weights remain equal.
      **kwargs: Arguments of `GAN`.

    Raises:
      InputError: The mean of the loss over pairs of players is not the loss of the mixture; `Loss.is_linear`.
      ValueError: It is an ensemble of runs, or a network is no mixture of `size` members.

    Example:
      >>> generators = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]) for _ in range(2)]
      >>> discriminators = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(2)]
      >>> players = mixture.generator(generators), mixture.discriminator(discriminators)
      >>> gan = Mix(*players, loss="non_saturating", size=2)
      >>> gan.compile(generator_optimizer=keras.optimizers.SGD(), discriminator_optimizer=keras.optimizers.SGD())
      >>> round(float(gan.train_step(tf.ones([4, 2]))["generator_entropy"]), 4)  # log 2
      0.6931
      >>> gan.sample(5, seed=1).shape
      TensorShape([5, 2])
    """

    has_ensembles = False

    def __init__(
        self,
        *args: Any,
        size: PositiveInt = 3,
        entropy_weight: NonNegative = 0.1,
        alpha_rate: NonNegative | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        if self.runs is not None:
            raise ValueError("runs: the game 'mix' has no ensembles.")
        if not self.loss_pair.is_linear:
            raise errors.InputError(
                f"variant.loss: {self.loss_pair.name!r} compares the examples of a batch with each other, so that its "
                "mean over pairs of players is not the loss of their mixture. To fix this: choose another loss, or "
                "--set variant.game=gan."
            )
        for name, network in {"generator": self.generator, "discriminator": self.discriminator}.items():
            if len(mixture.members(network)) != size:
                raise ValueError(f"{name}: expected a mixture of {size} members; see tfpaths.networks.mixture.")
        self.size = size
        self.entropy_weight = entropy_weight
        self.alpha_rate = alpha_rate
        sides = ("generator", "discriminator")
        weights = {f"{side}_weight_{index}": "" for side in sides for index in range(size)}
        self.reported: Mapping[str, str] = {
            **GAN.reported,
            "generator_entropy": "H(G)",
            "discriminator_entropy": "H(D)",
            **weights,
        }

    @classmethod
    def of_family(
        cls, family: Any, example_shape: Sequence[int], *, seed: int = 0, size: int = 3, **arguments: Any
    ) -> Self:
        """Returns the game with networks of a family: the first players have the weights that those of `GAN` have."""
        seeds = [2 * seed, *(int(word >> 1) for word in np.random.SeedSequence(seed).generate_state(size - 1))]
        generators = [family.generator(example_shape, seed=member_seed) for member_seed in seeds]
        discriminators = [family.discriminator(example_shape, seed=member_seed + 1) for member_seed in seeds]
        players = mixture.generator(generators), mixture.discriminator(discriminators)
        return cls(*players, seed=seed, size=size, **arguments)

    def compile(  # type: ignore[override]
        self,
        *,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        generator_alpha_optimizer: keras.optimizers.Optimizer | None = None,
        discriminator_alpha_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """As `GAN.compile`; without optimisers of alpha, they are copies of the players', with `alpha_rate`."""
        pair = {"generator_optimizer": generator_optimizer, "discriminator_optimizer": discriminator_optimizer}
        super().compile(**pair, **kwargs)
        self.generator_alpha_optimizer = generator_alpha_optimizer or self._copy(generator_optimizer)
        self.discriminator_alpha_optimizer = discriminator_alpha_optimizer or self._copy(discriminator_optimizer)
        self.generator_alpha_optimizer.build([self._alpha(self.generator)])
        self.discriminator_alpha_optimizer.build([self._alpha(self.discriminator)])

    def _copy(self, optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        # The gradient of alpha is computed in float32, from the losses: it needs no scaling.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        config = optimizer.get_config()
        return type(optimizer).from_config(
            config if self.alpha_rate is None else config | {"learning_rate": self.alpha_rate}
        )

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {
            **super().optimizers,
            "generator_alpha_optimizer": self.generator_alpha_optimizer,
            "discriminator_alpha_optimizer": self.discriminator_alpha_optimizer,
        }

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of the latents of one example: the last number chooses the generator, if there are several."""
        (one, *_) = mixture.members(self.generator)
        return tuple(one.input_shape[1:]) if self.member is not None else super().latent_shape

    def weights_of(self, network: keras.Model) -> tf.Tensor:
        """Returns the current weights of the members of a mixture, `[size]`; they add up to 1."""
        layer = mixture.weighted(network)
        assert layer is not None
        return layer.weights_of_members

    @property
    def exported(self) -> dict[str, keras.Model]:
        """The members of each network, such as `generator_0`."""
        return {
            f"{name}_{index}": one
            for name, network in self.networks.items()
            for index, one in enumerate(mixture.members(network))
        }

    @property
    def sampled_network(self) -> keras.Model:
        network = self.sampled_generator
        return network if self.member is None else mixture.members(network)[self.member]

    def sample_from(self, member: int) -> None:
        """Makes all samples those of one generator; its latents have no number that chooses one."""
        if not 0 <= member < self.size:
            raise errors.InputError(f"--member: expected a number from 0 to {self.size - 1}, received {member}.")
        self.member = member

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns examples of the mixture; in training, of each generator.

        Args:
          latents: `[num, latent_dim + 1]`, in training `[size, num, latent_dim]`; of a single generator `[num,
            latent_dim]`.
          training: Whether the examples are for an update of the players.

        Returns:
          Examples `[num, ...]`; in training `[size, num, ...]` if there are several generators.
        """
        if training:
            pairs = zip(mixture.members(self.generator), self._parts(latents), strict=True)
            return self._joined([one(part, training=True) for one, part in pairs])
        return self.sampled_network(latents, training=False)

    def update_latents(self, real: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns the latents of an update, as in `generate`: one of each generator for each real example."""
        (one, *_) = mixture.members(self.generator)
        drawn = stream.fold(LATENTS).normal((self.size * numerics.shape_of(real)[0], *one.input_shape[1:]))
        return self._joined(tf.split(drawn, self.size)) if self.size > 1 else drawn

    def _parts(self, values: tf.Tensor) -> list[tf.Tensor]:
        """Returns the values of each generator. With T = 1 they have no axis: the graph is that of `GAN`."""
        return [values] if self.size == 1 else tf.unstack(values)

    def _joined(self, parts: Sequence[tf.Tensor]) -> tf.Tensor:
        return parts[0] if self.size == 1 else tf.stack(parts)

    def discriminator_gradients(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> Gradients:
        """Returns the gradients of the discriminators, and that of their alpha; arguments as in `GAN`."""
        variables, weights = self.discriminator.trainable_variables, self.weights_of(self.discriminator)
        with watching(variables) as tape:
            losses, penalties = self._of_discriminators(real, fake, stream)
            loss, penalty = (tf.reduce_sum(weights * values) for values in (losses, penalties))
            objective = self._shared(loss + penalty, self.discriminator_optimizer)
        gradients = [*tape.gradient(objective, variables), self._of_alpha(weights, losses + penalties)]
        return gradients, {
            "discriminator_loss": loss,
            "penalty": penalty,
            **self._reported("discriminator", weights),
        }

    def generator_gradients(self, real: tf.Tensor, stream: Stream) -> Gradients:
        """Returns the gradients of the generators, and that of their alpha; arguments as in `GAN`."""
        variables, weights = self.generator.trainable_variables, self.weights_of(self.generator)
        with watching(variables) as tape:
            fake = self.generate(self.update_latents(real, stream), training=True)
            losses = self._of_generators(real, fake, stream)
            loss = tf.reduce_sum(weights * losses)
            objective = self._shared(loss, self.generator_optimizer)
        gradients = [*tape.gradient(objective, variables), self._of_alpha(weights, losses)]
        return gradients, {"generator_loss": loss, **self._reported("generator", weights)}

    def move_discriminator(self, gradients: Sequence[tf.Tensor | None]) -> None:
        *of_networks, of_alpha = gradients
        self._move_alpha(self.discriminator_alpha_optimizer, of_alpha, self.discriminator, gradients)
        super().move_discriminator(of_networks)

    def move_generator(self, gradients: Sequence[tf.Tensor | None]) -> None:
        *of_networks, of_alpha = gradients
        # Before the networks: the averaged generator copies alpha.
        self._move_alpha(self.generator_alpha_optimizer, of_alpha, self.generator, gradients)
        super().move_generator(of_networks)

    def discriminator_losses(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss and the penalty of the mixture of discriminators, scalars; arguments as in `GAN`."""
        weights = self.weights_of(self.discriminator)
        loss, penalty = (tf.reduce_sum(weights * values) for values in self._of_discriminators(real, fake, stream))
        return loss, penalty

    def generator_loss(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns the loss of the mixture of generators, a scalar; arguments as in `GAN`."""
        return tf.reduce_sum(self.weights_of(self.generator) * self._of_generators(real, fake, stream))

    def _of_discriminators(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns each discriminator's loss against the mixture of generators, and its penalties, `[size]` each."""
        seen = self.seen(real, stream.fold(REAL_NOISE)), self._seen_of_each(fake, stream)
        weights = self.weights_of(self.generator)
        # One draw for the clean and the noisy examples.
        clean, noisy = (self._mixed(examples, weights, stream) for examples in (fake, self._joined(seen[1])))
        losses, penalties = [], []
        for one in mixture.members(self.discriminator):
            real_logits, fake_logits = self._logits(one, *seen)
            of_pairs = [self.loss_pair.discriminator(real_logits, of_one) for of_one in fake_logits]
            losses.append(tf.reduce_sum(weights * tf.stack(of_pairs)))
            penalties.append(self.penalty_of(one, (real, clean), (seen[0], noisy), stream))
        return tf.stack(losses), tf.stack(penalties)

    def _of_generators(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns each generator's loss against the mixture of discriminators, `[size]`."""
        seen: list[Any] = [self._seen_of_each(fake, stream)]
        if self.loss_pair.is_relative:
            seen.insert(0, self.seen(real, stream.fold(REAL_NOISE)))
        of_pairs = []
        for one in mixture.members(self.discriminator):
            *real_logits, fake_logits = self._logits(one, *seen)
            of_pairs.append(tf.stack([self.loss_pair.generator(*real_logits, of_one) for of_one in fake_logits]))
        return tf.linalg.matvec(tf.stack(of_pairs), self.weights_of(self.discriminator), transpose_a=True)

    def _seen_of_each(self, fake: tf.Tensor, stream: Stream) -> list[tf.Tensor]:
        """Returns what the discriminators see of each generator's examples."""
        noise = stream.fold(FAKE_NOISE)
        return [self.seen(one, noise.fold(index) if index else noise) for index, one in enumerate(self._parts(fake))]

    def _logits(self, one: keras.Model, *seen: Any) -> list[Any]:
        """Returns a discriminator's logits: of the real examples if there are any, and a list, for each generator.

        Each batch is seen in a separate call, as in `GAN`: with BatchNorm, one generator's logits do not depend on
        another's examples. One call for all takes as long.
        """
        *real, fakes = seen
        return [*(one(examples, training=True) for examples in real), [one(fake, training=True) for fake in fakes]]

    def _mixed(self, examples: tf.Tensor, weights: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns examples of the mixture, `[num, ...]`: example k is that of a generator that is drawn from w."""
        if self.size == 1:
            return examples
        num = numerics.shape_of(examples)[1]
        chosen = mixture.choose(stream.fold(_MEMBERS).uniform([num]), weights)
        return tf.gather_nd(examples, tf.stack([chosen, tf.range(num)], axis=1))

    def _alpha(self, network: keras.Model) -> keras.Variable:
        layer = mixture.weighted(network)
        assert layer is not None
        return layer.alpha

    def _of_alpha(self, weights: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        """Returns this replica's share of the gradient of alpha: Keras' optimisers sum those of all replicas."""
        gradient = alpha_gradient(weights, losses, self.entropy_weight)
        return gradient / self.distribute_strategy.num_replicas_in_sync

    def _move_alpha(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradient: tf.Tensor,
        network: keras.Model,
        gradients: Sequence[tf.Tensor | None],
    ) -> None:
        # The networks' gradients have read alpha before it changes.
        with tf.control_dependencies([one for one in gradients if one is not None]):
            apply_gradients(optimizer, [gradient], [self._alpha(network)])

    def _reported(self, side: str, weights: tf.Tensor) -> dict[str, tf.Tensor]:
        of_members = {f"{side}_weight_{index}": weight for index, weight in enumerate(tf.unstack(weights))}
        return {f"{side}_entropy": mixture.entropy(weights), **of_members}

    def get_config(self) -> dict[str, Any]:
        options = {"size": self.size, "entropy_weight": self.entropy_weight, "alpha_rate": self.alpha_rate}
        return {**super().get_config(), **options}
