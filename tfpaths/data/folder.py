"""Images from any directory."""

import concurrent.futures
import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import tqdm
from absl import logging

from tfpaths import errors, files, options
from tfpaths.data import image_files, memory
from tfpaths.data.dataset import DATA, DataSet
from tfpaths.data.examples import Examples, in_memory
from tfpaths.schema import PositiveInt

# Images that are stored at a time: one by one, storing a small image takes as long as reading it.
_TOGETHER = 64


@DATA.register("folder")
class Folder(DataSet):
    """All images below a directory: the central square of each, in RGB, resized to `image_size`.

    Every file that is not hidden is read, in the order of the sorted paths; links are followed. A warning counts the
    files that cannot be read, by reason, and the results contain their number. All labels are 0.

    `image_files.read` says what becomes of animations, transparency, 16-bit levels and other kinds of images. An image
    needs `image_size × image_size × 3` bytes of memory.

    If the directory has a subdirectory `train`, each of its subdirectories `train`, `validation` and `test` is a split.
    Otherwise the whole directory is the split `train`.

    Args:
      path: The directory.
      image_size: The side of the square to which each image is resized, in pixels.

    Example:
      >>> import PIL.Image
      >>> PIL.Image.new("RGB", (60, 40), "white").save("white.png")
      >>> white = Folder(path=".", image_size=32).load()
      >>> white.take([0]).shape, float(np.min(white.take([0])))
      (TensorShape([1, 32, 32, 3]), 1.0)
    """

    sources = ()
    # Version 1 had no white behind transparent images, no linked directories, and every format of Pillow.
    version = "2"

    def __init__(self, *, path: str | None = None, image_size: PositiveInt = 64):
        options.validate(Folder, path=path, image_size=image_size)
        self.path = path
        self.image_size = image_size

    def __str__(self) -> str:
        return f"the directory {self.path}"

    @property
    def shape(self) -> tuple[int, ...]:
        """`(image_size, image_size, 3)`."""
        return (self.image_size, self.image_size, 3)

    def known_splits(self) -> tuple[str, ...]:
        """Returns the splits that the directory has, from the names of its subdirectories.

        Raises:
          InputError: `path` is None, or it is not a directory.
        """
        directory = self._directory()
        existing = tuple(name for name in self.splits if (directory / name).is_dir())
        return existing if "train" in existing else ("train",)

    def read(self, split: str, *, source: str, seed: int, data_dir: str | None) -> Examples:
        directory = self._directory()
        if (directory / "train").is_dir():
            directory = directory / split
        found = image_files.find(directory)
        rows, unread = self._read_all([file for file, reason in found.items() if not reason], directory.name)
        unread |= {file: reason for file, reason in found.items() if reason}
        if not rows.count:
            content = f"in which nothing can be read: {_listed(unread, directory)}" if unread else "which has no files"
            raise errors.InputError(f"data.path: expected a directory of images, received {self.path!r}, {content}.")
        if unread:
            logging.warning(
                "%d of %d files in %s were not read: %s",
                len(unread),
                len(found),
                directory,
                _listed(unread, directory),
            )
        labels = np.zeros(rows.count, np.int64)
        return in_memory(self.name, split, "folder", rows.tensor, labels, unreadable_files=len(unread))

    def _directory(self) -> pathlib.Path:
        if not self.path:
            raise errors.InputError(
                "data.path: expected a directory of images, received none; set it with --set data.path=DIRECTORY."
            )
        directory = files.path(self.path)
        if not directory.is_dir():
            raise errors.InputError(
                f"data.path: expected a directory of images, received {self.path!r}, which is not a directory."
            )
        return directory

    def _read_all(self, files: Sequence[pathlib.Path], name: str) -> tuple[memory.Rows, dict[pathlib.Path, str]]:
        """Returns the images of files, and why other files have none."""
        rows, pending, unread = memory.Rows(len(files)), [], {}
        # Threads, because Pillow decodes and resizes without the interpreter's lock.
        with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            # Pillow's warnings are about single files, and must not decide which of them are read. Other warnings, also
            # those of other threads, are shown.
            warnings.filterwarnings("ignore", module=r"PIL\.|tfpaths\.data\.image_")
            images = pool.map(lambda file: image_files.read(file, self.image_size), files)
            shown = tqdm.tqdm(images, total=len(files), desc=f"reading {name}", delay=5, leave=False, disable=None)
            for file, image in zip(files, shown, strict=True):
                if isinstance(image, str):
                    unread[file] = image
                else:
                    pending.append(image)
                if len(pending) == _TOGETHER:
                    rows.append(pending)
                    pending.clear()
        if pending:
            rows.append(pending)
        return rows, unread


def _listed(unread: Mapping[pathlib.Path, str], directory: pathlib.Path) -> str:
    """Returns the reasons, and for each the number and the first five paths, relative to the directory."""
    paths: dict[str, list[str]] = {}
    for path, reason in sorted(unread.items()):
        paths.setdefault(reason, []).append(str(path.relative_to(directory)))
    return "; ".join(
        f"{reason} ({len(names)}): {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
        for reason, names in paths.items()
    )
