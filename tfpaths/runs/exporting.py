"""`export`: a run's sampler as a SavedModel that TensorFlow alone loads, and its networks for Keras."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfpaths import data, files, schema
from tfpaths.runs import loading, results
from tfpaths.runs.directory import RunDirectory

METADATA = "metadata.json"


class Sampler(tf.Module):
    """What a run's samples are computed from, without any object of Keras'.

    Samples are named by what one of them is, in the plural: `images`, `points`.

    Attributes:
      functions: By name, what TensorFlow Serving calls; in Python each is an attribute of what `tf.saved_model.load`
        gives, too:
        serving_default: z `[num, latent_dim]` float32, from N(0, I) -> samples; images are float32 in [-1, 1];
        sample: num_samples, seed, int32 scalars -> samples; those of `gan.sample(num_samples, seed=seed)`;
        sample_uint8: For images, the same in levels 0 to 255, uint8;
        latents: num_samples, seed -> the z of `sample`, for many samples in batches.
    """

    def __init__(self, trained: loading.Trained, metadata: pathlib.Path):
        super().__init__()
        gan = trained.gan
        plural = f"{trained.example.name}s"
        self.metadata = tf.saved_model.Asset(str(metadata))
        counted = [tf.TensorSpec([], tf.int32, name) for name in ("num_samples", "seed")]
        z = tf.TensorSpec([None, *gan.latent_shape], tf.float32, "z")

        def serving_default(z):
            return {plural: gan.generate(z)}

        def sample(num_samples, seed):
            return {plural: gan.sample(num_samples, seed=seed)}

        def sample_uint8(num_samples, seed):
            levels = tf.round((gan.sample(num_samples, seed=seed) + 1.0) * 127.5)
            return {plural: tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)}

        def latents(num_samples, seed):
            return {"z": gan.sample_latents(num_samples, seed=seed)}

        takes: dict[Callable, list[tf.TensorSpec]] = {serving_default: [z], sample: counted, latents: counted}
        if trained.example.name == "image":
            takes[sample_uint8] = counted
        self.functions = {
            function.__name__: tf.function(function, input_signature=specs, autograph=False)
            for function, specs in takes.items()
        }
        # The variables below Keras' own, and of those only what samples depend on: the SavedModel then holds nothing
        # that asks for Keras when it is read.
        used = [v for function in self.functions.values() for v in function.get_concrete_function().variables]
        self.weights = list({id(variable): variable for variable in used}.values())
        for name, function in self.functions.items():
            setattr(self, name, function)


def export(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes `<workdir>/export`: all of it, or nothing. An older export is replaced once the new one is whole.

    Beside the SavedModel and its `assets/metadata.json` are the game's networks, such as `generator.keras` and
    `discriminator.keras`, of Keras' own layers alone, so that `keras.models.load_model` reads them in safe mode without
    this package. (Networks with layers of your own keep them; whoever loads them must register them.)

    Args:
      workdir: The run directory.

    Returns:
      The export's directory.

    Raises:
      InputError: The directory is not that of a trained run, or another run is writing to it.
    """
    trained = loading.load(workdir)
    directory = RunDirectory(trained.path)
    with directory.locked(), _whole(directory.export) as folder, tempfile.TemporaryDirectory() as beside:
        metadata = pathlib.Path(beside) / METADATA
        files.write_json(metadata, describe(trained))
        sampler = Sampler(trained, metadata)
        tf.saved_model.save(sampler, str(folder), signatures=sampler.functions)
        for name, network in trained.gan.networks.items():
            portable(network).save(folder / f"{name}.keras")
    return directory.export


def describe(trained: loading.Trained) -> dict[str, Any]:
    """Returns the content of `metadata.json`; `results` is None if the run was not measured at the exported step."""
    known = results.read_results(RunDirectory(trained.path).results)
    return {
        "experiment": trained.config.name,
        "step": trained.step,
        "example": trained.example.name,
        "example_shape": list(data.of(trained.config.data).shape),
        "config": schema.to_dict(trained.config),
        "versions": results.versions(),
        "results": known if known is not None and known["step"] == trained.step else None,
    }


def portable(model: keras.Model) -> keras.Model:
    """Returns the same function of Keras' own layers: ours differ in speed alone, and ask for this package."""

    def replaced(layer):
        return layer.as_keras() if hasattr(layer, "as_keras") else type(layer).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=replaced)
    clone.set_weights(model.get_weights())
    return clone


def message(folder: pathlib.Path) -> str:
    """Returns the last lines of an export: where it is, and how it is used."""
    plural = f"{json.loads((folder / 'assets' / METADATA).read_text())['example']}s"
    mounted = shlex.quote(f"{folder.absolute()}:/models/gan/1")
    lines = {
        # In two steps: a model that nobody holds is gone before it is called.
        "sample": f"model = tf.saved_model.load({str(folder)!r}); model.sample(num_samples=64, seed=0)['{plural}']",
        "serve": f"docker run -p 8501:8501 -v {mounted} -e MODEL_NAME=gan tensorflow/serving",
    }
    return "\n".join([f"Exported: {folder}", *(f"  {name:<11}{value}" for name, value in lines.items())])


@contextlib.contextmanager
def _whole(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new directory beside `target`, which replaces it if no error is raised."""
    for left in target.parent.glob(f".{target.name}.*"):  # Left by a kill.
        shutil.rmtree(left)
    new = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new."))
    try:
        # mkdtemp makes a directory that only its owner can read.
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
