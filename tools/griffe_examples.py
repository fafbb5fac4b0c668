"""For the documentation's site: shows the section `Example:` of a docstring as Python code.

Griffe takes `Examples:` for the section of doctests, and `Example:` for a box of prose, in which `>>>` is a quotation.
"""

import re

import griffe


class Examples(griffe.Extension):
    """Renames the section in every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
