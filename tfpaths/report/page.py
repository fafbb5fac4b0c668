"""A report's page: everything in one file that asks for nothing outside itself."""

import base64
import hashlib
import pathlib
import re
from collections.abc import Sequence

import jinja2
import markupsafe

from tfpaths import __version__
from tfpaths.report import curves, tables
from tfpaths.report.runs import Run

_HEADINGS = {"images": "Images", "study": "Ensembles on lines", "figure": "Figures"}
_FOLDER = pathlib.Path(__file__).parent


def render(runs: Sequence[Run]) -> str:
    """The page on these runs, as HTML. Whatever text comes from a run is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["breakable"] = breakable
    kinds = {kind: [run for run in runs if run.kind == kind] for kind in _HEADINGS}
    style, script = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("page.html").render(
        version=__version__,
        runs=runs,
        of=kinds,
        headings=_HEADINGS,
        steps=sorted({step for run in kinds["images"] for step in run.grids}),
        swatches={run.number: _uri("image/svg+xml", curves.swatch(run.number)) for run in runs},
        curves={"images": curves.of_images(kinds["images"]), "study": curves.of_studies(kinds["study"])},
        finals={kind: tables.finals(kinds[kind]) for kind in kinds},
        configs={kind: tables.configs(of) for kind, of in kinds.items()},
        protocols={kind: tables.protocols(of) for kind, of in kinds.items()},
        uri=_uri,
        style=style,
        script=script,
        # Nothing may run or be fetched but these two: a text that slipped through could do nothing.
        allowed={"style": _hash(style), "script": _hash(script)},
    )


def breakable(text: str) -> markupsafe.Markup:
    """A name that may go on in the next line after each of its parts, escaped."""
    return markupsafe.Markup(re.sub(r"([._/])", r"\1<wbr>", str(markupsafe.escape(text))))


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
