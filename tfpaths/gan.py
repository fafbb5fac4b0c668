"""The one GAN and its one training step: losses and penalties vary, the step does not."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfpaths import losses, penalties, streams

# What is drawn within one discriminator update, or one generator update: a stream for each.
_LATENTS, _PENALTY = 0, 1
# A branch of the run's stream that training never reaches: its numbers are steps, which are never negative.
_SAMPLES = -1


class GAN(keras.Model):
    """Two players, the loss of each, and a penalty on the discriminator's gradient.

    Each step makes `discriminator_steps` updates of the discriminator, each on fresh latents and a fresh real batch,
    then one of the generator on fresh latents:

        discriminator: minimise loss.discriminator(D(x), D(G(z))) + penalty(D, x, G(z))
        generator:     minimise loss.generator(D(G(z)))

    Everything random in a step is a pure function of (seed, restarts, step, replica). Losses are means over the
    replica's batch; under a `tf.distribute` strategy the update is that of the mean over the global batch. What is per
    replica, if it is not asked to be otherwise: BatchNorm's statistics and DRAGAN's std.

    Args:
      generator: latents `[batch, ...]` -> examples; its `input_shape` says what latents to draw.
      discriminator: examples `[batch, ...]` -> one logit each, `[batch, 1]` or `[batch]`.
      loss: a `losses.Loss`, or the name of one.
      penalty: a `penalties.GradientPenalty`, or none.
      discriminator_steps: discriminator updates for each generator update.
      weight_clip: each of the discriminator's weights is kept in [-weight_clip, weight_clip], from its first update
        on and after each one, so that the generator never sees a critic outside the box (Arjovsky et al. 2017).
      seed: of every latent and every point of the penalty.
      runs: for an ensemble, how many independent GANs this is at once: networks and real batches then have a leading
        axis of runs. Losses are averaged over a run's examples and summed over runs, so that each run sees the gradient
        that it would see alone; what is reported is the mean over runs.
    """

    # What a step reports, each a scalar.
    reported = ("discriminator_loss", "generator_loss", "penalty")
    train_function: Any

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: losses.Loss | str,
        penalty: penalties.GradientPenalty | None = None,
        discriminator_steps: int = 1,
        weight_clip: float | None = None,
        seed: int = 0,
        runs: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if discriminator_steps < 1:
            raise ValueError(f"discriminator_steps: expected at least 1, received {discriminator_steps}.")
        if weight_clip is not None and not weight_clip > 0:
            raise ValueError(f"weight_clip: expected a number above zero, received {weight_clip}.")
        self.generator = generator
        self.discriminator = discriminator
        self.loss_pair = losses.get(loss) if isinstance(loss, str) else loss
        self.penalty = penalty
        self.discriminator_steps = discriminator_steps
        self.weight_clip = weight_clip
        self.seed = seed
        self.runs = runs
        # Runs are numbered from here on; a study moves it from block to block.
        self.first_run = None if runs is None else tf.Variable(0, dtype=tf.int32, trainable=False, name="first_run")
        # A TensorFlow variable: Keras' own cannot say that each replica counts the same steps.
        self.steps = tf.Variable(
            0, dtype=tf.int64, trainable=False, name="steps", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # How often the run has gone on from a checkpoint with other random numbers, after it was no longer finite.
        self.restarts = tf.Variable(
            0, dtype=tf.int64, trainable=False, name="restarts", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # Keras would build a subclassed model by calling it on the data, and a GAN is called on latents.
        self.built = True
        if penalty is not None:
            _warn_of_batch_norm(discriminator)

    def compile(  # type: ignore[override]
        self,
        *,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
    ) -> None:
        """Gives each player its optimiser. Call it in the scope of the strategy, where there is one.

        Args:
          generator_optimizer: the generator's.
          discriminator_optimizer: the discriminator's; another object.
          steps_per_execution: how many steps run in one call of the compiled program.
          jit_compile: whether the step is compiled by XLA.
        """
        if generator_optimizer is discriminator_optimizer:
            raise ValueError("Expected an optimiser for each player, received the same object twice.")
        super().compile(optimizer=None, steps_per_execution=steps_per_execution, jit_compile=jit_compile)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # Their variables must exist before the first trace: a strategy cannot make them within it.
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def step(self) -> int:
        """How many steps have been made."""
        return int(self.steps.numpy())

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generator(latents, training=training)

    def latents(self, num: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """z ~ N(0, I), `[num, ...]` or `[runs, num, ...]`, from the stream `seed`."""
        lead = (num,) if self.runs is None else (self.runs, num)
        return streams.normal(seed, (*lead, *self.generator.input_shape[len(lead) :]))

    @property
    def stream(self) -> tf.Tensor:
        """The stream of this GAN's seed."""
        return streams.root(self.seed, self.first_run, self.restarts)

    def sample(self, num: int, *, seed: int = 0) -> tf.Tensor:
        """Generates `num` examples; the same seed gives the same latents. Images are float32 in [-1, 1]."""
        return self.generator(self.sample_latents(num, seed=seed), training=False)

    def sample_latents(self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0) -> tf.Tensor:
        """The latents that `sample` gives the generator, in a graph as well as outside one."""
        return self.latents(num, streams.fold(streams.root(seed, self.first_run), _SAMPLES))

    def draw(self, num: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Generates `num` examples from the stream `seed`, in a graph as well as outside one."""
        return self.generator(self.latents(num, seed), training=False)

    def train_step(self, *real_batches: Any) -> dict[str, tf.Tensor]:
        """One step of the game.

        Args:
          *real_batches: a real batch for each of the discriminator's updates, or one that serves them all.

        Returns:
          discriminator_loss and penalty of the last discriminator update (the loss without the penalty), and
          generator_loss.
        """
        batches = [keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in real_batches]
        if len(batches) not in (1, self.discriminator_steps):
            raise ValueError(f"Expected 1 or {self.discriminator_steps} real batches, received {len(batches)}.")
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = streams.fold(self.stream, self.steps, replica)
        for update in range(self.discriminator_steps):
            real = batches[update % len(batches)]
            with tf.name_scope("update_discriminator"):
                discriminator_loss, penalty = self.update_discriminator(real, streams.fold(seed, update))
        num = self._batch_size(batches[0])
        with tf.name_scope("update_generator"):
            generator_loss = self.update_generator(num, streams.fold(seed, self.discriminator_steps))
        self.steps.assign_add(1)
        return {"discriminator_loss": discriminator_loss, "generator_loss": generator_loss, "penalty": penalty}

    def update_discriminator(self, real: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One descent on loss.discriminator + penalty; returns the two."""
        fake = self.generator(self.latents(self._batch_size(real), streams.fold(seed, _LATENTS)), training=True)
        variables = self.discriminator.trainable_variables
        with _watching(variables) as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            loss = self.loss_pair.discriminator(real_logits, fake_logits)
            penalty = tf.zeros_like(loss)
            if self.penalty is not None:
                penalty = self.penalty(self.discriminator, real, fake, seed=streams.fold(seed, _PENALTY))
            total = loss + penalty
            objective = self._shared(total, self.discriminator_optimizer)
        self.discriminator_optimizer.apply(tape.gradient(objective, variables), variables)
        if self.weight_clip is not None:
            for variable in variables:
                variable.assign(tf.clip_by_value(variable, -self.weight_clip, self.weight_clip))
        return loss, penalty

    def update_generator(self, num: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One descent on loss.generator, on `num` fresh latents; returns it."""
        variables = self.generator.trainable_variables
        with _watching(variables) as tape:
            fake = self.generator(self.latents(num, streams.fold(seed, _LATENTS)), training=True)
            loss = self.loss_pair.generator(self.discriminator(fake, training=True))
            objective = self._shared(loss, self.generator_optimizer)
        self.generator_optimizer.apply(tape.gradient(objective, variables), variables)
        return loss

    def fit(self, x=None, *args, **kwargs):
        """Keras' `fit`. `x` yields real batches, or (real batch, anything); a step takes `discriminator_steps` of them.

        An epoch is one pass through a finite data set, or `steps_per_epoch` steps.

        Raises:
          ValueError: an epoch is no whole number of executions, or too small for a step.
        """
        several = max(self.discriminator_steps, self.steps_per_execution) > 1
        if not isinstance(x, tf.data.Dataset):
            if several:
                raise ValueError("Expected a tf.data.Dataset, with several batches to a step or steps to an execution.")
            return super().fit(x, *args, **kwargs)
        # A data set shuffles itself, and Keras warns where it is asked to.
        kwargs.setdefault("shuffle", False)
        if kwargs.get("steps_per_epoch") is None and several and (batches := int(x.cardinality())) >= 0:
            kwargs["steps_per_epoch"] = batches // self.discriminator_steps
            x = x.repeat()
        steps = kwargs.get("steps_per_epoch")
        if steps is not None and (steps < 1 or steps % self.steps_per_execution):
            raise ValueError(
                f"Expected a multiple of {self.steps_per_execution} steps in an epoch, each of "
                f"{self.discriminator_steps} batches, received {steps} steps."
            )
        return super().fit(x, *args, **kwargs)

    def make_train_function(self, force: bool = False):
        """One `tf.function` that runs `steps_per_execution` steps on every replica and reduces each reported value.

        Keras' own reduces scalars wrongly, or fails, with several steps per execution under the strategies of several
        devices; this is the method it offers for replacement.
        """
        if self.train_function is not None and not force:
            return self.train_function
        strategy, count = self.distribute_strategy, self.steps_per_execution
        step = tf.function(self.train_step, jit_compile=True, autograph=False) if self.jit_compile else self.train_step

        def one_step(iterator):
            batches = [next(iterator) for _ in range(self.discriminator_steps)]
            values = strategy.run(step, args=tuple(batches))
            return {name: strategy.reduce("MEAN", value, axis=None) for name, value in values.items()}

        # The loop is spelt out, because AutoGraph does not turn Python's into one on every Python this runs on. One
        # step goes through it too: outside it the graph's optimiser fuses other operations, and the last bits differ.
        @tf.function(reduce_retracing=True, autograph=False)
        def train_function(iterator):
            start = {name: tf.constant(0.0) for name in self.reported}
            _, values = tf.while_loop(
                lambda done, _: done < count,
                lambda done, _: (done + 1, one_step(iterator)),
                (tf.constant(0), start),
                maximum_iterations=count,
            )
            return values

        self.train_function = train_function
        return self.train_function

    def _batch_size(self, real: tf.Tensor) -> int | tf.Tensor:
        """How many examples a batch has, in an ensemble of each run."""
        axis = 0 if self.runs is None else 1
        return real.shape[axis] if real.shape[axis] is not None else tf.shape(real)[axis]

    def _shared(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """This replica's share of the loss: Keras' optimisers add up the gradients of all replicas.

        In an ensemble the loss is the mean over runs, and their number makes it the sum.
        """
        return optimizer.scale_loss(loss) * (self.runs or 1) / self.distribute_strategy.num_replicas_in_sync


@contextlib.contextmanager
def _watching(variables: list[keras.Variable]) -> Iterator[tf.GradientTape]:
    """A tape that records what these variables touch and nothing else."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        yield tape


def _warn_of_batch_norm(discriminator: keras.Model) -> None:
    names = [
        layer.name for layer in discriminator._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if names:
        warnings.warn(
            f"A gradient penalty is about the gradient at one example, and BatchNorm ({', '.join(names)}) makes the "
            "discriminator's output for one depend on its whole batch.",
            stacklevel=3,
        )
