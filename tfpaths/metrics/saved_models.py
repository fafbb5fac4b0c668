"""SavedModels as feature extractors: Inception from TF-Hub, a local copy of it, or any model with the same outputs."""

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpaths import errors, files
from tfpaths.compat.tfgan import tfgan
from tfpaths.data import prepared

# The widths of the outputs of TF-GAN's Inception; every model that is called Inception must have them.
INCEPTION_CLASSES, INCEPTION_FEATURES = 1008, 2048
_FIELDS = (tfgan.eval.INCEPTION_OUTPUT, tfgan.eval.INCEPTION_FINAL_POOL)

Outputs = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
Size = tuple[int, int]


def load(name: str, *, is_inception: bool) -> tuple[Outputs, str]:
    """Loads a model that maps images `[batch, height, width, 3]` in [-1, 1] to the outputs `logits` and `pool_3`.

    Images are resized bilinearly to the size that the model requires: 299×299 for Inception.

    Args:
      name: `inception` for TF-GAN's model from TF-Hub, otherwise the directory of a SavedModel.
      is_inception: Whether the model must have Inception's 1,008 logits and 2,048 features.

    Returns:
      The function images -> (logits `[batch, classes]`, features `[batch, dimensions]`), and text that identifies the
      model and the resizing, for cache keys.

    Raises:
      InputError: The directory has no SavedModel, the model cannot be called, or its outputs are different.

    Example: `tfpaths.metrics.extractors.get` saves and loads a model.
    """
    if name == "inception":
        handle, content = tfgan.eval.INCEPTION_TFHUB, "tfhub"
    else:
        path = directory(name)
        handle, content = str(path), _checksum(path)
    import tensorflow_hub

    try:
        loaded = tensorflow_hub.load(handle)
    except Exception as error:  # A truncated SavedModel can raise any exception of its readers.
        raise errors.InputError(
            f"evaluation.extractor: expected a SavedModel, received {name!r}: {files.reason(error)}."
        ) from error
    call, size = _callable(loaded, name)
    size = size or ((tfgan.eval.INCEPTION_DEFAULT_IMAGE_SIZE,) * 2 if is_inception else None)

    def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if size is not None and tuple(images.shape[1:3]) != size:
            images = tf.image.resize(images, size)
        values = call(images)
        # pool_3 may be [batch, 1, 1, dimensions], as in Inception.
        logits, features = (tf.reshape(values[field], [tf.shape(images)[0], -1]) for field in _FIELDS)
        return logits, features

    _check_outputs(outputs, name, size, is_inception)
    return outputs, f"{content}-bilinear-{size}"


def check_hub() -> None:
    """Checks that Inception is in TF-Hub's cache, or that TF-Hub answers.

    Raises:
      InputError: Neither is the case.
    """
    from tensorflow_hub import resolver

    handle = tfgan.eval.INCEPTION_TFHUB
    # TF-Hub names the directory of a cached model by the SHA-1 of its address.
    cached = pathlib.Path(resolver.tfhub_cache_dir(use_temp=True), hashlib.sha1(handle.encode()).hexdigest())
    if not cached.is_dir() and not prepared.reachable(handle):
        raise errors.InputError(
            f"evaluation.extractor: Inception is not available: {handle} does not answer. To fix this: use a local "
            "copy (--set evaluation.extractor=inception:DIRECTORY), a cache that holds it (TFHUB_CACHE_DIR), or other "
            "metrics (--set evaluation.metrics=ms_ssim,critic)."
        )


def directory(name: str) -> pathlib.Path:
    """Returns the path of a SavedModel's directory, with `~` expanded.

    Raises:
      InputError: The directory has no SavedModel.

    Example:
      >>> directory("runs")
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: ... expected a directory with a saved_model.pb, received 'runs', which has none.
    """
    path = files.path(name)
    if not (path / "saved_model.pb").is_file():
        raise errors.InputError(
            f"evaluation.extractor: expected a directory with a saved_model.pb, received {name!r}, which has none."
        )
    return path


def _checksum(path: pathlib.Path) -> str:
    """Returns a checksum of the names and contents of all files in a directory."""
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(str(file.relative_to(path)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _callable(loaded: Any, name: str) -> tuple[Callable[[tf.Tensor], Any], Size | None]:
    """Returns the function images -> outputs by name, and the image size that it requires, None if it has none."""
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    if not callable(loaded) and signature is None:
        raise errors.InputError(
            f"evaluation.extractor: expected a SavedModel that can be called, received {name!r}, which has neither a "
            "call nor the signature 'serving_default'."
        )
    size = None
    if signature is not None:
        argument, spec = next(iter(signature.structured_input_signature[1].items()))
        # spec.shape: [batch, height, width, 3]
        if spec.shape.rank == 4 and None not in spec.shape[1:3]:
            size = tuple(spec.shape[1:3])
    if callable(loaded):
        return loaded, size
    # The closure holds `loaded`: a signature alone does not keep the model's variables alive.
    return lambda images: loaded.signatures["serving_default"](**{argument: images}), size


def _check_outputs(outputs: Outputs, name: str, size: Size | None, is_inception: bool) -> None:
    try:
        shapes = [tuple(value.shape) for value in outputs(tf.zeros([2, *(size or (32, 32)), 3]))]
    except Exception as error:  # A model with another interface can raise any exception.
        raise errors.InputError(
            f"evaluation.extractor: expected a model of images [batch, height, width, 3] with the outputs "
            f"{' and '.join(_FIELDS)}, received {name!r}: {files.reason(error)}."
        ) from error
    if is_inception and shapes != [(2, INCEPTION_CLASSES), (2, INCEPTION_FEATURES)]:
        raise errors.InputError(
            f"evaluation.extractor: expected Inception's {INCEPTION_CLASSES} logits and {INCEPTION_FEATURES} features, "
            f"received {name!r}, which has {shapes[0][1]} and {shapes[1][1]}. To fix this: leave out 'inception:'; the "
            "scores are then called classifier score, not IS, and so on."
        )
