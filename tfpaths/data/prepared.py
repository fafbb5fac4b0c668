"""Data sets that TFDS prepares: where they are, whether they can be downloaded, and reading them whole."""

import os
import pathlib
import re
import threading
from collections.abc import Callable

import numpy as np
import tqdm

from tfpaths import config

# A name look-up alone can take longer than anybody waits, and TFDS itself takes minutes to give up.
_ANSWER_WITHIN_SECONDS = 6.0


def folder_of(data_dir: str | None) -> pathlib.Path:
    """The folder of prepared data: `data_dir`, else `TFDS_DATA_DIR`, else TFDS's own.

    Raises:
      InputError: the first two name something that is not a folder.
    """
    named = data_dir or os.environ.get("TFDS_DATA_DIR")
    flag = "--data_dir" if data_dir else "TFDS_DATA_DIR"
    if not named:
        return pathlib.Path("~/tensorflow_datasets").expanduser()
    folder = pathlib.Path(named).expanduser()
    if not folder.is_dir():
        raise config.InputError(f"{flag}: expected a folder of TFDS data, received {named!r}, which is not a folder.")
    for above, inside in ((folder.parent.parent, "dataset_info.json"), (folder.parent, "*/dataset_info.json")):
        if any(folder.glob(inside)):
            raise config.InputError(
                f"{flag}: expected the folder above all data sets, received one of them, {named!r}; did you mean "
                f"{str(above)!r}?"
            )
    return folder


def find(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The newest version of a data set in `folder`, complete or not; none where there is none."""
    # TFDS prepares under other names, such as incomplete.AB12_3.0.1: what is being made or was left is not a version.
    versions = [path for path in folder.glob(f"{name}/*") if re.fullmatch(r"\d+\.\d+\.\d+", path.name)]
    return max(versions, key=lambda path: [int(part) for part in path.name.split(".")], default=None)


def read(
    version: pathlib.Path, split: str, prepare: Callable | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """All images of a split, in TFDS's own order without shuffling.

    Args:
      version: the folder of a prepared version.
      split: the name of the split.
      prepare: image `[height, width, channels]` uint8 -> what is kept of it, uint8; all of it by default.

    Returns:
      Images `[size, height, width, channels]` uint8, and the other features that are plain numbers, by name.

    Raises:
      InputError: the data is damaged or has no such split.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(version))
        if split not in builder.info.splits:
            raise config.unknown(f"split of {builder.name}", split, builder.info.splits)
        info = builder.info.splits[split]
        # Asked of the disk first: TensorFlow would report a short file too, in several lines of its own.
        found = sum(pathlib.Path(str(file)).stat().st_size for file in info.filepaths)
        # A TFRecord has 16 bytes beside its content.
        expected = info.num_bytes + 16 * info.num_examples * (builder.info.file_format.value == "tfrecord")
        if found < expected:
            raise ValueError(f"its {split} files hold {found} bytes, not {expected}")
        return collect(builder, split, prepare)
    except config.InputError:
        raise
    except Exception as error:  # A torn file shows as any of a dozen exceptions of as many libraries.
        raise config.InputError(f"the data in {version} is damaged: {reason(error)}. Prepare it anew.") from error


def reason(error: Exception) -> str:
    """The first line of an error's text, without TensorFlow's marks; its type where it has no text."""
    lines = re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


def download(name: str, folder: pathlib.Path, split: str, prepare: Callable | None = None):
    """Lets TFDS download and prepare a data set, then reads it as `read` does. Raises whatever TFDS raises."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=str(folder), try_gcs=False)
    builder.download_and_prepare()
    return collect(builder, split, prepare)


def collect(builder, split: str, prepare: Callable | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reads a split into memory, `prepare` on all cores."""
    import tensorflow as tf

    size = builder.info.splits[split].num_examples
    # TFDS's order is always the same where it does not shuffle; the order of the examples is part of an experiment.
    examples = builder.as_dataset(split=split, shuffle_files=False)
    plain = [name for name, feature in builder.info.features.items() if feature.shape == () and name != "id"]

    def keep(example):
        image = example["image"] if prepare is None else prepare(example["image"])
        return image, {name: example[name] for name in plain if example[name].dtype.is_integer}

    batches = examples.map(keep, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(512).as_numpy_iterator()
    # Small data is read before a bar could be seen.
    shown = tqdm.tqdm(
        batches, total=-(-size // 512), desc=f"reading {builder.name}", delay=5, leave=False, disable=None
    )
    parts = list(shown)
    images = np.concatenate([image for image, _ in parts])
    if len(images) != size:
        raise ValueError(f"expected {size} examples, found {len(images)}")
    return images, {name: np.concatenate([values[name] for _, values in parts]) for name in parts[0][1]}


def reachable(url: str) -> bool:
    """Whether a server answers in time. A name look-up has no time limit of its own, hence the thread."""
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
