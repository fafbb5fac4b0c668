"""The table for the reproducibility page."""

from tools.tables import made, markdown, number, read, rendered


@rendered
def determinism() -> str:
    """Returns the table of runs that end bit for bit as another run, by condition."""
    stored = read("determinism")
    rows = [
        (
            row["condition"],
            row["compared_with"],
            f"{row['equal']} of {row['runs']}",
            "0" if row["equal"] == row["runs"] else f"up to {number(row['furthest'])}",
        )
        for row in stored["rows"]
    ]
    header = ("runs with", "compared with the first run with", "equal bit for bit", "furthest apart")
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"
