"""The HTML page of a report: one file, which loads no other files."""

import base64
import functools
import hashlib
import os
import pathlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence

import jinja2
import markupsafe

from tfpaths.runs.report import charts
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section
from tfpaths.version import __version__

_FOLDER = pathlib.Path(__file__).parent


def render(runs: Sequence[Run], sections: Mapping[str, Section], folder: pathlib.Path) -> str:
    """Returns the page as HTML. All text from runs is escaped.

    Args:
      runs: All runs, for the table at the top.
      sections: Kind -> its section, in the page's order.
      folder: Where the page will be, from which its links lead to other files.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["breakable"] = breakable
    style, script = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("page.html").render(
        version=__version__,
        runs=runs,
        sections=sections,
        swatches={run.number: _uri("image/svg+xml", charts.swatch(run.number)) for run in runs},
        uri=_uri,
        href=functools.partial(href, folder=folder),
        style=style,
        script=script,
        # The page's policy allows only this style and this script, so text that was not escaped would have no effect.
        allowed={"style": _hash(style), "script": _hash(script)},
    )


def breakable(text: str) -> markupsafe.Markup:
    """Returns a name as escaped HTML that can break into lines after each `.`, `_` and `/`.

    Example:
      >>> str(breakable("line1_ns"))
      'line1_<wbr>ns'
    """
    return markupsafe.Markup(re.sub(r"([._/])", r"\1<wbr>", str(markupsafe.escape(text))))


def href(path: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns a relative link from a page in `folder` to a path.

    Example:
      >>> href(pathlib.Path("runs/a/trials/50 %"), pathlib.Path("runs/a"))
      'trials/50%20%25'
    """
    try:
        relative = pathlib.Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # Another drive, on Windows.
        return path.absolute().as_uri()
    # Bytes, since a file's name need not be UTF-8. A colon is encoded too, so that no first part is read as a scheme.
    return urllib.parse.quote(os.fsencode(relative))


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
