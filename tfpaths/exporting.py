"""`export`: a run's generator as a SavedModel that TensorFlow alone loads and samples, and both networks for Keras."""

import contextlib
import os
import pathlib
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import loading, results
from tfpaths.networks import layers

METADATA = "metadata.json"


class Sampler(tf.Module):
    """A generator's weights and what is computed from them, without any object of Keras'.

    Attributes:
      functions: by name, what TensorFlow Serving calls; in Python each is an attribute of what `tf.saved_model.load`
        gives, too:
        serving_default: z `[num, latent_dim]` float32, from N(0, I) -> images `[num, height, width, channels]` float32
          in [-1, 1];
        sample: num_samples, seed, int32 scalars -> images; those of `gan.sample(num_samples, seed=seed)`;
        sample_uint8: the same in levels 0 to 255, uint8;
        latents: num_samples, seed -> the z of `sample`, for who wants many images in batches.
    """

    def __init__(self, trained: loading.Trained, metadata: pathlib.Path):
        super().__init__()
        gan, generator = trained.gan, trained.gan.generator
        # The variables below Keras' own: the SavedModel then holds nothing that asks for Keras when it is read.
        self.weights = [variable.value for variable in generator.variables]
        self.metadata = tf.saved_model.Asset(str(metadata))
        counted = [tf.TensorSpec([], tf.int32, name) for name in ("num_samples", "seed")]
        z = tf.TensorSpec(generator.input_shape, tf.float32, "z")

        def serving_default(z):
            return {"images": generator(z, training=False)}

        def sample(num_samples, seed):
            return {"images": gan.sample(num_samples, seed=seed)}

        def sample_uint8(num_samples, seed):
            levels = tf.round((gan.sample(num_samples, seed=seed) + 1.0) * 127.5)
            return {"images": tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)}

        def latents(num_samples, seed):
            return {"z": gan.sample_latents(num_samples, seed=seed)}

        taken: dict[Callable, list[tf.TensorSpec]] = {serving_default: [z]}
        taken |= dict.fromkeys((sample, sample_uint8, latents), counted)
        self.functions = {
            function.__name__: tf.function(function, input_signature=specs) for function, specs in taken.items()
        }
        for name, function in self.functions.items():
            setattr(self, name, function)


def export(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes `<workdir>/export`: all of it, or nothing. What was there before is replaced once the new one is whole.

    Beside the SavedModel and its `assets/metadata.json` stand `generator.keras` and `discriminator.keras`, of Keras'
    own layers alone, so that `keras.models.load_model` reads them in safe mode without this package. (Networks of
    one's own keep their layers, which whoever loads them must register.)

    Args:
      workdir: the run directory.

    Returns:
      The folder.

    Raises:
      InputError: the directory is not that of a trained run on images, or another run is writing to it.
    """
    trained = loading.load(workdir)
    directory = results.RunDirectory(trained.path)
    with directory.locked(), _whole(directory.export) as folder, tempfile.TemporaryDirectory() as beside:
        metadata = pathlib.Path(beside) / METADATA
        results.write_json(metadata, describe(trained))
        sampler = Sampler(trained, metadata)
        tf.saved_model.save(sampler, str(folder), signatures=sampler.functions)
        for name in ("generator", "discriminator"):
            portable(getattr(trained.gan, name)).save(folder / f"{name}.keras")
    return directory.export


def describe(trained: loading.Trained) -> dict[str, Any]:
    """What `metadata.json` says; `results` is none where the run was not measured at the step that is exported."""
    known = results.read_results(results.RunDirectory(trained.path).results)
    return {
        "experiment": trained.config.name,
        "step": trained.step,
        "image_shape": list(trained.gan.generator.output_shape[1:]),
        "config": config_lib.to_dict(trained.config),
        "versions": results.versions(),
        "results": known if known is not None and known["step"] == trained.step else None,
    }


def portable(model: keras.Model) -> keras.Model:
    """The same function of Keras' own layers: ours differ in speed alone, and ask for this package."""

    def replaced(layer):
        kind = type(layer)
        # Ours have the names and the settings of Keras' own.
        kind = getattr(keras.layers, kind.__name__) if kind.__module__ == layers.__name__ else kind
        return kind.from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=replaced)
    clone.set_weights(model.get_weights())
    return clone


def farewell(folder: pathlib.Path) -> str:
    """The last lines of an export: where it is, and how it is used."""
    mounted = shlex.quote(f"{folder.absolute()}:/models/gan/1")
    lines = {
        # In two steps: a model that nobody holds is gone before it is called.
        "sample": f"model = tf.saved_model.load({str(folder)!r}); model.sample(num_samples=64, seed=0)['images']",
        "serve": f"docker run -p 8501:8501 -v {mounted} -e MODEL_NAME=gan tensorflow/serving",
    }
    return "\n".join([f"Exported: {folder}", *(f"  {name:<11}{value}" for name, value in lines.items())])


@contextlib.contextmanager
def _whole(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A neighbouring folder to fill, which takes the place of `target` where nothing goes wrong."""
    for left in target.parent.glob(f".{target.name}.*"):  # by a kill
        shutil.rmtree(left)
    new = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new."))
    try:
        # mkdtemp's own mode hides the folder from everybody else.
        new.chmod(0o755)
        yield new
        old = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
        if target.exists():
            os.rename(target, old)
        os.rename(new, target)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old)
