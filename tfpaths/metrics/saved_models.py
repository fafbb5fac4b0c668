"""Inception from TF-Hub or from a directory, and any other SavedModel with its outputs."""

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpaths import errors, files
from tfpaths.compat.tfgan import tfgan
from tfpaths.data import prepared

# The outputs of TF-GAN's Inception, and of every copy that is called Inception.
INCEPTION_CLASSES, INCEPTION_FEATURES = 1008, 2048
_FIELDS = (tfgan.eval.INCEPTION_OUTPUT, tfgan.eval.INCEPTION_FINAL_POOL)

Outputs = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
Size = tuple[int, int]


def load(name: str, *, is_inception: bool) -> tuple[Outputs, str]:
    """Loads a model that maps images `[batch, height, width, 3]` in [-1, 1] to `logits` and `pool_3`.

    Images are resized, bilinearly, to the size that the model requires; Inception's is 299×299, as it was trained.

    Args:
      name: `inception` for TF-GAN's from TF-Hub, otherwise the directory of a SavedModel.
      is_inception: Whether it must have Inception's 1,008 logits and 2,048 features.

    Returns:
      Images -> (logits `[batch, classes]`, features `[batch, dimensions]`), and a key for what they depend on.

    Raises:
      InputError: It is no such model.
    """
    if name == "inception":
        handle, content = tfgan.eval.INCEPTION_TFHUB, "tfhub"
    else:
        path = directory(name)
        handle, content = str(path), _checksum(path)
    import tensorflow_hub

    try:
        loaded = tensorflow_hub.load(handle)
    except Exception as error:  # A torn SavedModel shows as any exception of any of its readers.
        raise errors.InputError(
            f"evaluation.extractor: expected a SavedModel, received {name!r}: {files.reason(error)}."
        ) from error
    call, size = _callable(loaded, name)
    size = size or ((tfgan.eval.INCEPTION_DEFAULT_IMAGE_SIZE,) * 2 if is_inception else None)

    def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if size is not None and tuple(images.shape[1:3]) != size:
            images = tf.image.resize(images, size)
        values = call(images)
        logits, features = (tf.reshape(values[field], [tf.shape(images)[0], -1]) for field in _FIELDS)
        return logits, features

    _check_outputs(outputs, name, size, is_inception)
    return outputs, f"{content}-bilinear-{size}"


def check_hub() -> None:
    """Refuses Inception if neither TF-Hub's cache nor its server has it.

    Raises:
      InputError: It is not available; the message says what to do.
    """
    from tensorflow_hub import resolver

    handle = tfgan.eval.INCEPTION_TFHUB
    cached = pathlib.Path(resolver.tfhub_cache_dir(use_temp=True), hashlib.sha1(handle.encode()).hexdigest())
    if not cached.is_dir() and not prepared.reachable(handle):
        raise errors.InputError(
            f"evaluation.extractor: Inception is not available: {handle} does not answer. To fix this: use a local "
            "copy (--set evaluation.extractor=inception:DIRECTORY), a cache that holds it (TFHUB_CACHE_DIR), or other "
            "metrics (--set evaluation.metrics=ms_ssim,critic)."
        )


def directory(name: str) -> pathlib.Path:
    """Returns the directory of a SavedModel.

    Raises:
      InputError: It holds none.
    """
    path = pathlib.Path(name).expanduser()
    if not (path / "saved_model.pb").is_file():
        raise errors.InputError(
            f"evaluation.extractor: expected a directory with a saved_model.pb, received {name!r}, which has none."
        )
    return path


def _checksum(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(str(file.relative_to(path)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _callable(loaded: Any, name: str) -> tuple[Callable[[tf.Tensor], Any], Size | None]:
    """What maps images to the named outputs, and the size of images that it requires, if it requires one."""
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    if not callable(loaded) and signature is None:
        raise errors.InputError(
            f"evaluation.extractor: expected a SavedModel that can be called, received {name!r}, which has neither a "
            "call nor the signature 'serving_default'."
        )
    size = None
    if signature is not None:
        argument, spec = next(iter(signature.structured_input_signature[1].items()))
        if spec.shape.rank == 4 and None not in spec.shape[1:3]:
            size = tuple(spec.shape[1:3])
    if callable(loaded):
        return loaded, size
    # Looked up in the model each time: a signature alone does not keep the model's variables.
    return lambda images: loaded.signatures["serving_default"](**{argument: images}), size


def _check_outputs(outputs: Outputs, name: str, size: Size | None, is_inception: bool) -> None:
    try:
        shapes = [tuple(value.shape) for value in outputs(tf.zeros([2, *(size or (32, 32)), 3]))]
    except Exception as error:  # Another interface shows as whatever its first operation stumbles over.
        raise errors.InputError(
            f"evaluation.extractor: expected a model of images [batch, height, width, 3] with the outputs "
            f"{' and '.join(_FIELDS)}, received {name!r}: {files.reason(error)}."
        ) from error
    if is_inception and shapes != [(2, INCEPTION_CLASSES), (2, INCEPTION_FEATURES)]:
        raise errors.InputError(
            f"evaluation.extractor: expected Inception's {INCEPTION_CLASSES} logits and {INCEPTION_FEATURES} features, "
            f"received {name!r}, which gives {shapes[0][1]} and {shapes[1][1]}; without 'inception:' its scores have "
            "the classifier's names."
        )
