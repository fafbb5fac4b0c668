"""The tables of the page about texts."""

from tools.tables import machine, made, markdown, number, read, rendered

_LABELS = {"markov": "the chain", "text": "English"}


def _table(name: str, rows: dict[str, str]) -> str:
    """Returns a column for each stored run, and those of floor and ceiling; below it, the command of each run."""
    stored = read(f"texts_{name}")
    runs = list(stored["runs"].values())
    header = [f"`{run['experiment']}`, step {run['step']:,}" for run in runs]
    references = [runs[0]["references"][kind] for kind in ("real", "noise")]
    columns = [*(run["metrics"] for run in runs), *references]
    lines = [[label, *(number(column[key], 3) for column in columns)] for key, label in rows.items()]
    table = markdown(("", *header, "training texts (floor)", "noise"), lines)
    commands = (f"- `{run['experiment']}`: `{run['command']}`" for run in runs)
    return "\n".join([table, "", made(stored), "", *commands])


@rendered
def texts_markov() -> str:
    """Returns the divergences of the chain's samples from its law."""
    return _table("markov", {f"js_{n}_law": f"`js_{n}_law`" for n in (1, 2, 3, 4)})


@rendered
def texts_text() -> str:
    """Returns the divergences of English samples, and the share of known words."""
    return _table("text", {f"js_{n}": f"`js_{n}`" for n in (1, 2, 3, 4)} | {"known_words": "`known_words`"})


@rendered
def texts_unigram() -> str:
    """Returns js_4 of a model that draws each character by its share."""
    parts = []
    for name, label in _LABELS.items():
        run = next(iter(read(f"texts_{name}")["runs"].values()))
        parts.append(f"{number(run['metrics']['js_4_unigram'], 3)} for {label}")
    return f"`js_4_unigram`, that of a model without memory, is {' and '.join(parts)} below."


@rendered
def texts_samples() -> str:
    """Returns the first samples of each run, in columns."""
    runs = [run for name in _LABELS for run in read(f"texts_{name}")["runs"].values()]
    columns = [[run["experiment"], *run["samples"][:8]] for run in runs]
    widths = [max(map(len, column)) for column in columns]
    lines = ["   ".join(map(str.ljust, cells, widths)).rstrip() for cells in zip(*columns, strict=True)]
    return "\n".join(["```text", *lines, "```"])


@rendered
def texts_course() -> str:
    """Returns how js_4 of the English samples fell during training, and how long the training took."""
    stored = read("texts_text")
    run = next(iter(stored["runs"].values()))
    course = ", ".join(number(value, 2) for value in run["js_4_course"].values())
    steps = list(run["js_4_course"])
    minutes = run["step"] * run["seconds_per_step"] / 60
    return (
        f"During training, `js_4` of {run['js_4_course_samples']:,} samples, fewer than the table's "
        f"{run['protocol']['text_samples']:,}, was {course} at "
        f"steps {int(steps[0]):,}, {int(steps[1]):,}, … "
        f"{int(steps[-1]):,}. The {run['step']:,} steps took {minutes:.0f} minutes on "
        f"{machine(stored)}, by the median time of a step."
    )
