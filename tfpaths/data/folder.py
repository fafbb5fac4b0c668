"""Images from any directory."""

import concurrent.futures
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tqdm
from absl import logging

from tfpaths import errors, files, options
from tfpaths.data.dataset import DATA, DataSet
from tfpaths.data.examples import Examples, in_memory
from tfpaths.schema import PositiveInt


@DATA.register("folder")
class Folder(DataSet):
    """All images below a directory: the central square of each, in RGB, resized to `image_size`.

    Every file that is not hidden is read, in the order of the sorted paths. A warning counts and names the files that
    are not images, and the results contain their number. All labels are 0.

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
        files = sorted(path for path in directory.rglob("*") if path.is_file() and not _is_hidden(path, directory))
        images = self._read_all(files, directory.name)
        unreadable = [file for file, image in zip(files, images, strict=True) if image is None]
        readable = [image for image in images if image is not None]
        names = _listed(unreadable, directory)
        if not readable:
            content = f"{len(unreadable)} files that are not images: {names}" if unreadable else "no files"
            raise errors.InputError(
                f"data.path: expected a directory of images, received {self.path!r}, which has {content}."
            )
        if unreadable:
            logging.warning(
                "%d of %d files in %s cannot be read as images: %s", len(unreadable), len(files), directory, names
            )
        labels = np.zeros(len(readable), np.int64)
        return in_memory(self.name, split, "folder", np.stack(readable), labels, unreadable_files=len(unreadable))

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

    def _read_all(self, files: Sequence[pathlib.Path], name: str) -> list[np.ndarray | None]:
        # Threads, because Pillow decodes and resizes without the interpreter's lock.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            images = pool.map(lambda file: _read(file, self.image_size), files)
            return list(tqdm.tqdm(images, total=len(files), desc=f"reading {name}", delay=5, leave=False, disable=None))


def _listed(files: Sequence[pathlib.Path], directory: pathlib.Path) -> str:
    """Returns the names of the first five files, relative to the directory."""
    return ", ".join(str(file.relative_to(directory)) for file in files[:5]) + (", …" if len(files) > 5 else "")


def _is_hidden(path: pathlib.Path, directory: pathlib.Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(directory).parts)


def _read(file: pathlib.Path, size: int) -> np.ndarray | None:
    """Returns the pixels of an image file, uint8 `[size, size, 3]`, or None if the file is not an image."""
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(file) as image:
            # A camera stores a photograph as its sensor lies, and how to turn it in the EXIF data.
            upright = PIL.ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(PIL.ImageOps.fit(upright, (size, size), PIL.Image.Resampling.LANCZOS))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        return None
