"""`run` trains the game to each number of epochs, and a fresh discriminator against each frozen generator."""

import dataclasses
import pathlib
import signal
from collections.abc import Iterator
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import data, errors, files, kinds, plotting, progress
from tfpaths.data.examples import Examples
from tfpaths.figures.runner import Outcome
from tfpaths.perfect import drawing, fresh
from tfpaths.runs import build, distribution, loading, precision, results, training
from tfpaths.runs import devices as devices_lib
from tfpaths.runs import rows as rows_lib
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.rows import Row
from tfpaths.runs.signals import StopOnSignal

# The part of the test images that the control does not train on, at most.
_HELD_OUT_SHARE = 0.5


def run(config: config_lib.Perfect, workdir: str | pathlib.Path, *, data_dir: str | None = None) -> Outcome:
    """Runs the experiment in a run directory, or resumes it there.

    `run/` has the game, a training run. The rows of a fresh discriminator are written when it is trained, so that an
    interruption loses at most the one in progress; what it would have measured is measured again, exactly.

    Args:
      config: The experiment.
      workdir: The run directory.
      data_dir: The directory of prepared TFDS data.

    Raises:
      InputError: The config is invalid for the data, or the directory holds another experiment; nothing was written.
      NotFiniteError: A measured quantity is NaN or infinite.

    Example: `python -m tfpaths.launch --exp=perfect_cifar10`.
    """
    devices = distribution.get("one_device")
    directory = RunDirectory(files.path(workdir))
    config = cast(config_lib.Perfect, directory.continued(kinds.of(config).complete(config)))
    splits = _splits(config, data_dir)
    base = precision.settled(config.base, devices)
    base = base.replace(data=base.data.replace(source=splits[0].source))
    config = config.replace(base=base)
    steps = {epochs: steps_of(config.base, epochs, splits[0].size) for epochs in config.epochs}
    with directory.locked():
        directory.continued(config)
        directory.write_config(config)
        rows = rows_lib.read_rows(directory.metrics)
        comparisons: list[str | int] = ["control", *config.epochs]
        missing = [one for one in comparisons if name(one) not in {row["against"] for row in rows}]
        if missing:
            progress.say(
                f"{config.name}: {len(missing)} fresh discriminators, {config.fresh.steps:,} updates each, against "
                f"{', '.join(map(name, missing))}"
            )
        for one in missing:
            generator: keras.Model | None = None
            if isinstance(one, int):
                stopped_by, generator = _frozen(config, directory.path / "run", steps[one], data_dir)
                if stopped_by is not None:
                    return Outcome(directory, None, stopped_by)
            new, stopped_by = _compared(config, one, generator, splits)
            if stopped_by is not None:
                return Outcome(directory, None, stopped_by)
            rows = [*rows, *new]
            rows_lib.rewrite_rows(directory.metrics, rows)
        found = drawing.metrics(rows)
        finding = drawing.finding(config, found)
        files.write_bytes(directory.path / "figure.png", plotting.png(drawing.picture, rows))
        protocol = _protocol(config, splits, steps)
        summary = results.summary(config, config.fresh.steps, found, protocol, device=devices_lib.description(devices))
        files.write_json(directory.results, {**summary, "finding": finding})
    return Outcome(directory, finding)


def name(one: str | int) -> str:
    """Returns what the rows call a comparison: `control`, or `epoch 10`.

    Example:
      >>> name(10)
      'epoch 10'
    """
    return one if isinstance(one, str) else f"epoch {one}"


def steps_of(base: config_lib.Training, epochs: int, size: int) -> int:
    """Returns the steps in which the discriminator of a game sees its `size` images `epochs` times, rounded down.

    Raises:
      InputError: It is not one step.

    Example:
      >>> from tfpaths import experiments
      >>> steps_of(experiments.get("color_mnist_ns"), 10, 60_000)
      9375
    """
    at_once = base.schedule.steps_per_execution
    images = base.schedule.batch_size * base.variant.discriminator_steps * at_once
    steps = epochs * size // images * at_once
    if steps == 0:
        raise errors.InputError(
            f"epochs: expected epochs of at least one step, received {epochs}, which is {epochs * size} images; a step "
            f"takes {images}."
        )
    return steps


def _splits(config: config_lib.Perfect, data_dir: str | None) -> tuple[Examples, Examples]:
    """Returns the training images and the held-out ones.

    Raises:
      InputError: The data set has no `test` split, or it is smaller than a batch of the control.
    """
    base, data_set = config.base, data.of(config.base.data)
    if "test" not in data_set.known_splits():
        raise errors.InputError(f"base.data: expected a data set with a test split, received {base.data.name!r}.")
    train, test = (
        data_set.load(split, source=base.data.source, seed=base.data.seed, data_dir=data_dir)
        for split in ("train", "test")
    )
    used = min(train.size, test.size) - held_out(config.fresh.examples, train, test)
    if base.schedule.batch_size > used:
        raise errors.InputError(
            f"base.schedule.batch_size: expected at most the {used} test images that the control trains on, received "
            f"{base.schedule.batch_size}."
        )
    return train, test


def held_out(examples: int, train: Examples, test: Examples) -> int:
    """Returns how many images of each split the control does not train on: `examples`, at most half of a split.

    Example: see `run`.
    """
    return min(examples, int(_HELD_OUT_SHARE * min(train.size, test.size)))


def _frozen(
    config: config_lib.Perfect, path: pathlib.Path, steps: int, data_dir: str | None
) -> tuple[signal.Signals | None, keras.Model | None]:
    """Trains the game up to a step; returns the signal that stopped it, or None, and its generator at that step."""
    base = config.base.replace(schedule=config.base.schedule.replace(steps=steps))
    outcome = training.train(base, path, data_dir=data_dir, strategy="one_device")
    if outcome.stopped_by is not None:
        return outcome.stopped_by, None
    return None, loading.load(path).gan.sampled_generator


def _compared(
    config: config_lib.Perfect,
    one: str | int,
    generator: keras.Model | None,
    splits: tuple[Examples, Examples],
) -> tuple[list[Row], signal.Signals | None]:
    """Trains one fresh discriminator; returns its rows, or the signal that stopped it before the end."""
    batch_size, steps = config.base.schedule.batch_size, config.fresh.steps
    epochs = one if isinstance(one, int) else 0
    stream = fresh.stream_of(config.seed, epochs)
    seed = int(stream.key[0]) & 0x3FFFFFFF
    gan = build.build(config.base.replace(seed=seed), splits[0].shape)
    if generator is None:
        pairs = _control(config.fresh.examples, batch_size, seed, splits)
    else:
        batches = iter(splits[0].batches(batch_size, seed=seed))
        sets = tuple(split.some(0, min(config.fresh.examples, split.size)) for split in splits)
        pairs = fresh.against_samples(generator, batches, batch_size, (sets[0], sets[1]), stream)
    discriminator = fresh.Discriminator(gan, generator, stream, config.fresh, batch_size)
    with StopOnSignal() as stop:

        def numbers() -> Iterator[int]:
            for number in progress.shown(range(steps), f"discriminator against {name(one)}:", steps):
                if stop.received is not None:
                    return
                yield number

        rows = [{"against": name(one), "epochs": epochs or None, **row} for row in discriminator.rows(pairs, numbers())]
    return (rows, None) if rows[-1]["step"] == steps else ([], stop.received)


def _control(examples: int, batch_size: int, seed: int, splits: tuple[Examples, Examples]) -> fresh.Pairs:
    """Returns the comparison of training images with test images: as many of both, some of both held out."""
    size, held = min(split.size for split in splits), held_out(examples, *splits)
    used = [_some(split, held, size) for split in splits]
    real, other = (iter(split.batches(batch_size, seed=seed + which)) for which, split in enumerate(used))
    trained = tuple(split.some(held, min(examples, size - held)) for split in splits)
    heldout = tuple(split.some(0, held) for split in splits)
    return fresh.Pairs(real, lambda _: next(other), (trained[0], trained[1]), (heldout[0], heldout[1]))


def _some(split: Examples, first: int, last: int) -> Examples:
    """Returns the examples `first` to `last` - 1 of the order of `Examples.some` as examples of their own."""
    order = np.random.default_rng(0).permutation(split.size)[first:last]
    positions = tf.constant(order)
    return dataclasses.replace(
        split,
        size=last - first,
        labels=split.labels[order],
        take=lambda which: split.take(tf.gather(positions, which)),
        made_of=(),
    )


def _protocol(config: config_lib.Perfect, splits: tuple[Examples, Examples], steps: dict[int, int]) -> dict[str, Any]:
    """Returns what the numbers depend on besides the variant and the networks."""
    train, test = splits
    return {
        "data": config.base.data.name,
        "data_version": data.of(config.base.data).version,
        "data_source": train.source,
        "batch_size": config.base.schedule.batch_size,
        "train_examples": train.size,
        "heldout_examples": test.size,
        "measured_examples": config.fresh.examples,
        "gradient_batches": config.fresh.batches,
        **{f"steps_of_epoch_{epochs}": count for epochs, count in steps.items()},
    }
