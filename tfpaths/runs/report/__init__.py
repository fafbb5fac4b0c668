"""`write` writes one HTML page about one or several runs. It needs no TensorFlow, and the page no network.

Each kind of run contributes a `section.Section`; the page mentions no kind by name. Charts are SVG pictures by
matplotlib: a few kilobytes each, sharp at any size and in print, with selectable text. A plotting library that draws in
the browser would add zooming, and some megabytes of script to each page.
"""

import pathlib
from collections.abc import Sequence

from tfpaths import config as config_lib
from tfpaths import errors, files, kinds
from tfpaths.runs.directory import RunDirectory
from tfpaths.runs.report import page
from tfpaths.runs.report import runs as runs_lib
from tfpaths.runs.report.section import Section


def write(workdirs: Sequence[str], out: str | None = None, *, overwrite: bool = True) -> pathlib.Path:
    """Writes a report about runs.

    Args:
      workdirs: The run directories, of any kind, finished or not.
      out: The page, `….html`; by default `report.html` in the first directory.
      overwrite: Whether a file at `out` is replaced. The default `report.html` is always replaced.

    Returns:
      The page's path.

    Raises:
      InputError: A directory does not contain a run, or `out` cannot be written; nothing was written.

    Example:
      >>> from tfpaths import experiments, schema
      >>> config = schema.to_dict(experiments.get("color_mnist_ns"))
      >>> files.write_json(RunDirectory(pathlib.Path("runs/a")).config, config)
      >>> print(write(["runs/a"]))
      runs/a/report.html
    """
    path = RunDirectory(files.path(workdirs[0])).report if out is None else files.path(out)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise errors.InputError(f"--out: expected a file that ends in .html, received {str(path)!r}.")
    if out is not None and not overwrite:
        files.check_new("--out", path)
    runs = runs_lib.read(workdirs)
    # Half a surrogate pair, which JSON can have, is no character of a page.
    content = page.render(runs, sections(runs), path.parent).encode(errors="replace")
    files.check_writable("--out" if out else "--workdir", path)
    files.write_bytes(path, content)
    return path


def sections(runs: Sequence[runs_lib.Run]) -> dict[str, Section]:
    """Returns kind -> section for every kind among the runs, in the order of `config.KINDS`."""
    return {
        kind: kinds.get(kind).section([run for run in runs if run.kind == kind])
        for kind in config_lib.KINDS
        if any(run.kind == kind for run in runs)
    }
