"""`sample`: images from a trained run or from its export, into one picture, a folder, or an array file."""

import io
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfpaths import config as config_lib
from tfpaths import exporting, loading, pictures, progress, results

# Of an interpolation: how many images lead from one latent to another, both of them included.
STEPS = 8
# More in one picture than a person can look at, and than a viewer likes to open.
_MOST_IN_A_PICTURE = 10_000


class Exported:
    """A sampler read from an export, with TensorFlow alone: as `loading.Trained`, without the networks."""

    def __init__(self, path: pathlib.Path):
        try:
            self._model = tf.saved_model.load(str(path))
            self.step = int(json.loads((path / "assets" / exporting.METADATA).read_text())["step"])
            self._latents, self._images = (self._model.signatures[name] for name in ("latents", "serving_default"))
        # A torn or foreign file shows as whatever its reader stumbles over.
        except Exception as error:
            raise config_lib.InputError(
                f"--workdir: expected an export of tfpaths, received {str(path)!r}, which cannot be read "
                f"({(str(error) or type(error).__name__).splitlines()[0][:200]})."
            ) from error

    def latents(self, num: int, seed: int = 0) -> np.ndarray:
        """Those of `gan.sample(num, seed=seed)`."""
        return self._latents(num_samples=tf.constant(num), seed=tf.constant(seed))["z"].numpy()

    def images(self, latents: np.ndarray) -> np.ndarray:
        """float32 in [-1, 1]."""
        return self._images(z=tf.constant(latents))["images"].numpy()


Sampler = loading.Trained | Exported


def sample(
    path: str | pathlib.Path, out: str, *, num: int = 64, seed: int = 0, interpolate: bool = False
) -> pathlib.Path:
    """Writes images of a run, or of an export, to `out`; returns the file or the folder.

    Args:
      path: a run directory, or an export.
      out: `….png` for one picture; `….npz` for `images`, uint8 `[num, height, width, channels]`, their `latents`, and
        the `seed` and `step`; a new or empty folder for a numbered PNG each, however many.
      num: how many.
      seed: of the latents: the images are those of `gan.sample(num, seed=seed)`.
      interpolate: rows of `STEPS` images each, from one latent to another; see `between`.

    Raises:
      InputError: there is nothing that samples, or `out` is no such place; nothing was written.
    """
    write = writer(out, num, rows_of=STEPS if interpolate else None)
    if interpolate and num % STEPS:
        raise config_lib.InputError(
            f"--num_samples: expected a multiple of the {STEPS} images of a row with --interpolate, received {num}."
        )
    place = pathlib.Path(path).expanduser()
    sampler: Sampler = Exported(place) if (place / "saved_model.pb").is_file() else loading.load(place)
    if interpolate:
        ends = sampler.latents(2 * (num // STEPS), seed)
        latents = np.concatenate([between(one, other) for one, other in zip(ends[::2], ends[1::2], strict=True)])
    else:
        latents = sampler.latents(num, seed)
    write(batches(sampler, latents), latents, seed, sampler.step)
    return pathlib.Path(out)


def batches(sampler: Sampler, latents: np.ndarray) -> Iterator[np.ndarray]:
    """The images of these latents, uint8, batch after batch, with progress; only one batch is ever held."""
    starts = range(0, len(latents), loading.BATCH)
    made = (pictures.levels(sampler.images(latents[start : start + loading.BATCH])) for start in starts)
    return progress.shown(made, "images", len(latents), each=loading.BATCH)


def between(one: np.ndarray, other: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Latents on the way from one to the other, `[steps, latent_dim]`, both included: spherical interpolation.

        (sin((1 - t) w) one + sin(t w) other) / sin(w),  w the angle between them

    Two draws from N(0, I) are nearly at right angles, so what lies between is as long as they are: what the generator
    knows. The straight line passes nearer to zero, where it has seen nothing (White 2016, arXiv 1609.04468).
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float64)[:, None]
    cosine = np.dot(one, other) / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # Along one line the two ways are the same.
        return ((1 - t) * one + t * other).astype(np.float32)
    return ((np.sin((1 - t) * angle) * one + np.sin(t * angle) * other) / np.sin(angle)).astype(np.float32)


Write = Callable[[Iterator[np.ndarray], np.ndarray, int, int], None]


def writer(out: str, num: int, rows_of: int | None = None) -> Write:
    """What writes `num` images to `out`: (batches, latents, seed, step) -> none.

    A picture has rows of `rows_of` images, or is nearly a square where that is none.

    Raises:
      InputError: `out` is none of the places that can be written, or too many images are to stand in one picture.
    """
    if num < 1:
        raise config_lib.InputError(f"--num_samples: expected at least 1, received {num}.")
    path = pathlib.Path(out)
    kinds = "expected a .png, a .npz or a folder"
    if not out:
        raise config_lib.InputError(f"--out: {kinds}, received none.")
    results.check_place("--out", path)
    suffix = path.suffix.lower()
    if path.is_dir() or out.endswith("/") or not suffix:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise config_lib.InputError(
                f"--out: expected a new or an empty folder, received {out!r}, which is neither."
            )
        return lambda images, latents, seed, step: _write_folder(path, images, len(latents))
    if suffix not in (".png", ".npz"):
        raise config_lib.InputError(f"--out: {kinds}, received {out!r}.")
    if suffix == ".npz":
        return lambda images, latents, seed, step: _write_arrays(path, images, latents, seed, step)
    if num > _MOST_IN_A_PICTURE:
        raise config_lib.InputError(
            f"--num_samples: expected at most {_MOST_IN_A_PICTURE} in one picture, received {num}; a folder or a .npz "
            "holds more."
        )
    columns = rows_of or math.ceil(num**0.5)
    return lambda images, latents, seed, step: _write_grid(path, images, columns)


def _write_grid(path: pathlib.Path, images: Iterator[np.ndarray], columns: int) -> None:
    """Black where the last row has no more."""
    whole = np.concatenate(list(images))
    whole = np.pad(whole, ((0, -len(whole) % columns), (0, 0), (0, 0), (0, 0)))
    results.write_bytes(path, pictures.png(pictures.tiled(whole, columns)))


def _write_arrays(path: pathlib.Path, images: Iterator[np.ndarray], latents: np.ndarray, seed: int, step: int) -> None:
    content = io.BytesIO()
    np.savez(content, images=np.concatenate(list(images)), latents=latents, seed=seed, step=step)
    results.write_bytes(path, content.getvalue())


def _write_folder(path: pathlib.Path, images: Iterator[np.ndarray], num: int) -> None:
    """`image_00000.png` and so on, in a neighbouring folder first: under its name, the folder is whole."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    try:
        made.chmod(0o755)
        digits = max(5, len(str(num - 1)))
        for start, batch in enumerate(images):
            for index, image in enumerate(batch, start=start * loading.BATCH):
                (made / f"image_{index:0{digits}}.png").write_bytes(pictures.png(image))
        os.rename(made, path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
