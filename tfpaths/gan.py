"""The one GAN and its one training step: losses and penalties vary, the step does not."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from tfpaths import losses, penalties, streams
from tfpaths.compat import keras as compat
from tfpaths.streams import Stream

# What is drawn within one discriminator update, or one generator update: a stream for each. The second penalty of
# several has the next number, and so on.
_LATENTS, _PENALTY = 0, 1
# A branch of the run's stream that training never reaches: its numbers are steps, which are never negative.
_SAMPLES = -1


@keras.saving.register_keras_serializable("tfpaths")
class GAN(keras.Model):
    """Two players, the loss of each, and penalties on the discriminator's gradient.

    Each step makes `discriminator_steps` updates of the discriminator, each on fresh latents and a fresh real batch,
    then one of the generator on fresh latents:

        discriminator: minimise loss.discriminator(D(x), D(G(z))) + sum of penalty(D, x, G(z))
        generator:     minimise loss.generator(D(G(z)))

    Everything random in a step is a pure function of (seed, restarts, step, replica). Losses are means over the
    replica's batch; under a `tf.distribute` strategy the update is that of the mean over the global batch. Per replica,
    unless they are asked to be synchronised: BatchNorm's statistics and DRAGAN's std.

    A game of more players, or one whose samples are refined, is a subclass: it overrides `generate`, `networks`,
    `optimizers`, `state`, `reported`, or one of the two updates, never `train_step`.

    Args:
      generator: Latents `[batch, ...]` -> examples; its `input_shape` says what latents to draw.
      discriminator: Examples `[batch, ...]` -> one logit each, `[batch, 1]` or `[batch]`.
      loss: A `losses.Loss`, or the name of one.
      penalty: A `penalties.GradientPenalty`, several of them, or None.
      discriminator_steps: Discriminator updates for each generator update.
      weight_clip: Each of the discriminator's weights is clipped to [-weight_clip, weight_clip] after each of its
        updates, so that the generator never sees a critic outside the box (Arjovsky et al. 2017). None for no clipping.
      seed: Seed for the latents and the penalties' points.
      runs: For an ensemble, how many independent GANs this is at once: networks and real batches then have a leading
        axis of runs. Losses are averaged over a run's examples and summed over runs, so that each run sees the gradient
        that it would see alone; what is reported is the mean over runs.

    Raises:
      ValueError: A number is out of its range.

    Example:
      >>> generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      >>> discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
      >>> gan = GAN(generator, discriminator, loss="non_saturating", penalty=penalties.DRAGANPenalty())
      >>> gan.compile(
      ...     generator_optimizer=keras.optimizers.Adam(1e-3), discriminator_optimizer=keras.optimizers.Adam(1e-3)
      ... )
      >>> _ = gan.fit(tf.zeros([16, 2]), batch_size=4, verbose=0)
      >>> gan.sample(5, seed=1).shape
      TensorShape([5, 2])
    """

    # What a step reports, each a scalar: name -> how progress abbreviates it.
    reported: Mapping[str, str] = {"discriminator_loss": "D", "generator_loss": "G", "penalty": "penalty"}
    train_function: Any

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: losses.Loss | str,
        penalty: penalties.GradientPenalty | Sequence[penalties.GradientPenalty] | None = None,
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
        self.penalties = _as_list(penalty)
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
        # How often the run has continued from a checkpoint with other random numbers, after it was no longer finite.
        self.restarts = tf.Variable(
            0, dtype=tf.int64, trainable=False, name="restarts", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # Keras would build a subclassed model by calling it on the data, and a GAN is called on latents.
        self.built = True
        if self.penalties:
            _warn_of_batch_norm(discriminator)

    @classmethod
    def of_family(cls, family: Any, example_shape: Sequence[int], *, seed: int = 0, **arguments: Any) -> Self:
        """Returns the game with networks of a family; the same seed gives the same weights.

        Args:
          family: Has `generator(example_shape, seed=…)` and `discriminator(example_shape, seed=…)`.
          example_shape: The shape of one example.
          seed: Seed for the weights, and of the game.
          **arguments: Those of the constructor.
        """
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
        """Gives each player its optimiser. Call it in the scope of the strategy, if there is one.

        Args:
          generator_optimizer: The generator's.
          discriminator_optimizer: The discriminator's; another object.
          steps_per_execution: How many steps run in one call of the compiled program.
          jit_compile: Whether the step is compiled by XLA.
          run_eagerly: Whether the step runs as plain Python, so that a breakpoint in it stops.

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
        # Their variables must exist before the first trace: a strategy cannot make them within it.
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def networks(self) -> dict[str, keras.Model]:
        """The players by name: what is exported."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimisers by name."""
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    @property
    def state(self) -> dict[str, Any]:
        """All that a step changes, by name: what a checkpoint holds. Each is a Keras object or a `tf.Variable`."""
        return {**self.networks, **self.optimizers, "steps": self.steps, "restarts": self.restarts}

    @property
    def step(self) -> int:
        """How many steps have been made."""
        return int(self.steps.numpy())

    @property
    def stream(self) -> Stream:
        """The stream of this GAN's seed."""
        return streams.root(self.seed, first_run=self.first_run, attempt=self.restarts)

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the generated examples of some latents. There is no other way to them.

        Training, `sample`, grids, metrics, loaded runs and exports all call it, in graphs that are compiled without
        AutoGraph: write loops and conditions on tensors as `tf.while_loop` and `tf.cond`.

        Args:
          latents: `[batch, ...]`, from N(0, I); in an ensemble `[runs, batch, ...]`.
          training: Whether the examples are for an update of the players.

        Returns:
          `[batch, ...]`; images are float32 in [-1, 1].
        """
        return self.generator(latents, training=training)

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generate(latents, training=training)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of the latents of one example."""
        return tuple(self.generator.input_shape[1 if self.runs is None else 2 :])

    def latents(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Draws z ~ N(0, I), `[num, ...]` or `[runs, num, ...]`."""
        lead = (num,) if self.runs is None else (self.runs, num)
        return stream.normal((*lead, *self.latent_shape))

    def sample(self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0) -> tf.Tensor:
        """Generates `num` examples; the same seed gives the same ones. Works in a graph too."""
        return self.generate(self.sample_latents(num, seed=seed))

    def sample_latents(self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the latents that `sample` uses. Works in a graph too."""
        return self.latents(num, streams.root(seed, first_run=self.first_run).fold(_SAMPLES))

    def draw(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Generates `num` examples from a stream. Works in a graph too."""
        return self.generate(self.latents(num, stream))

    def train_step(self, *real_batches: Any) -> dict[str, tf.Tensor]:
        """Makes one step of the game.

        Args:
          *real_batches: A real batch for each of the discriminator's updates, or one that serves them all.

        Returns:
          What is `reported`: here discriminator_loss and penalty of the last discriminator update (the loss without the
          penalty), and generator_loss.
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
        """Makes one descent on loss.discriminator + penalties; returns `discriminator_loss` and `penalty`."""
        fake = self.generate(self.latents(self._batch_size(real), stream.fold(_LATENTS)), training=True)
        variables = self.discriminator.trainable_variables
        with _watching(variables) as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            loss = self.loss_pair.discriminator(real_logits, fake_logits)
            penalty = self._penalty(real, fake, stream)
            if penalty is None:
                penalty = tf.zeros_like(loss)
            objective = self._shared(loss + penalty, self.discriminator_optimizer)
        self.discriminator_optimizer.apply(tape.gradient(objective, variables), variables)
        if self.weight_clip is not None:
            for variable in variables:
                variable.assign(tf.clip_by_value(variable, -self.weight_clip, self.weight_clip))
        return {"discriminator_loss": loss, "penalty": penalty}

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Makes one descent on loss.generator, on as many fresh latents as `real` has examples; returns the loss."""
        variables = self.generator.trainable_variables
        # Only a loss that compares the two needs the real logits, which no derivative goes through.
        real_logits = (self.discriminator(real, training=True),) if self.loss_pair.is_relative else ()
        with _watching(variables) as tape:
            latents = self.latents(self._batch_size(real), stream.fold(_LATENTS))
            fake = self.generate(latents, training=True)
            loss = self.loss_pair.generator(*real_logits, self.discriminator(fake, training=True))
            objective = self._shared(loss, self.generator_optimizer)
        self.generator_optimizer.apply(tape.gradient(objective, variables), variables)
        return {"generator_loss": loss}

    def _penalty(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tf.Tensor | None:
        """The penalties' sum, each from its own stream; None if there is none."""
        batch_axes = 1 if self.runs is None else 2
        values = [
            penalty(self.discriminator, real, fake, stream=stream.fold(_PENALTY + index), batch_axes=batch_axes)
            for index, penalty in enumerate(self.penalties)
        ]
        return values[0] if len(values) == 1 else tf.add_n(values) if values else None

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
        if self.run_eagerly:
            self.train_function = self._eager_function(strategy, count)
            return self.train_function
        step = tf.function(self.train_step, jit_compile=True, autograph=False) if self.jit_compile else self.train_step

        def one_step(iterator):
            return self._one_step(strategy, step, iterator)

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

    def _eager_function(self, strategy: tf.distribute.Strategy, count: int) -> Callable:
        def train_function(iterator):
            for _ in range(count):
                values = self._one_step(strategy, self.train_step, iterator)
            return values

        return train_function

    def _one_step(self, strategy: tf.distribute.Strategy, step: Callable, iterator: Any) -> dict[str, tf.Tensor]:
        batches = [next(iterator) for _ in range(self.discriminator_steps)]
        values = strategy.run(step, args=tuple(batches))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in values.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs: `gan.save("gan.keras")` and `keras.models.load_model` use both.

        Raises:
          ValueError: The loss is not registered, so that no name stands for it.
        """
        if self.loss_pair.name not in losses.LOSSES:
            raise ValueError(
                f"Expected a loss of tfpaths.losses.LOSSES in a GAN that is saved, received {self.loss_pair}."
            )
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "loss": {"name": self.loss_pair.name, **self.loss_pair.options},
            "penalty": [serialize(penalty) for penalty in self.penalties],
            "discriminator_steps": self.discriminator_steps,
            "weight_clip": self.weight_clip,
            "seed": self.seed,
            "runs": self.runs,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        def made(value: Any) -> Any:
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        values = dict(config)
        values |= {name: made(values[name]) for name in ("generator", "discriminator")}
        values |= {"penalty": [made(penalty) for penalty in values["penalty"]], "loss": losses.get(**values["loss"])}
        return cls(**values)

    def get_compile_config(self) -> dict[str, Any]:
        return {
            **{name: keras.saving.serialize_keras_object(one) for name, one in self.optimizers.items()},
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        values = {
            name: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value
            for name, value in config.items()
        }
        self.compile(**values)

    def save_own_variables(self, store: Any) -> None:
        store["steps"], store["restarts"] = self.steps.numpy(), self.restarts.numpy()

    def load_own_variables(self, store: Any) -> None:
        self.steps.assign(store["steps"][()])
        self.restarts.assign(store["restarts"][()])

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


def _as_list(penalty: Any) -> list[penalties.GradientPenalty]:
    if penalty is None:
        return []
    return [penalty] if isinstance(penalty, penalties.GradientPenalty) else list(penalty)


def _warn_of_batch_norm(discriminator: keras.Model) -> None:
    names = [
        layer.name for layer in compat.all_layers(discriminator) if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if names:
        warnings.warn(
            f"A gradient penalty is about the gradient at one example, and BatchNorm ({', '.join(names)}) makes the "
            "discriminator's output for one depend on its whole batch.",
            stacklevel=3,
        )
