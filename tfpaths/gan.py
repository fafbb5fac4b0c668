"""The GAN and its training step. Losses and penalties vary; the step is always the same."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from tfpaths import losses, numerics, penalties, streams
from tfpaths.compat import keras as compat
from tfpaths.compat.tensorflow import apply_gradients
from tfpaths.streams import Stream

# The streams below that of an update: one for its latents, and one for each penalty, _PENALTY + 0, _PENALTY + 1, ….
_LATENTS, _PENALTY = 0, 1
# A branch of the run's stream that training does not use: its branches are steps, which are not negative.
_SAMPLES = -1


@keras.saving.register_keras_serializable("tfpaths")
class GAN(keras.Model):
    """A generator and a discriminator, the loss of each, and penalties on the discriminator's gradient.

    Each step makes `discriminator_steps` updates of the discriminator, each with new latents and a new real batch, then
    one update of the generator with new latents:

        discriminator: minimise loss.discriminator(D(x), D(G(z))) + sum of penalty(D, x, G(z))
        generator:     minimise loss.generator(D(G(z)))

    All random numbers of a step are a pure function of (seed, restarts, step, replica). Losses are means over the
    replica's batch; under a `tf.distribute` strategy the update is that of the mean over the global batch. Only
    BatchNorm's statistics and DRAGAN's std are computed per replica, unless they are synchronised by an option.

    A game with more players, or with another way to sample, is a subclass: it overrides `generate`, `networks`,
    `optimizers`, `state`, `reported`, or one of the two updates, never `train_step`. See `examples/custom_game.py`.

    Args:
      generator: Latents `[batch, ...]` -> examples; its `input_shape` is the shape of the latents.
      discriminator: Examples `[batch, ...]` -> one logit each, `[batch, 1]` or `[batch]`.
      loss: A `losses.Loss`, or a name in `losses.LOSSES`.
      penalty: A `penalties.GradientPenalty`, several of them, or None.
      discriminator_steps: Discriminator updates for each generator update.
      weight_clip: After each of its updates, the discriminator's weights are clipped to [-weight_clip, weight_clip]
        (Arjovsky et al. 2017), so the generator never sees a discriminator with larger weights. None for no clipping.
      seed: Seed for the latents and the penalties' points.
      runs: The number of independent GANs in an ensemble; None for a single GAN. In an ensemble, networks and real
        batches have a leading axis of runs. Losses are averaged over a run's examples and summed over runs, so each run
        has the same gradient as if it were trained alone; the reported values are means over runs.

    Raises:
      ValueError: `discriminator_steps` or `weight_clip` is out of its range.

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

    # The scalars that a step reports: name -> its abbreviation in progress lines.
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
            _warn_of_batch_norm(discriminator)

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
        """The networks by name. All of them are exported."""
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

    def generate(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the examples G(z) for latents z.

        All generated examples come from this method: those of training, `sample`, grids, metrics, loaded runs and
        exports. Graphs are compiled without AutoGraph, so an override must write loops and conditions on tensors as
        `tf.while_loop` and `tf.cond`.

        Args:
          latents: z, drawn from N(0, I): `[batch, ...]`, in an ensemble `[runs, batch, ...]`.
          training: Whether the examples are for an update of the players.

        Returns:
          Examples `[batch, ...]`, in an ensemble `[runs, batch, ...]`; images are float32 in [-1, 1].
        """
        return self.generator(latents, training=training)

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.generate(latents, training=training)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of the latents of one example."""
        return tuple(self.generator.input_shape[1 if self.runs is None else 2 :])

    def latents(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Draws latents z ~ N(0, I), `[num, *latent_shape]`; in an ensemble `[runs, num, *latent_shape]`."""
        lead = (num,) if self.runs is None else (self.runs, num)
        return stream.normal((*lead, *self.latent_shape))

    def sample(self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0) -> tf.Tensor:
        """Generates `num` examples; the same seed gives the same examples. It can be called in a graph."""
        return self.generate(self.sample_latents(num, seed=seed))

    def sample_latents(
        self, num: int | tf.Tensor, *, seed: int | tf.Tensor = 0, first: int | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the latents that `sample` uses for this seed, from index `first` on, a multiple of four."""
        stream = streams.root(seed, first_run=self.first_run).fold(_SAMPLES)
        return self.latents(num, stream if first is None else stream.from_row(first))

    def draw(self, num: int | tf.Tensor, stream: Stream) -> tf.Tensor:
        """Generates `num` examples with latents from a stream. It can be called in a graph."""
        return self.generate(self.latents(num, stream))

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
        # No gradient flows to the generator: the tape starts after this line.
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
        apply_gradients(self.discriminator_optimizer, tape.gradient(objective, variables), variables)
        if self.weight_clip is not None:
            for variable in variables:
                limit = numerics.of_runs(self.weight_clip, variable)
                variable.assign(tf.clip_by_value(variable, -limit, limit))
        return {"discriminator_loss": loss, "penalty": penalty}

    def update_generator(self, real: tf.Tensor, stream: Stream) -> dict[str, tf.Tensor]:
        """Updates the generator once, on loss.generator.

        Args:
          real: A real batch; the update uses as many new latents. Only a relative loss uses its values.
          stream: The stream of this update.

        Returns:
          `generator_loss`.
        """
        variables = self.generator.trainable_variables
        # Only a relative loss needs the real logits; they do not depend on the generator, so they stay off the tape.
        real_logits = (self.discriminator(real, training=True),) if self.loss_pair.is_relative else ()
        with _watching(variables) as tape:
            latents = self.latents(self._batch_size(real), stream.fold(_LATENTS))
            fake = self.generate(latents, training=True)
            loss = self.loss_pair.generator(*real_logits, self.discriminator(fake, training=True))
            objective = self._shared(loss, self.generator_optimizer)
        apply_gradients(self.generator_optimizer, tape.gradient(objective, variables), variables)
        return {"generator_loss": loss}

    def _penalty(self, real: tf.Tensor, fake: tf.Tensor, stream: Stream) -> tf.Tensor | None:
        """Returns the sum of the penalties, each with its own stream; None if there are no penalties."""
        batch_axes = 1 if self.runs is None else 2
        values = [
            penalty(self.discriminator, real, fake, stream=stream.fold(_PENALTY + index), batch_axes=batch_axes)
            for index, penalty in enumerate(self.penalties)
        ]
        return values[0] if len(values) == 1 else tf.add_n(values) if values else None

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
        """Returns the function that `fit` calls: `steps_per_execution` steps on every replica, as one `tf.function`.

        It replaces Keras' function, as Keras allows: with several steps per execution and several devices, Keras' own
        reduces scalars wrongly or fails. Each reported value is the mean over replicas of the last step.

        Args:
          force: Whether to create the function again if it exists.
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

        # An explicit tf.while_loop, because AutoGraph does not convert a Python loop on every supported Python version.
        # A single step uses the loop too: outside it, TensorFlow fuses other operations, and the last bits differ.
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
        values = strategy.run(step, args=tuple(next(iterator) for _ in range(self.discriminator_steps)))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in values.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `gan.save("gan.keras")` and `keras.models.load_model`.

        Raises:
          ValueError: The loss is not registered, so it cannot be stored by name.
        """
        if self.loss_pair.name not in losses.LOSSES:
            raise ValueError(
                f"A GAN can only be saved if its loss has a name in tfpaths.losses.LOSSES, received {self.loss_pair}. "
                "To fix this: register the loss and pass its name as loss=NAME."
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
        def deserialized(value: Any) -> Any:
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        values = dict(config)
        values |= {name: deserialized(values[name]) for name in ("generator", "discriminator")}
        values["penalty"] = [deserialized(penalty) for penalty in values["penalty"]]
        values["loss"] = losses.get(**values["loss"])
        return cls(**values)

    def get_compile_config(self) -> dict[str, Any]:
        return {
            **{name: keras.saving.serialize_keras_object(optimizer) for name, optimizer in self.optimizers.items()},
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
        """Returns the number of examples in a batch; in an ensemble, in each run's batch."""
        axis = 0 if self.runs is None else 1
        return real.shape[axis] if real.shape[axis] is not None else tf.shape(real)[axis]

    def _shared(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        """Returns this replica's share of the loss, because Keras' optimisers sum the gradients of all replicas.

        In an ensemble the loss is the mean over runs; multiplied by their number, it is the sum.
        """
        return optimizer.scale_loss(loss) * (self.runs or 1) / self.distribute_strategy.num_replicas_in_sync


@contextlib.contextmanager
def _watching(variables: list[keras.Variable]) -> Iterator[tf.GradientTape]:
    """Yields a gradient tape that watches only these variables."""
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
            "A gradient penalty assumes that each output of the discriminator depends on one example only, but with "
            f"BatchNormalization ({', '.join(names)}) it depends on the whole batch. To fix this: remove these layers "
            "from the discriminator.",
            stacklevel=3,
        )
