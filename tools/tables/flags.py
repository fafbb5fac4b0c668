"""The table of the command line's flags, for the quickstart page."""

from tfpaths import usage
from tools.tables import markdown, rendered


@rendered
def flags() -> str:
    """Returns the table of all flags, with their texts in `--help`."""
    rows = []
    for group, members in usage.GROUPS.items():
        rows.append((f"**{group}**", ""))
        rows += [(f"`--{flag.name}{f'={flag.value}' if flag.value else ''}`", flag.help) for flag in members]
    return markdown(("flag", "meaning"), rows)
