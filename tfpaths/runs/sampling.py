"""`sample` writes samples of a trained run or of its export to a picture, an array file or a directory."""

import contextlib
import dataclasses
import io
import math
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfpaths import errors, files, folders, progress
from tfpaths.compat.tensorflow import check_process
from tfpaths.data import example
from tfpaths.runs import exporting, loading
from tfpaths.runs import trust as trust_lib
from tfpaths.runs.directory import RunDirectory

# The number of samples in a row of an interpolation, including both ends.
STEPS = 8
# The suffixes of files that `ExampleType.grid` makes.
_GRIDS = (".png", ".txt")
# A larger picture is slow to open, and too large to look at.
_MOST_IN_A_PICTURE = 10_000
_MOST_IN_AN_ARRAY = 1_000_000


class Exported:
    """The sampler of an export, read with TensorFlow alone; it has the samples of `loading.Trained`, but no networks.

    Args:
      path: The directory of the export.
      refine: Langevin steps that refine the samples; None for as many as the game makes.
      trust: Whether it is loaded whatever it contains: a SavedModel can read and write files; see `tfpaths.runs.trust`.

    Attributes:
      step: The training step of the exported checkpoint.
      example: The type of one sample.

    Raises:
      InputError: The directory is not an export, or it cannot be read.
    """

    def __init__(self, path: pathlib.Path, *, refine: int | None = None, trust: bool = False):
        self._refine = refine
        try:
            (trust_lib.check_files if trust else trust_lib.check)(path)
            self._model = tf.saved_model.load(str(path))
            metadata = files.read_json(path / "assets" / exporting.METADATA)
            self.step, self.example = int(metadata["step"]), example.TYPES[metadata["example"]].of(metadata)
            if refine is not None and "refined" not in self._model.signatures:
                raise errors.InputError(
                    f"{str(path)!r}, which cannot refine its samples: only the export of a run of the game 'dcd' can. "
                    "To fix this: sample the run's directory."
                )
            names = {"latents": {"num_samples", "seed", "first"}, "serving_default": {"z"}}
            if refine is not None:
                names["refined"] = {"z", "refine_steps", "step_size"}
            self._functions = {name: self._model.signatures[name] for name in names}
            takes = {name: set(call.structured_input_signature[1]) for name, call in self._functions.items()}
            if takes != names:
                raise errors.InputError(f"{str(path)!r}, whose signatures are those of another version.")
            self._step_size = metadata.get("step_size")
        except errors.InputError as error:
            raise errors.InputError(f"--workdir: expected an export of tfpaths, received {error}") from error
        # An incomplete or foreign file can raise an error of any class.
        except Exception as error:
            raise errors.InputError(
                f"--workdir: expected an export of tfpaths, received {str(path)!r}, which cannot be read "
                f"({(str(error) or type(error).__name__).splitlines()[0][:200]})."
            ) from error

    def latents(self, num: int, seed: int = 0, first: int = 0) -> np.ndarray:
        """Returns `num` latents of `gan.sample(…, seed=seed)` from index `first` on, `[num, latent_dim]`."""
        part = {"num_samples": tf.constant(num), "seed": tf.constant(seed), "first": tf.constant(first)}
        return _checked(self._functions["latents"](**part)["z"], num)

    def generate(self, latents: np.ndarray) -> np.ndarray:
        """Returns the samples of a batch of latents, `[num, *example_shape]`."""
        z = tf.constant(latents)
        if self._refine is None:
            (samples,) = self._functions["serving_default"](z=z).values()
        else:
            how = {"refine_steps": tf.constant(self._refine), "step_size": tf.constant(float(self._step_size))}
            (samples,) = self._functions["refined"](z=z, **how).values()
        return _checked(samples, len(latents))


def _checked(tensor: tf.Tensor, num: int) -> np.ndarray:
    """Returns a tensor of an export's program as an array of `num` rows, if it is one."""
    if tensor.dtype != tf.float32 or tensor.shape[:1] != [num]:
        raise ValueError(f"expected {num} of float32, received {tensor.dtype.name} {tensor.shape}")
    return tensor.numpy()


Sampler = loading.Trained | Exported


def sample(
    path: str | pathlib.Path,
    out: str,
    *,
    num: int = 64,
    seed: int = 0,
    interpolate: bool = False,
    refine: int | None = None,
    member: int | None = None,
    overwrite: bool = True,
    trust: bool = False,
) -> pathlib.Path:
    """Writes samples of a run or of an export to `out`; returns the path of the file or the directory.

    Args:
      path: A run directory, or an export.
      out: `….png` for one picture, of texts `….txt`, a sample a line; `….npz` for the samples (images as uint8 `[num,
        height, width, channels]`, texts as strings `[num]`), their `latents`, and the `seed` and `step`; a new or empty
        directory for one numbered file for each sample.
      num: Number of samples.
      seed: Seed for the latents: the samples are those of `gan.sample(num, seed=seed)`.
      interpolate: Whether each row of `STEPS` samples interpolates between two latents; see `between`.
      refine: Langevin steps that refine the samples (`tfpaths.refinement`); None for as many as the game makes.
      member: The only generator of the game `mix` that samples come from; None for all of them.
      overwrite: Whether a file at `out` is replaced. A directory must be new or empty in any case.
      trust: Whether an export is loaded whatever it contains; see `tfpaths.runs.trust`.

    Raises:
      InputError: `path` has no samples to draw, or `out` cannot be written; nothing was written.

    Example: see `tfpaths.train` for a run directory.
    """
    out = os.path.expanduser(out)
    check_out(out, num, overwrite=overwrite)
    if interpolate and num % STEPS:
        raise errors.InputError(
            f"--num_samples: expected a multiple of the {STEPS} samples of a row with --interpolate, received {num}."
        )
    check_process()
    source = files.path(path)
    exporting.restore(source)
    # A run is never sampled by a SavedModel beside its config.
    is_run = RunDirectory(source).config.exists()
    sampler: Sampler
    if is_run or not _is_export(source):
        sampler = dataclasses.replace(loading.load(source, member=member), refine=refine)
    elif member is not None:
        raise errors.InputError(
            f"--member: it works with a run directory, received {str(path)!r}; the generator of an export is chosen "
            "when it is written."
        )
    else:
        sampler = Exported(source, refine=refine, trust=trust)
    write = writer(out, sampler.example, num, rows_of=STEPS if interpolate else None)
    batches = drawn(sampler, num, seed, interpolate=interpolate)
    if isinstance(sampler, Exported):
        with _of_export(source):
            write(batches, seed, sampler.step)
    else:
        write(batches, seed, sampler.step)
    return pathlib.Path(out)


@contextlib.contextmanager
def _of_export(path: pathlib.Path) -> Iterator[None]:
    """Raises errors of samples that are none as an InputError: a foreign program can return tensors of any form."""
    try:
        yield
    except (errors.InputError, errors.RunError, OSError, MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:
        raise errors.InputError(
            f"--workdir: expected an export of tfpaths, received {str(path)!r}, whose samples cannot be written "
            f"({type(error).__name__}: {files.reason(error)[:200]})."
        ) from error


def _is_export(path: pathlib.Path) -> bool:
    return any((path / f"saved_model.{end}").exists() for end in ("pb", "cpb", "pbtxt"))


# The latents and the samples of a batch, `[num, latent_dim]` and `[num, *example_shape]`.
Batch = tuple[np.ndarray, np.ndarray]


def drawn(sampler: Sampler, num: int, seed: int, *, interpolate: bool = False) -> Iterator[Batch]:
    """Yields the latents and the samples in batches and shows the progress; only one batch is in memory at a time.

    Args:
      sampler: The sampler.
      num: The number of samples.
      seed: Seed for the latents.
      interpolate: Whether each row of `STEPS` samples interpolates between two latents.
    """

    def batch(start: int) -> Batch:
        count = min(loading.BATCH, num - start)
        if interpolate:
            # Two latents for each row: its ends.
            ends = sampler.latents(2 * count // STEPS, seed, 2 * start // STEPS)
            latents = np.concatenate([between(one, other) for one, other in zip(ends[::2], ends[1::2], strict=True)])
        else:
            latents = sampler.latents(count, seed, start)
        return latents, sampler.generate(latents)

    batches = map(batch, range(0, num, loading.BATCH))
    return progress.shown(batches, f"{sampler.example.name}s", num, each=loading.BATCH)


def between(one: np.ndarray, other: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Returns the spherical interpolation between two latents, both included (White 2016, arXiv 1609.04468).

        (sin((1 - t) w) one + sin(t w) other) / sin(w),  w the angle between them

    Two draws from N(0, I) are nearly orthogonal, so the points between them have about the same norm, like the latents
    of training. A straight line passes closer to zero, where the generator was not trained.

    Args:
      one: The latent at t = 0, `[latent_dim]`.
      other: The latent at t = 1, `[latent_dim]`.
      steps: The number of points.

    Returns:
      float32 `[steps, latent_dim]`.

    Example:
      >>> between(np.array([1.0, 0.0]), np.array([0.0, 1.0]), steps=3)[1].round(4)
      array([0.7071, 0.7071], dtype=float32)
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float64)[:, None]
    cosine = np.dot(one, other) / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # The latents are collinear, and sin(w) is 0: a straight line instead.
        return ((1 - t) * one + t * other).astype(np.float32)
    return ((np.sin((1 - t) * angle) * one + np.sin(t * angle) * other) / np.sin(angle)).astype(np.float32)


# (batches, seed, step) -> None.
Write = Callable[[Iterator[Batch], int, int], None]


def check_out(out: str, num: int, *, overwrite: bool = True) -> None:
    """Checks that `num` samples can be written to `out`, and whether a file there may be replaced.

    Raises:
      InputError: `out` is not a path of a known kind, cannot be written, or cannot hold so many samples.

    Example:
      >>> check_out("samples.png", num=0)
      Traceback (most recent call last):
      tfpaths.errors.InputError: --num_samples: expected at least 1, received 0.
    """
    if num < 1:
        raise errors.InputError(f"--num_samples: expected at least 1, received {num}.")
    path, kinds = pathlib.Path(out), "expected a .png, a .txt, a .npz or a directory"
    if not out:
        raise errors.InputError(f"--out: {kinds}, received none.")
    files.check_writable("--out", path)
    if _is_directory(out):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise errors.InputError(f"--out: expected a new or an empty directory, received {out!r}, which is neither.")
    elif path.suffix.lower() not in (*_GRIDS, ".npz"):
        raise errors.InputError(f"--out: {kinds}, received {out!r}.")
    elif path.suffix.lower() == ".png" and num > _MOST_IN_A_PICTURE:
        raise errors.InputError(
            f"--num_samples: expected at most {_MOST_IN_A_PICTURE} in one picture, received {num}; a directory or a "
            ".npz file holds more."
        )
    elif path.suffix.lower() in (".npz", ".txt") and num > _MOST_IN_AN_ARRAY:
        raise errors.InputError(
            f"--num_samples: expected at most {_MOST_IN_AN_ARRAY} in a {path.suffix.lower()} file, received {num}; "
            "a directory holds more."
        )
    elif not overwrite:
        files.check_new("--out", path)


def writer(out: str, kind: example.ExampleType, num: int, *, rows_of: int | None = None) -> Write:
    """Returns a function that writes samples to `out`, which `check_out` has accepted.

    Args:
      out: As in `sample`.
      kind: The type of one sample.
      num: The number of samples.
      rows_of: The number of samples in a row of a picture; None for a picture that is nearly square.

    Raises:
      InputError: Samples of this type have no such file.

    Example:
      >>> write = writer("points.npz", example.POINT, 5)
      >>> write(iter([(np.zeros([4, 3]), np.zeros([4, 2])), (np.zeros([1, 3]), np.zeros([1, 2]))]), 0, 100)
      >>> np.load("points.npz")["points"].shape
      (5, 2)
    """
    path = pathlib.Path(out)
    if _is_directory(out):
        return lambda batches, seed, step: _write_directory(path, kind, batches, num)
    if path.suffix.lower() == ".npz":
        return lambda batches, seed, step: _write_arrays(path, kind, batches, seed, step)
    if path.suffix.lower() != kind.suffix:
        raise errors.InputError(
            f"--out: expected a {kind.suffix}, a .npz or a directory for {kind.name}s, received {out!r}."
        )
    return lambda batches, seed, step: files.write_bytes(
        path,
        kind.grid(np.concatenate([kind.stored(samples) for _, samples in batches]), rows_of or math.ceil(num**0.5)),
    )


def _is_directory(out: str) -> bool:
    return pathlib.Path(out).is_dir() or out.endswith("/") or not pathlib.Path(out).suffix


def _write_arrays(
    path: pathlib.Path, kind: example.ExampleType, batches: Iterator[Batch], seed: int, step: int
) -> None:
    content = io.BytesIO()
    latents, stored = zip(*((latents, kind.stored(samples)) for latents, samples in batches), strict=True)
    arrays: dict[str, Any] = {
        f"{kind.name}s": np.concatenate(stored),
        "latents": np.concatenate(latents),
        "seed": seed,
        "step": step,
    }
    np.savez(content, **arrays)
    files.write_bytes(path, content.getvalue())


def _write_directory(path: pathlib.Path, kind: example.ExampleType, batches: Iterator[Batch], num: int) -> None:
    """Writes `image_00000.png` and so on into a new directory: `path` is complete or absent."""
    with folders.new_directory(path) as folder:
        digits = max(5, len(str(num - 1)))
        for batch_index, (_, samples) in enumerate(batches):
            for index, single in enumerate(samples, start=batch_index * loading.BATCH):
                name = f"{kind.name}_{index:0{digits}}{kind.suffix}"
                with files.named(path / name):
                    (folder / name).write_bytes(kind.single(single))
