"""Data sets that TFDS prepares: finds them, downloads them if necessary, and reads them into memory."""

import contextlib
import os
import pathlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from tfpaths import errors, files
from tfpaths.data import memory

# A name look-up alone can take longer than a user waits, and TFDS itself gives up only after minutes.
_ANSWER_WITHIN_SECONDS = 6.0

# Images `[size, height, width, channels]` uint8, and other features by name.
Contents = tuple[tf.Tensor, dict[str, np.ndarray]]


def load(name: str, split: str, data_dir: str | None, url: str, prepare: Callable | None = None) -> Contents:
    """Reads a split of a TFDS data set; downloads and prepares the data set first if necessary.

    Args:
      name: TFDS's name of the data set.
      split: TFDS's name of the split.
      data_dir: As in `directory_of`.
      url: An address on the server from which TFDS downloads, to check whether it answers.
      prepare: As in `read`.

    Returns:
      What `read` returns.

    Raises:
      InputError: The data is damaged, or neither prepared nor available for download.
    """
    directory = directory_of(data_dir)
    version = find(directory, name)
    if version is not None:
        return read(version, split, prepare)
    fix = (
        f"To fix this: prepare it on a machine with a network (tfds build {name}), and name its directory with "
        "--data_dir or TFDS_DATA_DIR."
    )
    if not reachable(url):
        raise errors.InputError(f"{name} is not prepared in {directory} and its server does not answer. {fix}")
    try:
        return download(name, directory, split, prepare)
    except Exception as error:  # TFDS can raise any exception; an exceeded quota is the likeliest.
        raise errors.InputError(f"TFDS could not download {name}: {reason(error)}. {fix}") from error


def directory_of(data_dir: str | None) -> pathlib.Path:
    """Returns the directory of prepared data: `data_dir`, else `TFDS_DATA_DIR`, else TFDS's default.

    Raises:
      InputError: `data_dir` or `TFDS_DATA_DIR` is not a directory, or it is the directory of one data set.

    Example:
      >>> pathlib.Path("tfds").mkdir()
      >>> str(directory_of("tfds"))
      'tfds'
    """
    given = data_dir or os.environ.get("TFDS_DATA_DIR")
    flag = "--data_dir" if data_dir else "TFDS_DATA_DIR"
    if not given:
        return files.path("~/tensorflow_datasets")
    directory = files.path(given)
    if not directory.is_dir():
        raise errors.InputError(
            f"{flag}: expected a directory of TFDS data, received {given!r}, which is not a directory."
        )
    for above, inside in ((directory.parent.parent, "dataset_info.json"), (directory.parent, "*/dataset_info.json")):
        if any(directory.glob(inside)):
            raise errors.InputError(
                f"{flag}: expected the directory above all data sets, received the directory of one, {given!r}; did "
                f"you mean {str(above)!r}?"
            )
    return directory


def find(directory: pathlib.Path, name: str) -> pathlib.Path | None:
    """Returns the directory of the newest version of a data set in `directory`, or None if it has no version.

    Example:
      >>> for version in ("2.9.0", "2.10.0", "incomplete.AB12_3.0.1"):
      ...     pathlib.Path("data/mnist", version).mkdir(parents=True)
      >>> find(pathlib.Path("data"), "mnist").name
      '2.10.0'
    """
    # While TFDS prepares a version, the directory has another name, such as incomplete.AB12_3.0.1.
    versions = [path for path in directory.glob(f"{name}/*") if re.fullmatch(r"\d+\.\d+\.\d+", path.name)]
    return max(versions, key=lambda path: [int(part) for part in path.name.split(".")], default=None)


def read(version: pathlib.Path, split: str, prepare: Callable | None = None) -> Contents:
    """Reads all images of a split of a prepared version, in TFDS's order without shuffling.

    The images are in memory once, also while they are read.

    Args:
      version: The directory of a prepared version.
      split: The name of the split.
      prepare: Image `[height, width, channels]` uint8 -> the uint8 image that is stored; by default the same image.

    Returns:
      Images `[size, height, width, channels]` uint8, and the other features that are integers, by name.

    Raises:
      InputError: The data is damaged or has no such split.
    """
    with _opened(version, split) as builder:
        return collect(builder, split, prepare)


def lines(version: pathlib.Path, split: str, most: int, chunk: int) -> Iterator[list[str]]:
    """Yields the texts of a split of a prepared version, `chunk` at a time, in TFDS's order without shuffling.

    Args:
      version: The directory of a prepared version, whose feature `text` is read.
      split: The name of the split.
      most: The most texts.
      chunk: The number of texts at a time.

    Raises:
      InputError: The data is damaged or has no such split.
    """
    import tensorflow_datasets as tfds

    with _opened(version, split) as builder:
        config = tfds.ReadConfig(try_autocache=False)
        texts = builder.as_dataset(split=split, shuffle_files=False, read_config=config).take(most).batch(chunk)
        total = -(-min(most, builder.info.splits[split].num_examples) // chunk)
        batches = texts.as_numpy_iterator()
        for batch in tqdm.tqdm(
            batches, total=total, desc=f"reading {builder.name}", delay=5, leave=False, disable=None
        ):
            yield [text.decode(errors="replace") for text in batch["text"]]


@contextlib.contextmanager
def _opened(version: pathlib.Path, split: str) -> Iterator[Any]:
    """Yields the TFDS builder of a prepared version that has the split; an error of reading it is one line."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(version))
        errors.choose(f"split of {builder.name}", split, builder.info.splits)
        _check_size(builder, split)
        yield builder
    except errors.InputError:
        raise
    except Exception as error:  # A damaged file can raise the exceptions of a dozen libraries.
        raise errors.InputError(f"the data in {version} is damaged: {reason(error)}. Prepare it again.") from error


def _check_size(builder, split: str) -> None:
    """Checks the size of the files. TensorFlow would report a truncated file too, but in several lines."""
    info = builder.info.splits[split]
    size = sum(pathlib.Path(str(file)).stat().st_size for file in info.filepaths)
    # A TFRecord file has 16 bytes for each record besides the content: length and checksums.
    expected = info.num_bytes + 16 * info.num_examples * (builder.info.file_format.value == "tfrecord")
    if size < expected:
        raise ValueError(f"its {split} files have {size} bytes instead of {expected}")


def reason(error: Exception) -> str:
    """Returns the first line of an error's text without TensorFlow's markup, or its type if it has no text.

    Example:
      >>> reason(OSError("{{function_node ...}} truncated record at 42 [Op:IteratorGetNext]"))
      'truncated record at 42'
    """
    lines = re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


def download(name: str, directory: pathlib.Path, split: str, prepare: Callable | None = None) -> Contents:
    """Downloads and prepares a data set through TFDS, and returns what `read` returns. Does not catch TFDS's errors."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=str(directory), try_gcs=False)
    builder.download_and_prepare()
    return collect(builder, split, prepare)


def collect(builder, split: str, prepare: Callable | None) -> Contents:
    """Reads a split of a TFDS builder into memory, in parallel; returns what `read` returns."""
    import tensorflow_datasets as tfds

    size = builder.info.splits[split].num_examples
    # The order of the examples is part of an experiment. Without shuffling, TFDS always has the same order. Its cache
    # would hold a small data set a second time, for a second reading that does not come.
    config = tfds.ReadConfig(try_autocache=False)
    examples = builder.as_dataset(split=split, shuffle_files=False, read_config=config)
    plain = [name for name, feature in builder.info.features.items() if feature.shape == () and name != "id"]

    def keep(example):
        image = example["image"] if prepare is None else prepare(example["image"])
        return image, {name: example[name] for name in plain if example[name].dtype.is_integer}

    batches = examples.map(keep, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(512).as_numpy_iterator()
    # Small data sets are read before the progress bar appears.
    shown = tqdm.tqdm(
        batches, total=-(-size // 512), desc=f"reading {builder.name}", delay=5, leave=False, disable=None
    )
    images, others = memory.Rows(size), []
    for image, values in shown:
        images.append(image)
        others.append(values)
    if images.count != size:
        raise ValueError(f"expected {size} examples, found {images.count}")
    return images.tensor, {name: np.concatenate([values[name] for values in others]) for name in others[0]}


def reachable(url: str) -> bool:
    """Returns whether a server answers in time.

    Example:
      >>> reachable("http://localhost:1")
      False
    """
    # In a thread, because a name look-up has no time limit.
    answers: list[bool] = []

    def ask() -> None:
        import requests

        try:
            answers.append(requests.head(url, timeout=_ANSWER_WITHIN_SECONDS / 2, allow_redirects=True).ok)
        except requests.RequestException:
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_ANSWER_WITHIN_SECONDS)
    return bool(answers and answers[0])
