"""A report's page: one file, which loads nothing from elsewhere."""

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
    """Returns the page as HTML. Any text that comes from a run is escaped.

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
        # Only these two may run or apply: a text that was not escaped could do nothing.
        allowed={"style": _hash(style), "script": _hash(script)},
    )


def breakable(text: str) -> markupsafe.Markup:
    """Returns a name, escaped, that may break into lines after each of its parts."""
    return markupsafe.Markup(re.sub(r"([._/])", r"\1<wbr>", str(markupsafe.escape(text))))


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
