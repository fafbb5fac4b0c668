"""`export` writes a run's sampler as a SavedModel that needs TensorFlow only, and its networks for Keras."""

import pathlib
import re
import shlex
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpaths import data, errors, files, folders, schema
from tfpaths.runs import faults, loading, results
from tfpaths.runs.directory import RunDirectory

METADATA = "metadata.json"
# The files of an export, relative to it. A directory with others is not replaced.
_FILES = re.compile(
    r"(saved_model|fingerprint)\.pb|assets|assets/metadata\.json|variables|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|[^/]+\.keras"
)


class Sampler(tf.Module):
    """The functions and variables of an export, without any Keras object.

    Every function returns a mapping with one tensor, named by the plural of the example's type: `images`, `points`.

    Args:
      trained: The run.
      metadata: The file that becomes `assets/metadata.json`.

    Attributes:
      functions: The signatures for TensorFlow Serving, by name. They are also attributes of the object that
        `tf.saved_model.load` returns:
        serving_default: z from N(0, I), float32 `[num, latent_dim]` -> samples; images are float32 in [-1, 1];
        sample: num_samples, seed, int32 scalars -> the samples of `gan.sample(num_samples, seed=seed)`;
        sample_uint8: num_samples, seed -> the same as levels in [0, 255], uint8; for images only;
        latents: num_samples, seed, first -> `z`: latents of `sample` from index `first` on, a multiple of 4, to
          generate many samples in batches.

    Example: `model = tf.saved_model.load("runs/a/export")`, then `model.sample(num_samples=64, seed=0)["images"]`.
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

        def latents(num_samples, seed, first):
            return {"z": gan.sample_latents(num_samples, seed=seed, first=first)}

        from_first = [*counted, tf.TensorSpec([], tf.int32, "first")]
        takes: dict[Callable, list[tf.TensorSpec]] = {serving_default: [z], sample: counted, latents: from_first}
        if trained.example.name == "image":
            takes[sample_uint8] = counted
        self.functions = {
            function.__name__: tf.function(function, input_signature=specs, autograph=False)
            for function, specs in takes.items()
        }
        # TensorFlow's variables instead of Keras' wrappers, and only those that the functions use: the SavedModel can
        # then be loaded without Keras.
        used = [v for function in self.functions.values() for v in function.get_concrete_function().variables]
        self.weights = list({id(variable): variable for variable in used}.values())
        for name, function in self.functions.items():
            setattr(self, name, function)


def export(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes `<workdir>/export`, completely or not at all; an older export is replaced when the new one is complete.

    It contains the SavedModel, its `assets/metadata.json`, and the game's networks, such as `generator.keras` and
    `discriminator.keras`. The networks have Keras' built-in layers only: `keras.models.load_model` reads them in safe
    mode without this package. Custom layers stay as they are; register them before loading.

    Args:
      workdir: The run directory.

    Returns:
      The export's directory.

    Raises:
      InputError: The directory does not contain a trained run, another run is writing to it, or `export` has files that
        no export writes.

    Example: see `tfpaths.train` for a run directory.
    """
    trained = loading.load(workdir)
    directory = RunDirectory(trained.path)
    _check_replaceable(directory.export)
    with (
        faults.explained(tf.distribute.get_strategy(), lambda: "Nothing was written.", again=""),
        files.named(directory.export),
        directory.locked(),
        folders.replaced_directory(directory.export) as folder,
        tempfile.TemporaryDirectory() as beside,
    ):
        metadata = pathlib.Path(beside) / METADATA
        files.write_json(metadata, describe(trained))
        sampler = Sampler(trained, metadata)
        # TensorFlow would make them with permissions that the umask only reduces: never writable for the group.
        for name in ("assets", "variables"):
            (folder / name).mkdir()
        tf.saved_model.save(sampler, str(folder), signatures=sampler.functions)
        for name, network in trained.gan.networks.items():
            portable(network).save(folder / f"{name}.keras")
    return directory.export


def _check_replaceable(path: pathlib.Path) -> None:
    """Checks that a directory has an export's files only; or that it is absent."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise errors.InputError(
            f"expected a directory that an export can replace, received {str(path)!r}, a file or a link."
        )
    others = sorted(name for file in path.rglob("*") if not _FILES.fullmatch(name := file.relative_to(path).as_posix()))
    if others:
        raise errors.InputError(
            f"{path}: has files that are not an export's and would be deleted: {', '.join(others[:3])}"
            f"{', …' if len(others) > 3 else ''}. To fix this: move them elsewhere."
        )


def restore(path: pathlib.Path) -> None:
    """Puts back the export at `path` if a process was killed while it replaced it.

    Args:
      path: The directory of the export, as in `<workdir>/export`; of any other path nothing is changed.

    Raises:
      InputError: Another process is replacing it at this moment.

    Example:
      >>> files.write_bytes(pathlib.Path("a/config.json"), b"{}")
      >>> path = pathlib.Path("a/export")
      >>> files.write_bytes(folders.set_aside(path) / "saved_model.pb", b"")
      >>> restore(path)
      >>> path.exists()
      True
    """
    directory = RunDirectory(path.parent)
    if path == directory.export and not path.exists() and folders.set_aside(path).exists():
        with directory.locked():
            folders.restore_directory(path)


def describe(trained: loading.Trained) -> dict[str, Any]:
    """Returns the content of `metadata.json`; `results` is None if there are no results of the exported step."""
    stored = results.read_results(RunDirectory(trained.path).results)
    return {
        "experiment": trained.config.name,
        "step": trained.step,
        "example": trained.example.name,
        "example_shape": list(data.of(trained.config.data).shape),
        "config": schema.to_dict(trained.config),
        "versions": results.versions(),
        "results": stored if stored is not None and stored["step"] == trained.step else None,
    }


def portable(model: keras.Model) -> keras.Model:
    """Returns an equal model with Keras' built-in layers in place of this package's, which differ in speed only.

    Example:
      >>> from tfpaths.networks import fast
      >>> model = keras.Sequential([keras.Input((2,)), fast.FastLeakyReLU(0.2)])
      >>> type(portable(model).layers[0]).__name__
      'LeakyReLU'
    """

    def replaced(layer):
        return layer.as_keras() if hasattr(layer, "as_keras") else type(layer).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=replaced)
    clone.set_weights(model.get_weights())
    return clone


def message(folder: pathlib.Path) -> str:
    """Returns the summary of an export for a terminal: its path and how to use it.

    Example:
      >>> files.write_json(pathlib.Path("export/assets") / METADATA, {"example": "image"})
      >>> print(message(pathlib.Path("export")))
      Exported: export
        sample     model = tf.saved_model.load('export'); model.sample(num_samples=64, seed=0)['images']
        serve      docker run -p 8501:8501 -v ...
    """
    plural = f"{files.read_json(folder / 'assets' / METADATA)['example']}s"
    mounted = shlex.quote(f"{folder.absolute()}:/models/gan/1")
    lines = {
        # In two statements: a model without a reference is deleted before its function runs.
        "sample": f"model = tf.saved_model.load({str(folder)!r}); model.sample(num_samples=64, seed=0)['{plural}']",
        "serve": f"docker run -p 8501:8501 -v {mounted} -e MODEL_NAME=gan tensorflow/serving",
    }
    return "\n".join([f"Exported: {folder}", *(f"  {name:<11}{value}" for name, value in lines.items())])
