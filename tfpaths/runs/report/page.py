"""The HTML page of a report: one file, which loads no other files."""

import base64
import hashlib
import pathlib
import re
from collections.abc import Mapping, Sequence

import jinja2
import markupsafe

from tfpaths.runs.report import charts
from tfpaths.runs.report.runs import Run
from tfpaths.runs.report.section import Section
from tfpaths.version import __version__

_FOLDER = pathlib.Path(__file__).parent


def render(runs: Sequence[Run], sections: Mapping[str, Section]) -> str:
    """Returns the page as HTML. All text from runs is escaped.

    Args:
      runs: All runs, for the table at the top.
      sections: Kind -> its section, in the page's order.
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


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
