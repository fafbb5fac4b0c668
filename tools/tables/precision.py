"""The scores of runs in both precisions, for the performance page."""

from tools.tables import made, markdown, read, rendered
from tools.tables.mix import SCORES, mean


@rendered
def precision() -> str:
    """Returns the scores of runs in float32 and in mixed_bfloat16: mean ± standard deviation over seeds."""
    stored = read("precision")
    rows = []
    for variant in dict.fromkeys(row["variant"] for row in stored["rows"]):
        for kind in ("float32", "mixed_bfloat16"):
            runs = [row for row in stored["rows"] if (row["variant"], row["precision"]) == (variant, kind)]
            cells = [mean([row["metrics"][metric] for row in runs], digits) for metric, _, digits in SCORES]
            rows.append([f"`{variant}`, {kind}", str(len(runs)), *cells])
    for reference, name in (("real", "real (floor)"), ("noise", "noise (ceiling)")):
        values = stored["rows"][0]["references"][reference]
        rows.append([name, "", *(mean([values[metric]], digits) for metric, _, digits in SCORES)])
    header = ("", "seeds", *(name for _, name, _ in SCORES))
    return f"{markdown(header, rows)}\n\n{made(stored, command=True)}"
