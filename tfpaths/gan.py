"""The GAN and its training step. Losses and penalties vary; the step is always the same."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from tfpaths import losses, numerics, penalties, serialization, stepping, streams
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.instance_noise import InstanceNoise
from tfpaths.numerics import watching
from tfpaths.sampled import Sampled
from tfpaths.streams import Stream

# The streams below that of an update: one for its latents, and one for each penalty, PENALTY + 0, PENALTY + 1, ….
LATENTS, PENALTY = 0, 1
# Those of the instance noise on the real and on the generated examples.
REAL_NOISE, FAKE_NOISE = -1, -2
# A player's gradients, and the values that a step reports.
Gradients = tuple[list[tf.Tensor | None], dict[str, tf.Tensor]]
Pair = tuple[tf.Tensor, tf.Tensor]


@keras.saving.register_keras_serializable("tfpaths")
class GAN(Sampled):
    """A generator and a discriminator, the loss of each, and penalties on the discriminator's gradient.

    Each step makes `discriminator_steps` updates of the discriminator, each with new latents and a new real batch, then
    one update of the generator with new latents:

        discriminator: minimise loss.discriminator(D(x), D(G(z))) + sum of penalty(D, x, G(z))
        generator:     minimise loss.generator(D(G(z)))

    With instance noise, x and G(z) are what the discriminator sees, `seen`.

    All random numbers of a step are a pure function of (seed, restarts, step, replica). Losses are means over the
    replica's batch; under a `tf.distribute` strategy the update is that of the mean over the global batch. Only
    BatchNorm's statistics and DRAGAN's std are computed per replica, unless they are synchronised by an option.

    A game with more players, or with another way to sample, is a subclass: it overrides `generate`, `networks`,
    `optimizers`, `state`, `reported`, or one of the two updates, never `train_step`. See `examples/custom_game.py`.

    Args:
      generator: Latents `[batch, ...]` -> examples; its `input_shape` is the shape of the latents.
      discriminator: Examples `[batch, ...]` -> one logit each, `[batch, 1]` or `[batch]`.
      loss: A `losses.Loss`, or a name in `losses.LOSSES`.
      penalty: A `penalties.Penalty`, several of them, or None.
      discriminator_steps: Discriminator updates for each generator update.
      weight_clip: After each of its updates, the discriminator's weights are clipped to [-weight_clip, weight_clip]
        (Arjovsky et al. 2017), so the generator never sees a discriminator with larger weights. None for no clipping.
      instance_noise: The noise on all examples that the discriminator sees in training, or None.
      ema: The decay of an exponential moving average of the generator's weights, in [0, 1), updated after each of its
        updates: average <- ema average + (1 - ema) weights. All samples are then those of the averaged generator; only
        the players' updates use the weights themselves. None for no average.
      seed: Seed for the latents and the penalties' points.
      runs: The number of independent GANs in an ensemble; None for a single GAN. In an ensemble, networks and real
        batches have a leading axis of runs. Losses are averaged over a run's examples and summed over runs, so each run
        has the same gradient as if it were trained alone; the reported values are means over runs.

    Raises:
      ValueError: `discriminator_steps`, `weight_clip` or `ema` is out of its range.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = GAN(generator, discriminator, loss="non_saturating", penalty=penalties.DRAGANPenalty())
      >>> gan.compile(
      ...     generator_optimizer=keras.optimizers.Adam(1e-3), discriminator_optimizer=keras.optimizers.Adam(1e-3)
      ... )
      >>> _ = gan.fit(tf.zeros([16, 2]), batch_size=4, verbose=0)
      >>> gan.step
      4
      >>> gan.sample(5, seed=1).shape
      TensorShape([5, 2])
    """

    # The scalars that a step reports: name -> its abbreviation in progress lines; "" leaves it out there.
    reported: Mapping[str, str] = {"discriminator_loss": "D", "generator_loss": "G", "penalty": "penalty"}
    # Whether the players begin with the weights of a finished run.
    needs_run = False
    # Whether it can be an ensemble of independent runs.
    has_ensembles = True
    train_function: Any

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: losses.Loss | str,
        penalty: penalties.Penalty | Sequence[penalties.Penalty] | None = None,
        discriminator_steps: int = 1,
        weight_clip: float | None = None,
        instance_noise: InstanceNoise | None = None,
        ema: float | None = None,
        seed: int = 0,
        runs: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.check_discriminator_steps(discriminator_steps)
        if weight_clip is not None and not weight_clip > 0:
            raise ValueError(f"weight_clip: expected a number above zero, received {weight_clip}.")
        if ema is not None and not 0 <= ema < 1:
            raise ValueError(f"ema: expected a number in [0, 1), received {ema}.")
        self.generator = generator
        self.discriminator = discriminator
        self.ema = ema
        # A copy with the same initial weights.
        self.averaged_generator = None if ema is None else keras.models.clone_model(generator)
        if self.averaged_generator is not None:
            self.averaged_generator.set_weights(generator.get_weights())
        self.loss_pair = losses.get(loss) if isinstance(loss, str) else loss
        self.penalties = [penalty] if isinstance(penalty, penalties.Penalty) else list(penalty or [])
        self.discriminator_steps = discriminator_steps
        self.weight_clip = weight_clip
        self.instance_noise = instance_noise
        self.seed = seed
        self.runs = runs
        # The number of the ensemble's first run. A study trains its runs in blocks and sets it for each block.
        self.first_run = None if runs is None else tf.Variable(0, dtype=tf.int32, trainable=False, name="first_run")
        # All replicas count the same steps: the first one's value is the value.
        self.steps = tf.Variable(
            0, dtype=tf.int64, trainable=False, name="steps", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # How often the run has restarted from a checkpoint, with other random numbers, after a NaN or an infinity.
        self.restarts = tf.Variable(
            0, dtype=tf.int64, trainable=False, name="restarts", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # Keras would build a subclassed model by calling it on the data, but a GAN is called on latents.
        self.built = True
        if self.penalties:
            penalties.warn_of_batch_norm(discriminator, stacklevel=3)

    @classmethod
    def check_discriminator_steps(cls, discriminator_steps: int, path: str = "discriminator_steps") -> None:
        """Raises an error, naming `path`, if the game cannot make so many discriminator updates a step."""
        if discriminator_steps < 1:
            raise ValueError(f"{path}: expected at least 1, received {discriminator_steps}.")

    @classmethod
    def of_family(cls, family: Any, example_shape: Sequence[int], *, seed: int = 0, **arguments: Any) -> Self:
        """Returns a GAN with networks of a family; the same seed gives the same weights.

        Args:
          family: An object with the methods `generator(example_shape, seed=…)` and `discriminator(example_shape,
            seed=…)`, such as a `networks.Family`.
          example_shape: The shape of one example.
          seed: Seed for the weights, the latents and the penalties' points.
          **arguments: The other arguments of the constructor.
        """
        # The two networks draw their weights from different seeds.
        generator = family.generator(example_shape, seed=2 * seed)
        discriminator = family.discriminator(example_shape, seed=2 * seed + 1)
        return cls(generator, discriminator, seed=seed, **arguments)

    def compile(  # type: ignore[override]
        self,
        *,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        run_eagerly: bool = False,
    ) -> None:
        """Sets the players' optimisers. With a `tf.distribute` strategy, call it in the strategy's scope.

        Args:
          generator_optimizer: The generator's optimiser.
          discriminator_optimizer: The discriminator's optimiser, a different object.
          steps_per_execution: The number of steps in one call of the compiled program.
          jit_compile: Whether XLA compiles the step.
          run_eagerly: Whether the step runs as plain Python, so that a debugger can stop in it.

        Raises:
          ValueError: Both optimisers are the same object.
        """
        if generator_optimizer is discriminator_optimizer:
            raise ValueError("Expected an optimiser for each player, received the same object twice.")
        super().compile(
            optimizer=None,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
        )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # A strategy cannot create the optimisers' variables while it traces the first step.
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """The networks by name."""
        averaged = {} if self.averaged_generator is None else {"averaged_generator": self.averaged_generator}
        return {"generator": self.generator, "discriminator": self.discriminator, **averaged}

    @property
    def exported(self) -> dict[str, keras.Model]:
        """The networks that an export saves, by the names of their files."""
        return self.networks

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimisers by name."""
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    @property
    def state(self) -> dict[str, Any]:
        """The Keras objects and `tf.Variable`s that a step changes, by name: the content of a checkpoint."""
        return {**self.networks, **self.optimizers, "steps": self.steps, "restarts": self.restarts}

    @property
    def step(self) -> int:
        """The number of completed steps."""
        return int(self.steps.numpy())

    @property
    def stream(self) -> Stream:
        """The stream for training, of the GAN's seed and its number of restarts."""
        return streams.root(self.seed, first_run=self.first_run, attempt=self.restarts)

    def train_step(self, *real_batches: Any) -> dict[str, tf.Tensor]:
        """Makes one training step: `discriminator_steps` updates of the discriminator and one of the generator.

        Args:
          *real_batches: A real batch for each discriminator update, or one batch for all of them.

        Returns:
          The values named in `reported`: `discriminator_loss` (without the penalty) and `penalty` of the last
          discriminator update, and `generator_loss`.

        Raises:
          ValueError: There are neither one nor `discriminator_steps` batches.
        """
        batches = [keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in real_batches]
        if len(batches) not in (1, self.discriminator_steps):
            raise ValueError(f"Expected 1 or {self.discriminator_steps} real batches, received {len(batches)}.")
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        stream = self.stream.fold(self.steps, replica)
        reported: dict[str, tf.Tensor] = {}
        for update in range(self.discriminator_steps):
            with tf.name_scope("update_discriminator"):
                reported |= self.update_discriminator(batches[update % len(batches)], stream.fold(update))
        with tf.name_scope("update_generator"):
            reported |= self.update_generator(batches[-1], stream.fold(self.discriminator_steps))
        self.steps.assign_add(1)
        return {name: reported[name] for name in self.reported}

    def update_discriminator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Updates the discriminator once, on loss.discriminator + penalties.

        Args:
          real: A real batch; the update uses as many new latents.
          stream: The stream of this update.

        Returns:
          `discriminator_loss`, without the penalty, and `penalty`.
        """
        fake = self.generate(self.update_latents(real, stream), training=True)
        gradients, reported = self.discriminator_gradients(real, fake, stream)
        self.move_discriminator(gradients)
        return reported

    def discriminator_gradients(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> Gradients:
        """Returns D's gradients on two batches, for its optimiser; the arguments are as in `discriminator_losses`."""
        # No gradient flows to the generator: the tape watches the discriminator only.
        variables = self.discriminator.trainable_variables
        with watching(variables) as tape:
            loss, penalty = self.discriminator_losses(real, fake, stream)
            objective = self._shared(loss + penalty, self.discriminator_optimizer)
        return tape.gradient(objective, variables), {"discriminator_loss": loss, "penalty": penalty}

    def move_discriminator(self, gradients: Sequence[tf.Tensor | None]) -> None:
        """Applies the discriminator's gradients, then clips its weights if there is a `weight_clip`."""
        variables = self.discriminator.trainable_variables
        apply_gradients(self.discriminator_optimizer, gradients, variables)
        if self.weight_clip is not None:
            for variable in variables:
                limit = numerics.of_runs(self.weight_clip, variable)
                variable.assign(tf.clip_by_value(variable, -limit, limit))

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Updates the generator once, on loss.generator.

        Args:
          real: A real batch; the update uses as many new latents. Only a relative loss uses its values.
          stream: The stream of this update.

        Returns:
          `generator_loss`.
        """
        gradients, reported = self.generator_gradients(real, stream)
        self.move_generator(gradients)
        return reported

    def generator_gradients(self, real: tf.Tensor, stream: Stream) -> Gradients:
        """Returns the generator's gradients, for its optimiser, and what is reported; arguments as above."""
        variables = self.generator.trainable_variables
        with watching(variables) as tape:
            fake = self.generate(self.update_latents(real, stream), training=True)
            loss = self.generator_loss(real, fake, stream)
            objective = self._shared(loss, self.generator_optimizer)
        return tape.gradient(objective, variables), {"generator_loss": loss}

    def move_generator(self, gradients: Sequence[tf.Tensor | None]) -> None:
        """Applies the generator's gradients, then updates the averaged generator, if there is one."""
        apply_gradients(self.generator_optimizer, gradients, self.generator.trainable_variables)
        if self.averaged_generator is None or self.ema is None:
            return
        for average, variable in zip(self.averaged_generator.weights, self.generator.weights, strict=True):
            # Statistics of BatchNorm are copied.
            share = 1.0 - self.ema if variable.trainable else 1.0
            average.assign(average + share * (variable - average) if share < 1 else variable)

    def update_latents(self, real: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns the latents of an update: one for each real example (in an ensemble, of each run)."""
        axis = 0 if self.runs is None else 1
        return self.latents(numerics.shape_of(real)[axis], stream.fold(LATENTS))

    def seen(self, examples: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns what the discriminator sees in training: the examples, with instance noise if there is any."""
        noise = self.instance_noise
        return examples if noise is None else noise.added_to(examples, self.steps, stream)

    def discriminator_losses(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns loss.discriminator and the sum of the penalties, scalars; in an ensemble, means over runs.

        Args:
          real: A real batch.
          fake: A generated batch.
          stream: The stream of the update, for noise and penalties.
        """
        seen = self.seen(real, stream.fold(REAL_NOISE)), self.seen(fake, stream.fold(FAKE_NOISE))
        real_logits, fake_logits = (self.discriminator(examples, training=True) for examples in seen)
        loss = self.loss_pair.discriminator(real_logits, fake_logits)
        return loss, self.penalty_of(self.discriminator, (real, fake), seen, stream)

    def penalty_of(self, discriminator: keras.Model, clean: Pair, seen: Pair, stream: Stream) -> tf.Tensor:
        """Returns the sum of a discriminator's penalties; `clean` and `seen` are real and generated examples."""
        batch_axes = 1 if self.runs is None else 2
        values = [
            penalty(
                discriminator,
                *(seen if penalty.noisy else clean),
                stream=stream.fold(PENALTY + index),
                batch_axes=batch_axes,
                **({"step": self.steps} if penalty.needs_step else {}),
            )
            for index, penalty in enumerate(self.penalties)
        ]
        return values[0] if len(values) == 1 else tf.add_n(values) if values else tf.zeros([])

    def generator_loss(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tf.Tensor:
        """Returns loss.generator, a scalar; in an ensemble, the mean over runs.

        Args:
          real: A real batch, which only a relative loss uses.
          fake: A generated batch.
          stream: The stream of the update, for noise.
        """
        seen = [self.seen(fake, stream.fold(FAKE_NOISE))]
        if self.loss_pair.is_relative:
            seen.insert(0, self.seen(real, stream.fold(REAL_NOISE)))
        return self.loss_pair.generator(*(self.discriminator(examples, training=True) for examples in seen))

    def fit(self, x=None, *args, **kwargs):
        """Trains the GAN with Keras' `fit`.

        An epoch is one pass through a finite data set, or `steps_per_epoch` steps.

        Args:
          x: Real batches, or pairs (real batch, anything); a step takes `discriminator_steps` of them. It must be a
            `tf.data.Dataset` if `discriminator_steps` or `steps_per_execution` is above 1.
          *args: The other arguments of `keras.Model.fit`.
          **kwargs: The other arguments of `keras.Model.fit`.

        Raises:
          ValueError: `x` is not a `tf.data.Dataset` although it must be, or the number of steps in an epoch is zero or
            not a multiple of `steps_per_execution`.
        """
        several = max(self.discriminator_steps, self.steps_per_execution) > 1
        if not isinstance(x, tf.data.Dataset):
            if several:
                raise ValueError(
                    "Expected a tf.data.Dataset, because discriminator_steps or steps_per_execution is above 1, "
                    f"received {type(x).__name__}."
                )
            return super().fit(x, *args, **kwargs)
        # Keras' default is to shuffle, and it warns that it cannot shuffle a data set.
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
        """Returns the function that `fit` calls, see `tfpaths.stepping`; with `force`, creates it again."""
        if self.train_function is None or force:
            self.train_function = stepping.train_function(self)
        return self.train_function

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `gan.save("gan.keras")` and `keras.models.load_model`.

        Raises:
          ValueError: The loss is not registered, so it cannot be stored by name.
        """
        return {**super().get_config(), **serialization.config_of(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        return cls(**serialization.arguments_of(config, custom_objects))

    def get_compile_config(self) -> dict[str, Any]:
        return serialization.compile_config_of(self)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        self.compile(**serialization.compile_arguments_of(config))

    def save_own_variables(self, store: Any) -> None:
        store["steps"], store["restarts"] = self.steps.numpy(), self.restarts.numpy()

    def load_own_variables(self, store: Any) -> None:
        self.steps.assign(store["steps"][()])
        self.restarts.assign(store["restarts"][()])

    def _shared(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """Returns this replica's share of the loss, because Keras' optimisers sum the gradients of all replicas.

        In an ensemble the loss is the mean over runs; multiplied by their number, it is the sum.
        """
        return optimizer.scale_loss(loss) * (self.runs or 1) / self.distribute_strategy.num_replicas_in_sync
