"""Handwritten digits, 28×28: the real MNIST where it can be had, the embedded digits where it cannot."""

import dataclasses
import os
import pathlib
import threading

import numpy as np
from absl import logging

from tfpaths import config

# Where TFDS downloads MNIST from. Whether it answers is asked here: TFDS itself takes minutes to give up.
_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz"
_ANSWER_WITHIN_SECONDS = 6.0
_WAYS_OUT = (
    "Prepared data: --data_dir or TFDS_DATA_DIR; with a network TFDS downloads it; without either: --source=embedded."
)


@dataclasses.dataclass(frozen=True)
class Digits:
    """`images` `[size, 28, 28]` uint8, `labels` `[size]` in 0..9, and their `source`: `tfds` or `embedded`."""

    images: np.ndarray
    labels: np.ndarray
    source: str


def load(split: str = "train", *, source: str = "auto", data_dir: str | None = None) -> Digits:
    """Loads the digits of a split.

    Args:
      split: `train` or `test`.
      source: `tfds` for MNIST through TFDS; `embedded` for scikit-learn's digits; `auto` for the first of them that can
        be had, with a warning where that is the second.
      data_dir: a TFDS data folder; by default `TFDS_DATA_DIR`, then TFDS's own.

    Raises:
      InputError: the folder is missing or damaged, or `tfds` has neither prepared data nor a network.
    """
    config.choose("split", split, ("train", "test"))
    config.choose("source", source, config.SOURCES)
    if source == "embedded":
        return embedded(split)
    folder = _data_folder(data_dir)
    prepared = _prepared(folder)
    if prepared is not None:
        return _read(prepared, split)
    if _reachable(_MNIST_URL):
        try:
            return _download(folder, split)
        except Exception as error:  # TFDS raises whatever its many layers raise.
            trouble = f"the download of MNIST failed ({type(error).__name__}: {str(error).splitlines()[0]})"
    else:
        trouble = f"MNIST is neither prepared in {folder} nor can it be downloaded: its server does not answer"
    if source == "tfds":
        raise config.InputError(f"{trouble}. {_WAYS_OUT}")
    logging.warning("%s. Using the embedded digits (1,797 of UCI's, enlarged) instead. %s", trouble, _WAYS_OUT)
    return embedded(split)


def embedded(split: str) -> Digits:
    """The 1,797 UCI digits that scikit-learn ships: the first 1,437 to train on, the last 360 to test.

    8×8 pixels of 0 to 16, enlarged with a cubic spline to 20×20 and centred on 28×28, as MNIST's digits are.
    """
    # Both take longer to import than most runs spend here.
    import scipy.ndimage
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    part = slice(None, 1437) if split == "train" else slice(1437, None)
    large = scipy.ndimage.zoom(digits.images[part], (1, 2.5, 2.5), order=3, mode="nearest", grid_mode=True)
    pixels = np.clip(np.rint(large * (255 / 16)), 0, 255).astype(np.uint8)
    return Digits(np.pad(pixels, ((0, 0), (4, 4), (4, 4))), digits.target[part].astype(np.int64), "embedded")


def _data_folder(data_dir: str | None) -> pathlib.Path:
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    if not named:
        return pathlib.Path("~/tensorflow_datasets").expanduser()
    folder = pathlib.Path(named).expanduser()
    if not folder.is_dir():
        flag = "--data_dir" if data_dir else "TFDS_DATA_DIR"
        raise config.InputError(f"{flag}: expected a folder of TFDS data, received {named!r}, which is not a folder.")
    return folder


def _prepared(folder: pathlib.Path) -> pathlib.Path | None:
    """The newest prepared version of MNIST in `folder`. One without its description is TFDS's half-finished work."""
    versions = [path for path in folder.glob("mnist/*.*.*") if path.is_dir()]
    return max(versions, key=lambda path: [int(part) for part in path.name.split(".") if part.isdigit()], default=None)


def _read(folder: pathlib.Path, split: str) -> Digits:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(folder))
        return _collect(builder, split)
    except Exception as error:  # A torn file shows as any of a dozen exceptions of as many libraries.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise config.InputError(f"the MNIST in {folder} is damaged: {first[:200]}. {_WAYS_OUT}") from error


def _download(folder: pathlib.Path, split: str) -> Digits:
    import tensorflow_datasets as tfds

    builder = tfds.builder("mnist", data_dir=str(folder), try_gcs=False)
    builder.download_and_prepare()
    return _collect(builder, split)


def _collect(builder, split: str) -> Digits:
    size = builder.info.splits[split].num_examples
    # One thread each: TFDS interleaves files otherwise, and the order of the examples is part of an experiment.
    batches = builder.as_dataset(split=split, shuffle_files=False).batch(10_000).as_numpy_iterator()
    parts = list(batches)
    images = np.concatenate([part["image"][..., 0] for part in parts])
    labels = np.concatenate([part["label"] for part in parts])
    if images.shape != (size, 28, 28):
        raise ValueError(f"expected {size} images of 28×28, found {images.shape}")
    return Digits(images, labels, "tfds")


def _reachable(url: str) -> bool:
    """Whether a server answers in time. A name look-up has no time limit of its own, hence the thread."""
    answers: list[bool] = []

    def ask() -> None:
        import requests

        try:
            answers.append(requests.head(url, timeout=_ANSWER_WITHIN_SECONDS / 2).ok)
        except requests.RequestException:
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_ANSWER_WITHIN_SECONDS)
    return bool(answers and answers[0])
