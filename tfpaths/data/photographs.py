"""CIFAR-10 and CelebA through TFDS, and any folder of images."""

import concurrent.futures
import os
import pathlib

import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from tfpaths import config
from tfpaths.data import prepared
from tfpaths.data.images import Images, scaled

CELEBA_CROP, CELEBA_SIZE = 160, 64
_CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_CELEBA_URL = "https://drive.google.com"


def cifar10(split: str, data_dir: str | None) -> Images:
    """CIFAR-10: 32×32×3, its labels the 10 classes. The last tenth of its training images is the validation split."""
    config.choose("split of cifar10", split, ("train", "validation", "test"))
    pixels, others = _tfds("cifar10", "test" if split == "test" else "train", data_dir, _CIFAR10_URL)
    held_out = len(pixels) // 10
    part = {"train": slice(-held_out), "validation": slice(-held_out, None), "test": slice(None)}[split]
    return in_memory("cifar10", split, "tfds", pixels[part], others["label"][part])


def celeba(split: str, data_dir: str | None) -> Images:
    """CelebA, aligned: the central 160×160 of 218×178, reduced to 64×64. It has no modes: all labels are 0.

    The paper states 64×64; the crop is ours. It leaves the whole face and little else.
    """

    def prepare(image: tf.Tensor) -> tf.Tensor:
        image = tf.image.resize_with_crop_or_pad(image, CELEBA_CROP, CELEBA_CROP)
        # Antialiased: without it a reduction by 2.5 keeps one pixel of six and hair turns to noise.
        small = tf.image.resize(image, (CELEBA_SIZE, CELEBA_SIZE), antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(small), 0, 255), tf.uint8)

    pixels, _ = _tfds("celeb_a", split, data_dir, _CELEBA_URL, prepare)
    return in_memory("celeba", split, "tfds", pixels, np.zeros(len(pixels), np.int64))


def folder(path: str | None, split: str, image_size: int) -> Images:
    """All images below a folder: the central square of each, reduced or enlarged to `image_size`, in RGB.

    Every file that is not hidden is read. Those that are no images are counted and named in a warning, and their number
    stands in the results. The order is that of the sorted paths; the labels are 0. A folder with a sub-folder `train`
    has the splits that it has sub-folders `train`, `validation` and `test` for; any other is all of it `train`.

    Raises:
      InputError: no folder is named, there is none of that name, or it has no image.
    """
    if not path:
        raise config.InputError("data.path: expected a folder of images, received none; give --set data.path=FOLDER.")
    place = pathlib.Path(path).expanduser()
    if not place.is_dir():
        raise config.InputError(f"data.path: expected a folder of images, received {path!r}, which is not a folder.")
    config.choose(f"split of the folder {path}", split, splits_of(path))
    if (place / "train").is_dir():
        place = place / split
    files = sorted(p for p in place.rglob("*") if p.is_file() and not any(_hidden(p, place)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        read = pool.map(lambda file: _read(file, image_size), files)
        images = list(
            tqdm.tqdm(read, total=len(files), desc=f"reading {place.name}", delay=5, leave=False, disable=None)
        )
    bad = [file for file, image in zip(files, images, strict=True) if image is None]
    good = [image for image in images if image is not None]
    names = ", ".join(str(file.relative_to(place)) for file in bad[:5]) + (", …" if len(bad) > 5 else "")
    if not good:
        found = f"{len(bad)} files that are none: {names}" if bad else "no file"
        raise config.InputError(f"data.path: expected a folder with images, received {path!r}, which has {found}.")
    if bad:
        logging.warning("%d of %d files in %s cannot be read as images: %s", len(bad), len(files), place, names)
    labels = np.zeros(len(good), np.int64)
    return in_memory("folder", split, "folder", np.stack(good), labels, unreadable_files=len(bad))


def splits_of(path: str) -> list[str]:
    """The splits of a folder: its sub-folders of their names where `train` is one of them, else `train` alone."""
    place = pathlib.Path(path).expanduser()
    found = [name for name in ("train", "validation", "test") if (place / name).is_dir()]
    return found if "train" in found else ["train"]


def in_memory(name: str, split: str, source: str, pixels: np.ndarray, labels: np.ndarray, **notes: int) -> Images:
    """A data set of uint8 pixels `[size, height, width, channels]`."""
    with tf.device("CPU"):
        # The pixels stay outside the graph: a captured tensor is shared, a constant would be copied into each trace.
        stored = tf.constant(pixels)

    def take(positions: tf.Tensor) -> tf.Tensor:
        return scaled(tf.gather(stored, positions))

    size, height, width, channels = pixels.shape
    return Images(name, split, source, (height, width, channels), size, labels, take, notes=notes)


def _tfds(name, split, data_dir, url, prepare=None):
    place = prepared.folder_of(data_dir)
    version = prepared.find(place, name)
    if version is not None:
        return prepared.read(version, split, prepare)
    how = f"Prepare it where there is a network (tfds build {name}), and name its folder: --data_dir or TFDS_DATA_DIR."
    if not prepared.reachable(url):
        raise config.InputError(f"{name} is not prepared in {place} and its server does not answer. {how}")
    try:
        return prepared.download(name, place, split, prepare)
    except Exception as error:  # TFDS raises whatever its many layers raise; a full quota is the likeliest here.
        raise config.InputError(f"TFDS could not download {name}: {prepared.reason(error)}. {how}") from error


def _hidden(path: pathlib.Path, place: pathlib.Path):
    return (part.startswith(".") for part in path.relative_to(place).parts)


def _read(file: pathlib.Path, size: int) -> np.ndarray | None:
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(file) as image:
            upright = PIL.ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(PIL.ImageOps.fit(upright, (size, size), PIL.Image.Resampling.LANCZOS))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        return None
