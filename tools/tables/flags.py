"""The flags of the command line, on the quickstart page."""

from tfpaths import usage
from tools.tables import markdown, rendered


@rendered
def flags() -> str:
    """Every flag, as `--help` shows it."""
    rows = []
    for group, members in usage.GROUPS.items():
        rows.append((f"**{group}**", ""))
        rows += [(f"`--{flag.name}{f'={flag.value}' if flag.value else ''}`", flag.help) for flag in members]
    return markdown(("flag", "meaning"), rows)
