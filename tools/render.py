"""Renders the tables in README.md and docs/ from the stored results in benchmarks/results/.

    python -m tools.render            writes the tables
    python -m tools.render --check    fails if a table is not current

A table is between two comments, `<!-- table: NAME -->` and `<!-- end -->`. `tools/tables/` has a function for each
NAME, so that no number is typed by hand.
"""

import pathlib
import re
import sys
from collections.abc import Iterator

from tools.tables import TABLES

ROOT = pathlib.Path(__file__).parent.parent
_BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> Iterator[pathlib.Path]:
    """Yields every page that can have tables."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def rendered(text: str) -> str:
    """Returns the text of a page with its tables rendered from the stored results.

    Raises:
      KeyError: A block names a table that does not exist.
    """
    return _BLOCK.sub(lambda block: f"{block[1]}\n{TABLES[block['name']]()}\n\n{block[3]}", text)


def main(arguments: list[str]) -> int:
    """Writes the tables, or with `--check` compares them; returns the exit status."""
    outdated = [page for page in pages() if rendered(page.read_text()) != page.read_text()]
    if "--check" not in arguments:
        for page in outdated:
            page.write_text(rendered(page.read_text()))
        return 0
    for page in outdated:
        print(f"{page.relative_to(ROOT)} has an outdated table. To fix this: python -m tools.render", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
