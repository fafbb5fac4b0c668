"""The tables of the small studies of lines, for the results page."""

from tools.tables import made, markdown, number, read, rendered, share


def _studies(table: str) -> dict:
    return {row["row"]: row for row in read("lines")["studies"] if row["table"] == table}


@rendered
def lead() -> str:
    """Returns the table of minimax GAN and NS-GAN by the number of discriminator updates."""
    studies = _studies("lead")
    rows = []
    for updates in (1, 5, 20):
        cells = [studies[f"{variant}, {updates}"]["metrics"] for variant in ("minimax", "ns")]
        rows.append(
            [
                str(updates),
                *(text for cell in cells for text in (number(cell["distance_median"]), share(cell["failed_share"]))),
            ]
        )
    header = (
        "discriminator updates a step",
        "minimax, median d²",
        "minimax, failed",
        "NS-GAN, median d²",
        "NS-GAN, failed",
    )
    return f"{markdown(header, rows)}\n\n{made(read('lines'), command=True)}"


@rendered
def motion() -> str:
    """Returns the table of GAN-GP's mean final distance with other settings."""
    rows = [(name, number(row["metrics"]["distance_mean"])) for name, row in _studies("motion").items()]
    return f"{markdown(('settings', 'mean final d²'), rows)}\n\n{made(read('lines'), command=True)}"
