"""`export` writes a run's sampler as a SavedModel that needs TensorFlow only, and its networks for Keras."""

import pathlib
import re
import shlex
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfpaths import data, errors, files, folders, schema, streams
from tfpaths.compat.tensorflow import save_without_custom_gradients
from tfpaths.runs import faults, loading, results
from tfpaths.runs.directory import RunDirectory

METADATA = "metadata.json"
# What the signature `sample` of a game that refines takes besides; the metadata have the config's values.
_REFINING = ("refine_steps", "step_size")
# The files of an export, relative to it. A directory with others is not replaced.
_FILES = re.compile(
    r"(saved_model|fingerprint)\.pb|assets|assets/metadata\.json|variables|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|[^/]+\.keras"
)


class Sampler(tf.Module):
    """The functions and variables of an export, without any Keras object.

    Every function returns a mapping with one tensor, named by the plural of the example's type: `images`, `points`,
    `texts`.

    Args:
      trained: The run.
      metadata: The file that becomes `assets/metadata.json`.

    Attributes:
      functions: The signatures for TensorFlow Serving, by name. They are also attributes of the object that
        `tf.saved_model.load` returns:
        serving_default: z from N(0, I), float32 `[num, latent_dim]` -> samples; images are float32 in [-1, 1];
        sample: num_samples, seed, int32 scalars -> the samples of `gan.sample(num_samples, seed=seed)`;
        sample_uint8: num_samples, seed -> the same as levels in [0, 255], uint8; for images only;
        sample_string: num_samples, seed -> the same as strings in UTF-8, `[num]`; for texts only;
        refined: z, refine_steps, step_size -> samples of these latents, refined; for the game `dcd` only, whose
          other signatures of samples take refine_steps, int32, and step_size, float32, too;
        latents: num_samples, seed, first -> `z`: latents of `sample` from index `first` on, a multiple of 4, to
          generate many samples in batches.

    Example: `model = tf.saved_model.load("runs/a/export")`, then `model.sample(num_samples=64, seed=0)["images"]`.
    """

    def __init__(self, trained: loading.Trained, metadata: pathlib.Path):
        super().__init__()
        gan, kind = trained.gan, trained.example
        plural = f"{kind.name}s"
        self.metadata = tf.saved_model.Asset(str(metadata))
        counted = [tf.TensorSpec([], tf.int32, name) for name in ("num_samples", "seed")]
        refining = [tf.TensorSpec([], tf.int32, "refine_steps"), tf.TensorSpec([], tf.float32, "step_size")]
        z = tf.TensorSpec([None, *gan.latent_shape], tf.float32, "z")

        def serving_default(z):
            return {plural: gan.generate(z)}

        def refined(z, refine_steps, step_size):
            return {plural: gan.refined(z, refine_steps, step_size)}

        def latents(num_samples, seed, first):
            return {"z": gan.sample_latents(num_samples, seed=seed, first=first)}

        def sample(num_samples, seed):
            return {plural: gan.sample(num_samples, seed=seed)}

        def sample_refined(num_samples, seed, refine_steps, step_size):
            return refined(gan.sample_latents(num_samples, seed=seed), refine_steps, step_size)

        def sample_read(num_samples, seed):
            return {plural: kind.read(sample(num_samples, seed)[plural])}

        def sample_refined_read(num_samples, seed, refine_steps, step_size):
            return {plural: kind.read(sample_refined(num_samples, seed, refine_steps, step_size)[plural])}

        takes: dict[str, tuple[Callable, list[tf.TensorSpec]]] = {
            "serving_default": (serving_default, [z]),
            "sample": (sample_refined, [*counted, *refining]) if gan.refinement else (sample, counted),
            "latents": (latents, [*counted, tf.TensorSpec([], tf.int32, "first")]),
        }
        if gan.refinement:
            takes["refined"] = refined, [z, *refining]
        if kind.readable is not None:
            read = sample_refined_read if gan.refinement else sample_read
            takes[f"sample_{kind.readable}"] = (read, takes["sample"][1])
        self.functions = {
            name: tf.function(function, input_signature=specs, autograph=False)
            for name, (function, specs) in takes.items()
        }
        # TensorFlow's variables instead of Keras' wrappers, and only those that the functions use: the SavedModel can
        # then be loaded without Keras.
        with streams.portable():
            used = [v for function in self.functions.values() for v in function.get_concrete_function().variables]
        self.weights = list({id(variable): variable for variable in used}.values())
        for name, function in self.functions.items():
            setattr(self, name, function)


def export(workdir: str | pathlib.Path, *, member: int | None = None) -> pathlib.Path:
    """Writes `<workdir>/export`, completely or not at all; an older export is replaced when the new one is complete.

    It contains the SavedModel, its `assets/metadata.json`, and the game's networks, such as `generator.keras` and
    `discriminator.keras`; of the game `mix`, `generator_0.keras` and so on. The networks have Keras' built-in layers
    only: `keras.models.load_model` reads them in safe mode without this package. Custom layers stay as they are;
    register them before loading.

    Args:
      workdir: The run directory.
      member: The only generator of the game `mix` that the samples come from; None for all of them.

    Returns:
      The export's directory.

    Raises:
      InputError: The directory does not contain a trained run, another run is writing to it, or `export` has files that
        no export writes.

    Example: see `tfpaths.train` for a run directory.
    """
    trained = loading.load(workdir, member=member)
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
        save_without_custom_gradients(sampler, folder, sampler.functions)
        for name, network in trained.gan.exported.items():
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
    stored, gan = results.read_results(RunDirectory(trained.path).results), trained.gan
    return {
        "experiment": trained.config.name,
        "step": trained.step,
        "example": trained.example.name,
        "example_shape": list(data.of(trained.config.data).shape),
        **trained.example.facts,
        **({} if gan.member is None else {"member": gan.member}),
        # How the game refines its samples: the defaults of the signature `sample`.
        **gan.refinement,
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
    for layer, copy in zip(model.layers, clone.layers, strict=True):
        copy.set_weights(layer.keras_weights() if hasattr(layer, "keras_weights") else layer.get_weights())
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
    metadata = files.read_json(folder / "assets" / METADATA)
    plural = f"{metadata['example']}s"
    values = {"num_samples": 64, "seed": 0} | {name: metadata[name] for name in _REFINING if name in metadata}
    how = ", ".join(f"{name}={value}" for name, value in values.items())
    mounted = shlex.quote(f"{folder.absolute()}:/models/gan/1")
    name = "sample_string" if metadata["example"] == "text" else "sample"
    lines = {
        # In two statements: a model without a reference is deleted before its function runs.
        "sample": f"model = tf.saved_model.load({str(folder)!r}); model.{name}({how})['{plural}']",
        "serve": f"docker run -p 8501:8501 -v {mounted} -e MODEL_NAME=gan tensorflow/serving",
    }
    return "\n".join([f"Exported: {folder}", *(f"  {name:<11}{value}" for name, value in lines.items())])
